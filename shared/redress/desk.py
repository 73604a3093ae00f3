"""``redress desk``: a desk's configuration, through the API of the running system."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from typer.core import TyperGroup

from complaints.desk_requests import AdoptPack, DeskChange, OpenDesk, convert
from complaints.errors import Malformed
from redress.api import LOCAL, Api, Key, Url

ANYWHERE = {"--json": 0, "--url": 1, "--key": 1}
"""Options of the whole group, which may stand behind the command as well; how many values each takes."""


class Anywhere(TyperGroup):
    """A group whose own options may stand anywhere."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Brings them to the front."""
        front, rest, left = [], [], list(args)
        while left:
            argument = left.pop(0)
            name, _, value = argument.partition("=")
            if name not in ANYWHERE:
                rest.append(argument)
                continue
            front.append(argument)
            for _ in range(0 if value else ANYWHERE[name]):
                front += left[:1]
                del left[:1]
        parsed: list[str] = super().parse_args(ctx, [*front, *rest])
        return parsed


app = typer.Typer(
    cls=Anywhere, no_args_is_help=True, help="A desk's configuration: open it, adopt a pack, calendar, people, keys."
)
person = typer.Typer(no_args_is_help=True, help="The people of a desk.")
app.add_typer(person, name="person")

Desk = Annotated[str, typer.Argument(metavar="DESK", help="The desk's name.", show_default=False)]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="The person's id.", show_default=False)]
Place = Annotated[str, typer.Argument(metavar="PLACE", help="A place that the procedure leaves open.")]
Value = Annotated[str, typer.Argument(metavar="VALUE", help="JSON, or a text.")]
JsonFile = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, exists=True, help="A file of JSON.")]
TextFile = Annotated[Path | None, typer.Option(metavar="FILE", dir_okay=False, exists=True)]
Several = Annotated[list[str] | None, typer.Option()]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and how answers are shown."""

    api: Api
    as_json: bool

    def change(self, desk: str, event: str, **data: Any) -> None:
        """Asks for a change and shows the answer; what was not said is left out."""
        said = {name: value for name, value in data.items() if value is not None}
        self.show(self.api.post(f"/v1/desks/{desk}/events", DeskChange(event=f"desk.{event}", data=said)))

    def show(self, answer: Any) -> None:
        """One JSON object on a line, or a line for each field."""
        if self.as_json:
            print(json.dumps(answer, ensure_ascii=False))
        else:
            print("\n".join(_lines(answer)))


def _lines(answer: Any, indent: str = "") -> Iterable[str]:
    for name, value in answer.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{indent}{name}:"
            for entry in value:
                yield f"{indent}  {json.dumps(entry, ensure_ascii=False)}"
        else:
            yield f"{indent}{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


@app.callback()
def caller(
    context: typer.Context,
    *,
    key: Key = "",
    url: Url = LOCAL,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """A desk's configuration."""
    context.obj = Caller(Api(url, key), json_)


@app.command("list")
def list_(context: typer.Context) -> None:
    """The desks that the key sees."""
    context.obj.show(context.obj.api.get("/v1/desks"))


@app.command()
def show(context: typer.Context, desk: Desk) -> None:
    """A desk as it is now."""
    context.obj.show(context.obj.api.get(f"/v1/desks/{desk}"))


@app.command("open")
def open_(
    context: typer.Context,
    desk: Desk,
    *,
    title: Annotated[str | None, typer.Option(help="What the desk is called.")] = None,
    pack: Annotated[str | None, typer.Option(help="The id of a shipped pack.")] = None,
    pack_file: TextFile = None,
    source_file: TextFile = None,
    calendar: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, exists=True, help="Its calendar.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="An IANA time zone.")] = None,
    locale: Annotated[str | None, typer.Option(help="zh or en.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", dir_okay=False, exists=True, help="All of it, in JSON.")
    ] = None,
) -> None:
    """Opens a desk: from options, from one file, or from a file and options that count more."""
    body: dict[str, Any] = _object(file) if file is not None else {}
    said = {
        "desk": desk,
        "title": title,
        "pack": pack,
        "text": _text(pack_file),
        "source": _text(source_file),
        "calendar": _object(calendar) if calendar is not None else None,
        "timezone": timezone,
        "locale": locale,
    }
    body |= {name: value for name, value in said.items() if value is not None}
    request: OpenDesk = convert({"title": desk, **body}, OpenDesk, at="")
    context.obj.show(context.obj.api.post("/v1/desks", request))


@app.command("adopt-pack")
def adopt_pack(
    context: typer.Context,
    desk: Desk,
    pack: Annotated[str | None, typer.Argument(metavar="[PACK]", help="The id of a shipped pack.")] = None,
    *,
    pack_file: TextFile = None,
    source_file: TextFile = None,
    answers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, exists=True, help="Place to value, instead of those in force."),
    ] = None,
) -> None:
    """New cases run under another pack; those received before stay under theirs."""
    asked = AdoptPack(
        pack=pack,
        text=_text(pack_file),
        source=_text(source_file),
        answers=_object(answers) if answers is not None else None,
    )
    context.obj.change(desk, "pack-adopted", **msgspec.to_builtins(asked))


@app.command("set")
def set_(context: typer.Context, desk: Desk, place: Place, value: Value) -> None:
    """Fills a silence of the procedure; what follows cites the desk."""
    context.obj.change(desk, "parameter-set", place=place, value=_value(value))


@app.command()
def read(context: typer.Context, desk: Desk, place: Place, value: Value) -> None:
    """Chooses another of the readings that the pack offers."""
    context.obj.change(desk, "reading-chosen", place=place, value=_value(value))


@app.command()
def unset(context: typer.Context, desk: Desk, place: Place) -> None:
    """Withdraws an answer."""
    context.obj.change(desk, "answer-withdrawn", place=place)


@app.command()
def calendar(context: typer.Context, desk: Desk, file: JsonFile) -> None:
    """Publishes a version of the desk's calendar."""
    context.obj.change(desk, "calendar-published", calendar=_object(file))


@app.command()
def department(
    context: typer.Context,
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="DEPARTMENT")],
    *,
    title: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    head: Annotated[str | None, typer.Option(help="The person who leads it.")] = None,
    role: Several = None,
    remove: Annotated[bool, typer.Option("--remove", help="There is no such department any more.")] = False,
) -> None:
    """Sets up a department, or removes it."""
    if remove:
        context.obj.change(desk, "department-removed", department=name)
    else:
        context.obj.change(desk, "department-set", department=name, title=title or name, head=head, roles=role)


@app.command()
def key(
    context: typer.Context,
    desk: Desk,
    frontend: Annotated[str, typer.Argument(metavar="FRONTEND", help="Who will speak with it.")],
    *,
    role: Several = None,
    scope: Annotated[list[str] | None, typer.Option(help="read, write, import, desk.")] = None,
) -> None:
    """Issues a key. It is shown now and never again."""
    context.obj.change(desk, "key-issued", frontend=frontend, roles=role, scopes=scope)


@app.command("revoke-key")
def revoke_key(context: typer.Context, desk: Desk, id: Annotated[str, typer.Argument(metavar="KEY")]) -> None:
    """A key opens nothing any more. KEY is its public part, the third piece."""
    context.obj.change(desk, "key-revoked", key=id)


@app.command()
def warn(
    context: typer.Context,
    desk: Desk,
    clock: Annotated[str, typer.Argument(metavar="CLOCK", help="A limit of the procedure, or *.")],
    *,
    share: Annotated[list[float] | None, typer.Option(help="Of the limit that has passed, 0 to 1.")] = None,
    before: Annotated[list[int] | None, typer.Option(help="Minutes before it runs out.")] = None,
) -> None:
    """Asks for warnings before a limit runs out; without an option, for none."""
    context.obj.change(desk, "warning-set", clock=clock, shares=share or [], minutes_before=before or [])


@app.command()
def alerts(
    context: typer.Context, desk: Desk, role: Several = None, to: Several = None, channel: Several = None
) -> None:
    """Who is told when something needs a person."""
    context.obj.change(desk, "alerts-set", roles=role or [], people=to or [], channels=channel)


@app.command("quiet-hours")
def quiet_hours(
    context: typer.Context,
    desk: Desk,
    begins: Annotated[str | None, typer.Argument(metavar="[BEGINS]", help="HH:MM")] = None,
    ends: Annotated[str | None, typer.Argument(metavar="[ENDS]", help="HH:MM")] = None,
) -> None:
    """When messages that can wait are held back; without times, never."""
    context.obj.change(desk, "quiet-hours-set", begins=begins, ends=ends)


@app.command()
def fallback(
    context: typer.Context,
    desk: Desk,
    queue: Annotated[str, typer.Argument(metavar="QUEUE")],
    *,
    who: Annotated[str | None, typer.Option("--person", help="Who looks after it.")] = None,
) -> None:
    """Where cases wait that nobody can be named for."""
    context.obj.change(desk, "fallback-set", queue=queue, person=who)


@app.command()
def webhook(
    context: typer.Context,
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="Without it, the webhook is removed.")] = None,
    *,
    event: Annotated[list[str] | None, typer.Option(help="A name, or its beginning and .*; none: every event.")] = None,
) -> None:
    """Has events sent to an address, signed with the secret that is shown; or removes that."""
    if url is None:
        context.obj.change(desk, "webhook-removed", name=name)
    else:
        context.obj.change(desk, "webhook-added", name=name, url=url, events=event)


@app.command()
def limits(
    context: typer.Context,
    desk: Desk,
    *,
    oldest_days: Annotated[int | None, typer.Option(help="How far back an occurred_at may lie.")] = None,
    imported_oldest_days: Annotated[int | None, typer.Option(help="The same of imported cases.")] = None,
    skew_seconds: Annotated[int | None, typer.Option(help="How far ahead a sender's clock may be.")] = None,
) -> None:
    """How far from now the instants may lie that senders claim."""
    context.obj.change(
        desk,
        "limits-set",
        oldest_days=oldest_days,
        imported_oldest_days=imported_oldest_days,
        skew_seconds=skew_seconds,
    )


@app.command()
def change(
    context: typer.Context,
    desk: Desk,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The event's name, with or without 'desk.'.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Its data, in JSON.")] = "{}",
) -> None:
    """Any change, as the API takes it."""
    context.obj.change(desk, event.removeprefix("desk."), **_parsed(data, "DATA"))


@person.command()
def join(
    context: typer.Context,
    desk: Desk,
    who: Person,
    *,
    name: Annotated[str | None, typer.Option(help="Default: the id.")] = None,
    role: Several = None,
    department: Annotated[str | None, typer.Option()] = None,
    email: Annotated[str | None, typer.Option()] = None,
    on_call: Annotated[int | None, typer.Option(help="Place in the on-call path.")] = None,
    weight: Annotated[float | None, typer.Option(help="Share of the work; 1 is usual.")] = None,
    language: Annotated[str | None, typer.Option(help="zh or en.")] = None,
) -> None:
    """Somebody comes to work at the desk."""
    context.obj.change(
        desk,
        "person-joined",
        person=who,
        name=name,
        roles=role or [],
        department=department,
        email=email,
        on_call=on_call,
        weight=weight,
        language=language,
    )


@person.command("change")
def change_person(
    context: typer.Context,
    desk: Desk,
    who: Person,
    *,
    name: Annotated[str | None, typer.Option()] = None,
    role: Several = None,
    department: Annotated[str | None, typer.Option()] = None,
    email: Annotated[str | None, typer.Option()] = None,
    on_call: Annotated[int | None, typer.Option(help="Place in the on-call path.")] = None,
    weight: Annotated[float | None, typer.Option(help="Share of the work; 1 is usual.")] = None,
    language: Annotated[str | None, typer.Option(help="zh or en.")] = None,
) -> None:
    """What is said here is changed, the rest stays."""
    context.obj.change(
        desk,
        "person-changed",
        person=who,
        name=name,
        roles=role,
        department=department,
        email=email,
        on_call=on_call,
        weight=weight,
        language=language,
    )


@person.command()
def leave(context: typer.Context, desk: Desk, who: Person) -> None:
    """Somebody works here no longer."""
    context.obj.change(desk, "person-left", person=who)


@person.command()
def absent(
    context: typer.Context,
    desk: Desk,
    who: Person,
    begins_at: Annotated[str, typer.Argument(metavar="FROM", help="An instant.")],
    ends_at: Annotated[str | None, typer.Argument(metavar="[UNTIL]", help="An instant.")] = None,
    *,
    deputy: Annotated[str | None, typer.Option(help="Who stands in.")] = None,
) -> None:
    """Somebody is away."""
    context.obj.change(desk, "person-absent", person=who, begins_at=begins_at, ends_at=ends_at, deputy=deputy)


@person.command("return")
def return_(context: typer.Context, desk: Desk, who: Person) -> None:
    """Somebody is back; announced absences are taken back too."""
    context.obj.change(desk, "person-returned", person=who)


def _text(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8")


def _object(file: Path) -> dict[str, Any]:
    return _parsed(file.read_text(encoding="utf-8"), str(file))


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Malformed(name, f"must be JSON: {error}") from None
    if not isinstance(value, dict):
        raise Malformed(name, "must be a JSON object")
    return value


def _value(text: str) -> Any:
    """A number, yes or no as JSON has them; anything else is the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
