"""The checked expression of a CEL condition, read from the form in which CEL serializes it, never from its text.

CEL hands out a protobuf message ``cel.expr.CheckedExpr`` inside ``google.protobuf.Any``. No maintained package carries
the classes for it, and of its fields we need few, so this reads the wire format directly.
Source: cel/expr/syntax.proto and checked.proto of the CEL specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

Scalar = bool | int | float | str | bytes | None


@dataclass(frozen=True, slots=True)
class Ident:
    """A name, dotted ones in one piece: ``talk.done``."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Const:
    """A literal."""

    id: int
    value: Scalar


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function: ``_&&_``, ``@in``, ``size``; the target of a method is its first argument."""

    id: int
    function: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list literal."""

    id: int
    elements: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """Anything else CEL has: selections, maps, comprehensions; only what they contain is of interest."""

    id: int
    parts: tuple[Expr, ...]


Expr = Ident | Const | Call | ListOf | Other


@dataclass(frozen=True, slots=True)
class Checked:
    """A checked expression; ``columns``: expression id to the column of its operator or first character, from 1."""

    root: Expr
    columns: dict[int, int]


def parse(serialized: bytes) -> Checked:
    """The expression that ``serialize()`` wrote."""
    message = _only(serialized, 2)
    columns: dict[int, int] = {}
    for entry in _bytes(_only(message, 5), 4):
        numbers = {field: value for field, value in _fields(entry) if isinstance(value, int)}
        columns[numbers.get(1, 0)] = numbers.get(2, 0) + 1
    return Checked(_expr(_only(message, 4)), columns)


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and everything inside it, in the order of the text."""
    yield expr
    match expr:
        case Call(args=inner) | ListOf(elements=inner) | Other(parts=inner):
            for part in inner:
                yield from walk(part)
        case Ident() | Const():
            pass


# --- cel.expr.Expr: the field of the message says which kind of expression it holds ---
_COMPREHENSION_PARTS: Final = (2, 4, 5, 6, 7)  # range, start, condition, step, result


def _expr(message: bytes) -> Expr:
    id_, kind, body = 0, 0, b""
    for field, value in _fields(message):
        if field == 2 and isinstance(value, int):
            id_ = value
        elif isinstance(value, bytes):
            kind, body = field, value
    match kind:
        case 3:
            expr: Expr = Const(id_, _constant(body))
        case 4:
            expr = Ident(id_, _only(body, 1).decode())
        case 6:
            target = [_expr(m) for m in _bytes(body, 1)]
            expr = Call(id_, _only(body, 2).decode(), (*target, *(_expr(m) for m in _bytes(body, 3))))
        case 7:
            expr = ListOf(id_, tuple(_expr(m) for m in _bytes(body, 1)))
        case 8:
            entries = list(_bytes(body, 2))
            expr = Other(id_, tuple(_expr(m) for e in entries for field in (3, 4) for m in _bytes(e, field)))
        case 9:
            expr = Other(id_, tuple(_expr(m) for field in _COMPREHENSION_PARTS for m in _bytes(body, field)))
        case _:
            expr = Other(id_, tuple(_expr(m) for m in _bytes(body, 1)))
    return expr


def _constant(message: bytes) -> Scalar:
    found: Scalar = None
    for field, value in _fields(message):
        match field, value:
            case 2, int():
                found = bool(value)
            case 3, int():
                found = value - (1 << 64) if value >> 63 else value
            case 4, int():
                found = value
            case 5, bytes():
                found = float(struct.unpack("<d", value)[0])
            case 6, bytes():
                found = value.decode()
            case 7, bytes():
                found = value
            case _:
                pass
    return found


# --- the wire format ---


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values in the order in which they stand: numbers, or the bytes of everything else."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                value, at = _varint(message, at)
                yield key >> 3, value
                continue
            case 2:
                size, at = _varint(message, at)
            case 1:
                size = 8
            case 5:
                size = 4
            case wire:
                raise ValueError(f"a protobuf message has no wire type {wire}")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _bytes(message: bytes, field: int) -> Iterator[bytes]:
    return (value for number, value in _fields(message) if number == field and isinstance(value, bytes))


def _only(message: bytes, field: int) -> bytes:
    return next(_bytes(message, field), b"")
