"""``redress forms``: the forms and registers of a desk's procedure, and what stands in one."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from complaints.errors import Malformed
from redress.reading import AsJson, LedgerUrl, ReadKey, Workbook, download, ledger, say

app = typer.Typer()


@app.command()
def forms(
    desk: Annotated[str, typer.Argument(metavar="DESK", help="The desk's name.")],
    form: Annotated[str | None, typer.Argument(metavar="[FORM]", help="A form or register of its procedure.")] = None,
    *,
    xlsx: Workbook = None,
    url: LedgerUrl = None,
    key: ReadKey = None,
    json_: AsJson = False,
) -> None:
    """Lists the forms and registers of a desk's procedure; with one of them shows what stands in it."""
    api, path = ledger(url, key), f"/v1/desks/{quote(desk)}/forms"
    if form is None:
        if xlsx is not None:
            raise Malformed("--xlsx", "needs a form: a workbook holds one form or register")
        for row in api.get(path)["forms"]:
            kind = "register" if row["register"] else "form"
            number = f", numbered by {row['number']}" if row["number"] else ""
            say(row) if json_ else print(f"{row['form']}  {row['title']}  {kind}{number}: {', '.join(row['fields'])}")
        return
    if xlsx is not None:
        download(api, f"{path}/{quote(form)}?format=xlsx", xlsx)
        say({"file": str(xlsx)}) if json_ else print(xlsx)
        return
    more: str | None = f"{path}/{quote(form)}"
    while more is not None:
        page = api.get(more)
        for entry in page["entries"]:
            say(entry) if json_ else print(_line(entry))
        more = page["next"]


def _line(entry: dict[str, Any]) -> str:
    number = f"{entry['number']}  " if entry["number"] is not None else ""
    item = f" #{entry['item']}" if entry["item"] is not None else ""
    known = "  ".join(f"{name}={value}" for name, value in entry["fields"].items() if value is not None)
    return f"{number}{entry['complaint']}{item}  {entry['filled_at']} by {entry['filled_by']}  {known}"
