"""The rows that say what the desk owes beside its cases: duties, reports, samples, retention.

Source: the pack language, section 7.
"""

from __future__ import annotations

from typing import Final

from complaints.cycles import MONTHS
from complaints.procedure import shapes as s
from complaints.procedure.fields import ANY_SILENCE, CLAUSE, DUTY, EN, NOTE, OWN_CLAUSE, SAYS, STATED, Field, Table, key

_WHERE = Field("where", "the cases that it is about, asked when the report is produced", s.CONDITION)
_BY = Field("by", "one figure for each value of this", s.name_of("name"))
_CASE = Field("case", "the kind of case that it is about; default complaint", s.name_of("case"))
_MEASURED: Final = (
    "received",
    "acknowledged",
    "assigned",
    "resolved",
    "revisited",
    "escalated",
    "closed",
    "open",
    "late",
)
MEASURES: Final = (
    Table(
        "report",
        "how many",
        ("count",),
        (key("count", "of what", s.choice(*_MEASURED)), _CASE, _WHERE, _BY, OWN_CLAUSE),
        unique=False,
    ),
    Table(
        "report",
        "what share",
        ("rate",),
        (
            key("rate", "of what", s.choice(*_MEASURED)),
            Field("of", "in what", s.choice(*_MEASURED), required=True, fixed=True),
            _CASE,
            _WHERE,
            _BY,
            OWN_CLAUSE,
        ),
        unique=False,
    ),
    Table(
        "report",
        "what share in time",
        ("on-time",),
        (key("on-time", "a step, or all", s.NAME), _CASE, _WHERE, _BY, OWN_CLAUSE),
        unique=False,
    ),
    Table(
        "report",
        "the cases themselves",
        ("list",),
        (
            key("list", "of what", s.choice(*_MEASURED)),
            Field("shows", "the facts shown", s.names_of("name")),
            _CASE,
            _WHERE,
            _BY,
            OWN_CLAUSE,
        ),
        unique=False,
    ),
)
SAMPLE = Table(
    "sample",
    "a random sample",
    (),
    (
        Field("size", "how many", s.COUNT, required=True, silent=STATED),
        Field("include", "whose case is drawn first", s.CONDITION),
    ),
)
DESK = Table(
    "desk",
    "what the desk owes beside its cases",
    ("owe",),
    (
        key("owe", "its name"),
        CLAUSE,
        SAYS,
        EN,
        Field(
            "every",
            "how often; always: without date",
            s.choice("day", "week", *MONTHS, "always"),
            required=True,
            silent=ANY_SILENCE,
        ),
        Field("day", "Tuesday, or 4 for the fourth of its first month", s.DAY, silent=STATED),
        Field("starting", "the first day on which a period of it can begin, 2027-07-01", s.DATE),
        Field("time", "by that time of the day; default its end", s.TIME_OF_DAY, silent=STATED),
        Field("by", "who owes it", s.either_of("role"), required=True),
        Field("to", "whom it goes to", s.names_of("role", alone=True), silent=STATED),
        DUTY,
        Field(
            "holiday",
            "what a holiday does to the day: stays, before, after",
            s.choice("stays", "before", "after"),
            silent=STATED,
        ),
        Field(
            "covers",
            "the window of its report",
            s.choice("same day", "previous day", "previous week", *(f"previous {cycle}" for cycle in MONTHS)),
            silent=STATED,
        ),
        Field("report", "the measures, computed when the duty opens", rows=MEASURES, silent=STATED),
        Field("sample", SAMPLE.about, row=SAMPLE),
        Field("cases", "a round: the cases in which it opens the step each", s.CONDITION),
        Field("each", "a round: the step", s.name_of("step")),
        NOTE,
    ),
)
RETENTION = Table(
    "retention",
    "how long a record is kept before it may be erased",
    ("keep",),
    (
        key("keep", "what is kept"),
        CLAUSE,
        SAYS,
        EN,
        Field("for", "how long", s.LIMIT, required=True, silent=ANY_SILENCE),
        Field("from", "from when; default closing", s.FROM),
        Field("by", "who keeps it", s.either_of("role")),
        Field("case", "only of cases of this kind; default every kind", s.name_of("case")),
        Field("when", "only where this is true", s.CONDITION),
        NOTE,
    ),
    unique=False,
)
