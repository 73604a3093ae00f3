"""The data files, in the order in which they are fed, and the desks that take them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from complaints.desk_requests import OpenDesk
from redress.feeding.rows import IncidentLog, Row, cfpb_complaint, cfpb_narrative, chinese_complaint, nyc_request

PLAIN: Final = "00-plain-desk"
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A file and the desk that it goes to. ``reader`` makes what turns one of its rows into commands."""

    name: str
    path: str
    desk: str
    reader: Callable[[], Callable[[Any], Row]]

    def rows(self, data: Path) -> Iterator[Row]:
        """What its rows ask for, in order. A row stands for one record, however many lines of text it takes."""
        read = self.reader()
        with (data / self.path).open(encoding="utf-8", newline="") as lines:
            records = csv.DictReader(lines) if self.path.endswith(".csv") else map(json.loads, filter(str.strip, lines))
            yield from map(read, records)


FILES: Final = (
    DataFile(
        name="CFPB complaints",
        path="cfpb_complaints/cfpb_complaints.csv",
        desk="us-finance",
        reader=lambda: cfpb_complaint,
    ),
    DataFile(
        name="CFPB narratives",
        path="cfpb_narratives/cfpb_narratives.jsonl",
        desk="us-finance",
        reader=lambda: cfpb_narrative,
    ),
    DataFile(
        name="Chinese reviews",
        path="zh_consumer_complaints/zh_consumer_complaints.jsonl",
        desk="cn-consumer",
        reader=lambda: chinese_complaint,
    ),
    DataFile(name="NYC 311", path="nyc311_2025/nyc311_2025.csv", desk="nyc-311", reader=lambda: nyc_request),
    DataFile(
        name="Incident log",
        path="itsm_incident_event_log/itsm_incident_event_log.csv",
        desk="it-incidents",
        reader=lambda: IncidentLog().row,
    ),
)


def desks() -> tuple[OpenDesk, ...]:
    """The desks of the sample data: the plain procedure, nobody named, so that whoever acts holds the role it names."""
    return (
        _desk("us-finance", "Financial complaints", "America/New_York", "en", (("09:00", "17:00"),)),
        _desk("cn-consumer", "消费者投诉", "Asia/Shanghai", "zh", (("09:00", "12:00"), ("13:00", "18:00"))),
        _desk("nyc-311", "NYC 311, animals", "America/New_York", "en", (("08:00", "18:00"),)),
        _desk("it-incidents", "IT incidents", "UTC", "en", (("08:00", "18:00"),)),
    )


def _desk(slug: str, title: str, zone: str, locale: str, hours: tuple[tuple[str, str], ...]) -> OpenDesk:
    calendar = {"id": slug, "version": "1", "timezone": zone, "weekly": dict.fromkeys(WEEKDAYS, hours)}
    return OpenDesk(desk=slug, title=title, timezone=zone, locale=locale, pack=PLAIN, calendar=calendar)
