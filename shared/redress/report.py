"""``redress report``: the reports that a desk has produced, and the figures of one."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from complaints.errors import Malformed
from redress.reading import AsJson, LedgerUrl, ReadKey, Workbook, download, ledger, say

app = typer.Typer()


@app.command()
def report(
    desk: Annotated[str, typer.Argument(metavar="DESK", help="The desk's name.")],
    owe: Annotated[str | None, typer.Argument(metavar="[DUTY]", help="The duty; all otherwise.")] = None,
    period: Annotated[str | None, typer.Argument(metavar="[PERIOD]", help="Its period, as the list names it.")] = None,
    *,
    xlsx: Workbook = None,
    url: LedgerUrl = None,
    key: ReadKey = None,
    json_: AsJson = False,
) -> None:
    """Lists the reports of a desk; with a duty and a period shows that one's figures, or writes them to a workbook."""
    api = ledger(url, key)
    if xlsx is not None and period is None:
        raise Malformed("--xlsx", "needs a duty and a period: a workbook holds one report")
    if owe is not None and period is not None:
        path = f"/v1/desks/{quote(desk)}/reports/{quote(owe)}/{quote(period)}"
        if xlsx is not None:
            download(api, f"{path}?format=xlsx", xlsx)
            say({"file": str(xlsx)}) if json_ else print(xlsx)
            return
        shown = api.get(path)
        if json_:
            say(shown)
        else:
            print("\n".join(_figures(shown)))
        return
    if period is not None:
        raise Malformed("DUTY", "must be named with a period")
    more: str | None = f"/v1/desks/{quote(desk)}/reports" + (f"?owe={quote(owe)}" if owe else "")
    while more is not None:
        page = api.get(more)
        for entry in page["reports"]:
            if json_:
                say(entry)
            else:
                print(f"{entry['owe']}  {entry['period']}  produced {entry['reported_at']}  {entry['state']}")
        more = page["next"]


def _figures(event: dict[str, Any]) -> list[str]:
    data = event["data"]
    covers = data.get("covers")
    head = f"{data['owe']} {data['period']}" + (f"  covers {covers[0]} to before {covers[1]}" if covers else "")
    figures = data.get("figures")
    if not isinstance(figures, list):
        return [head, f"  {figures}"]
    return [head, *(f"  {_measure(row)}" for row in figures)]


def _measure(row: dict[str, Any]) -> str:
    named = "  ".join(f"{name}={value}" for name, value in row.items() if name not in ("is", "late"))
    late = f"  (late from earlier periods: {row['late']})" if "late" in row else ""
    return f"{named}: {row.get('is')}{late}"
