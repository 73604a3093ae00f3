"""``redress dead-letters``: records that could not be handled; look at them, try them again, or go on without them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
import typer

from complaints.adapters.database import asyncpg_url
from complaints.adapters.dead_letters import BEHIND, DeadLetters, Letter, schemas
from complaints.adapters.settings import Settings
from complaints.errors import Malformed, Unknown

app = typer.Typer(no_args_is_help=True, help="Records that could not be handled: list, look, send again, discard.")

Database = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="The database; REDRESS_DATABASE_URL otherwise.")
]
Service = Annotated[str | None, typer.Option("--service", metavar="NAME", help="Of this consumer only.")]
Complaint = Annotated[str | None, typer.Option("--complaint", metavar="ID", help="Of this case only.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Name = Annotated[str, typer.Argument(metavar="LETTER", help="As `list` names it, `routing/17`.")]


@dataclass(frozen=True, slots=True)
class Found:
    """A letter and the schema that keeps it."""

    schema: str
    letter: Letter

    @property
    def name(self) -> str:
        return f"{self.schema}/{self.letter.id}"


@app.command("list")
def list_(
    service: Service = None, complaint: Complaint = None, database: Database = None, json_: AsJson = False
) -> None:
    """The letters that wait, in the order in which they will be handled."""

    async def work() -> list[Found]:
        async with _connection(database) as connection:
            return [
                Found(schema, letter)
                for schema in await schemas(connection)
                for letter in await DeadLetters(schema).find(connection, consumer=service, key=complaint)
            ]

    _say(asyncio.run(work()), json_)


@app.command()
def show(name: Name, database: Database = None, json_: AsJson = False) -> None:
    """One letter with its headers and its value; personal values are sealed in it."""
    schema, number = _parsed(name)

    async def work() -> list[Letter]:
        async with _connection(database) as connection:
            if schema not in await schemas(connection):
                return []
            return await DeadLetters(schema).find(connection, id=number)

    letters = asyncio.run(work())
    if not letters:
        raise Unknown("no-such-letter", f"no letter is called {name}")
    found = Found(schema, letters[0])
    whole = {
        **_row(found),
        "headers": dict(found.letter.message.headers),
        "value": _readable(found.letter.message.value),
    }
    typer.echo(json.dumps(whole, ensure_ascii=False, indent=None if json_ else 2, default=str))


@app.command()
def reinject(
    service: Annotated[str, typer.Option("--service", metavar="NAME", help="The consumer that is to handle them.")],
    complaint: Complaint = None,
    letter: Annotated[
        str | None, typer.Option("--letter", metavar="LETTER", help="This one, and its stream's.")
    ] = None,
    database: Database = None,
    json_: AsJson = False,
) -> None:
    """Has letters handled again, each stream in order from its first; the running service does it within a second.

    A letter that fails again keeps waiting, and what follows it in its stream with it.
    """
    wanted = _parsed(letter) if letter else None

    async def work() -> list[Found]:
        async with _connection(database) as connection, connection.transaction():
            return [
                Found(schema, asked)
                for schema in await schemas(connection)
                if wanted is None or schema == wanted[0]
                for asked in await DeadLetters(schema).ask(
                    connection, consumer=service, key=complaint, id=wanted[1] if wanted else None
                )
            ]

    _say(asyncio.run(work()), json_)


@app.command()
def discard(
    name: Name,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is kept with the letter.")],
    database: Database = None,
    json_: AsJson = False,
) -> None:
    """Settles a letter that can never be handled; what waits behind it in its stream is handled.

    The service does without that record from then on; the log has it all the same.
    """
    schema, number = _parsed(name)
    if not because.strip():
        raise Malformed("because", "must say why")

    async def work() -> list[Found]:
        async with _connection(database) as connection, connection.transaction():
            if schema not in await schemas(connection):
                return []
            return [Found(schema, one) for one in await DeadLetters(schema).discard(connection, number, because)]

    found = asyncio.run(work())
    if not found:
        raise Unknown("no-such-letter", f"no letter called {name} waits")
    _say(found, json_)


@asynccontextmanager
async def _connection(url: str | None) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(asyncpg_url(url or Settings.read().database.url))
    try:
        yield connection
    finally:
        await connection.close()


def _parsed(name: str) -> tuple[str, int]:
    schema, _, number = name.rpartition("/")
    if not schema or not number.isascii() or not number.isdecimal() or len(number) > 18:
        raise Malformed("letter", "a letter is called like routing/17")
    return schema, int(number)


def _say(found: list[Found], json_: bool) -> None:
    if json_:
        for each in found:
            typer.echo(json.dumps(_row(each), ensure_ascii=False, default=str))
        return
    for line in _table(found):
        typer.echo(line)


def _table(found: list[Found]) -> Iterator[str]:
    for each in found:
        letter, since = each.letter, f"{each.letter.since:%Y-%m-%d %H:%M}"
        waits = "behind another" if letter.reason == BEHIND else f"{letter.reason}: {letter.detail}"
        asked = f", discarded: {letter.discarded}" if letter.discarded else ", asked for" if letter.reinject_at else ""
        yield f"{each.name:<16} {letter.consumer:<12} {letter.message.key:<36} {since} {waits}{asked}"
    yield f"{len(found)} letter{'' if len(found) == 1 else 's'}"


def _row(found: Found) -> dict[str, Any]:
    letter, message = found.letter, found.letter.message
    return {
        "letter": found.name,
        "service": letter.consumer,
        "complaint": message.key,
        "reason": letter.reason,
        "detail": letter.detail,
        "since": letter.since.isoformat(),
        "attempts": letter.attempts,
        "asked_for": letter.reinject_at and letter.reinject_at.isoformat(),
        "settled_at": letter.settled_at and letter.settled_at.isoformat(),
        "discarded": letter.discarded,
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "position": message.position,
    }


def _readable(value: bytes) -> Any:
    """JSON as it is; anything else as text, escaped where it is none."""
    try:
        return json.loads(value)
    except ValueError:
        return value.decode("utf-8", "backslashreplace")
