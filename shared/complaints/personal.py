"""Personal values: which fields of an event hold them, and what stands in their place once they are sealed or erased.

A path is a tuple of names and list places from the event down, ``("facts", "content")``; ``BY_PERSON`` lies in the
envelope. A value's path is part of what seals it, so a value cannot be moved to another field unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final, TypeVar, get_origin
from uuid import UUID

import msgspec

from complaints.events import Event, ReportProduced, SampleDrawn

Path = tuple[str | int, ...]
BY_PERSON: Final[Path] = ("by", "person")

_SHARED: Final = ".".join(map(str, BY_PERSON))
"""The path of what all events of a command hold, sealed at the first of them; its marker says at which version."""

SEALED: Final = "$sealed"
ERASED_MARK: Final = "$erased"
CUSTOMER: Final = "customer"
"""The role in which somebody acts who does not work at the desk, so that `person` is a complainant's name."""


class Sealed(str):
    """A personal value that has not been opened; its text is the base64 form of nonce and ciphertext.

    It knows where it was sealed, so it can be opened wherever it has been carried since.
    """

    __slots__ = ("generation", "path", "stream", "subject", "version")

    subject: UUID
    generation: int  # of the subject's key
    stream: UUID
    version: int
    path: str

    def __new__(cls, token: str, *, subject: UUID, generation: int, stream: UUID, version: int, path: str) -> Sealed:
        self = super().__new__(cls, token)
        self.subject, self.generation = subject, generation
        self.stream, self.version, self.path = stream, version, path
        return self

    def __repr__(self) -> str:
        return f"<sealed {self.path}>"

    def marker(self) -> dict[str, Any]:
        """Its form in JSON."""
        marker: dict[str, Any] = {SEALED: str.__str__(self), "subject": _text(self.subject)}
        if self.generation != 1:
            marker["generation"] = self.generation
        if self.path == _SHARED:
            marker["version"] = self.version
        return marker


class Erased(str):
    """A personal value whose key has been destroyed. Reads as an empty text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<erased>"

    def marker(self) -> dict[str, Any]:
        """Its form in JSON."""
        return {ERASED_MARK: True}


ERASED: Final = Erased()


def is_closed(value: object) -> bool:
    """Whether a value is sealed or erased already."""
    return isinstance(value, Sealed | Erased)


class Personal(msgspec.Struct, frozen=True):
    """A personal value of an event.

    It is about the event's own subject, or that of the complaint ``of``, or (``names``) about whom it names itself.
    """

    path: Path
    value: Any
    of: str | None = None
    names: bool = False


def personal_values(event: Event, *, facts: Collection[str], by_customer: bool) -> list[Personal]:
    """The personal values of an event that is about to be stored.

    They are: the fields that its type declares, facts that the pack declares personal wherever they are repeated, the
    name of somebody who acts as the customer, the facts that a report shows of each complaint, and who was drawn.
    """
    declared, of_a_customer, repeating, of_others = _fields(type(event))
    found: list[Personal] = []
    for name in of_a_customer if by_customer else declared:
        if (value := getattr(event, name)) is not None:
            found += _all_of((name,), value)
    for name in repeating:
        for key, value in getattr(event, name).items():
            if (key in facts or "." in key or "#" in key) and value is not None and is_personal(key, facts):
                found.append(Personal((name, key), value))
    if of_others:
        found += _of_others(event, facts)
    return found


def _of_others(event: Event, facts: Collection[str]) -> Iterator[Personal]:
    """What an event of the desk says of others than its subject."""
    if isinstance(event, ReportProduced):
        yield from _of_complaints(("figures",), event.figures, facts)
    elif isinstance(event, SampleDrawn):
        for name, people in (("included", event.included), ("drawn", event.drawn)):
            yield from (Personal((name, place), value, names=True) for place, value in enumerate(people))


@cache
def _fields(kind: type[Event]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], bool]:
    """Of a type: the fields that it declares personal, the same if a customer acts, those that may repeat facts.

    Last, whether it speaks of others than its subject.
    """
    declared = kind.personal
    of_a_customer = declared if "person" not in kind.__struct_fields__ else tuple(dict.fromkeys((*declared, "person")))
    mappings = {field.name for field in msgspec.structs.fields(kind) if get_origin(field.type) is dict}
    repeating = tuple(name for name in ("facts", "looked_at", "inputs") if name in mappings)
    return declared, of_a_customer, repeating, issubclass(kind, ReportProduced | SampleDrawn)


def _all_of(path: Path, value: Any) -> Iterator[Personal]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _all_of((*path, key), inner)
    elif value is not None:
        yield Personal(path, value)


def _of_complaints(path: Path, value: Any, facts: Collection[str]) -> Iterator[Personal]:
    """The personal facts in the rows of a report, each under the complaint that its row names."""
    if isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _of_complaints((*path, place), inner, facts)
    elif isinstance(value, dict):
        if isinstance(of := value.get("complaint"), str):
            for key, inner in value.items():
                if inner is not None and is_personal(key, facts):
                    yield Personal((*path, key), inner, of)
        else:
            for key, inner in value.items():
                yield from _of_complaints((*path, key), inner, facts)


def is_personal(name: str, facts: Collection[str]) -> bool:
    """Whether a name that a condition reads (``content``, ``point#2.content``, ``talk.person``) gives personal data."""
    if name in facts:
        return True
    if "." not in name and "#" not in name:
        return False
    parts = _parts(name)
    return parts[-1] == "person" or any(part in facts for part in parts)


@lru_cache(maxsize=4096)
def _parts(name: str) -> list[str]:
    return re.split("[.#]", name)


@lru_cache(maxsize=1024)
def _text(subject: UUID) -> str:
    """A subject in writing: all values of an event are mostly about one and the same."""
    return str(subject)


@lru_cache(maxsize=1024)
def dotted(path: Path) -> str:
    """A path as text, as it stands in what is authenticated."""
    return ".".join(map(str, path))


AnEvent = TypeVar("AnEvent", bound=Event)


def with_values(event: AnEvent, values: Mapping[Path, Any]) -> AnEvent:
    """The event with other values at these paths; the one in the envelope is passed over."""
    changed: dict[str, Any] = {}
    for path, value in values.items():
        if path != BY_PERSON:
            name = str(path[0])
            before = changed.get(name, getattr(event, name))
            changed[name] = _replaced(before, path[1:], value)
    return msgspec.structs.replace(event, **changed) if changed else event


def _replaced(before: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    copy = list(before) if isinstance(before, list | tuple) else dict(before)
    copy[path[0]] = _replaced(copy[path[0]], path[1:], value)  # type: ignore[index]  # a path leads through what it was read from
    return copy


@dataclass(slots=True)
class Marks:
    """Reads JSON markers back into values; ``found`` lists the sealed ones by path."""

    stream: UUID
    version: int
    found: dict[Path, Sealed] = field(default_factory=dict)

    def read(self, value: Any, path: Path = ()) -> Any:
        """The value with every marker below it turned into what it stands for."""
        if isinstance(value, list):
            return [self.read(inner, (*path, place)) for place, inner in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if (sealed := self._sealed(value, path)) is not None:
            self.found[path] = sealed
            return sealed
        if value.get(ERASED_MARK) is True:
            return ERASED
        return {key: self.read(inner, (*path, key)) for key, inner in value.items()}

    def _sealed(self, marker: dict[str, Any], path: Path) -> Sealed | None:
        """None for what only looks like a marker, as a contact whose kind somebody named so."""
        token, subject = marker.get(SEALED), marker.get("subject")
        generation = marker.get("generation", 1)
        version = marker.get("version", self.version) if path == BY_PERSON else self.version
        if not isinstance(token, str) or not isinstance(subject, str):
            return None
        if not _counts(generation, _MOST) or not _counts(version, self.version):
            return None
        try:
            about = UUID(subject)
        except ValueError:
            return None
        return Sealed(
            token, subject=about, generation=generation, stream=self.stream, version=version, path=dotted(path)
        )


_MOST: Final = 2**31 - 1


def _counts(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def marked(value: object) -> object:
    """What JSON holds instead of a sealed or erased value: the hook for msgspec."""
    if type(value) is Sealed or type(value) is Erased:
        return value.marker()
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")
