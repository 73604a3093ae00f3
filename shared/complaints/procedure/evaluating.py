"""Checked expressions as Python closures: three-valued, constants folded, only as much looked up as decides.

CEL's own evaluation costs several microseconds a condition, most of them to carry values into it. What packs write
(logic, comparisons, membership, the conditional) is compiled here; everything else CEL has stays with CEL. Both give
the same answer, unknown names included: a test holds them against one another.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from complaints.procedure.checked import Call, Const, Expr, Ident, ListOf
from complaints.procedure.model import UNSET, Lookup

ValueType = Literal["yes-no", "number", "text", "time"]
Run = Callable[[Lookup], Any]  # a value, or UNSET while it is not known


@dataclass(frozen=True, slots=True)
class Fixed:
    """A part of a condition that is the same whatever is known."""

    value: Any


class NotCompiled(Exception):
    """The expression uses what only CEL itself evaluates."""


Part = Fixed | Run

FITS: Final[Mapping[ValueType, Callable[[Any], bool]]] = {
    "yes-no": lambda v: v is True or v is False,
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "text": lambda v: isinstance(v, str),
    "time": lambda v: isinstance(v, datetime),
}
"""What counts as a value of a type. Anything else (null, an erased value) is not known."""

COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "_==_": operator.eq,
    "_!=_": operator.ne,
    "_<_": operator.lt,
    "_<=_": operator.le,
    "_>_": operator.gt,
    "_>=_": operator.ge,
}


def compiled(expr: Expr, types: Mapping[str, ValueType], fixed: Mapping[str, Any]) -> Part:
    """The expression as a closure; ``fixed`` gives the names that are constants.

    Raises:
        NotCompiled: it uses what only CEL itself evaluates.
    """

    def inner(part: Expr) -> Part:
        return compiled(part, types, fixed)

    match expr:
        case Const(value=bool() | int() | float() | str() as value):
            part: Part = Fixed(value)
        case Ident(name=name) if name in fixed:
            part = Fixed(fixed[name])
        case Ident(name=name) if name in types:
            part = _name(name, types[name])
        case Call(function="_&&_" | "_||_" as function):
            part = _logic([inner(e) for e in _chain(expr, function)], decides=function == "_||_")
        case Call(function="!_", args=(operand,)):
            part = _not(inner(operand))
        case Call(function=function, args=(left, right)) if function in COMPARISONS:
            part = _comparison(COMPARISONS[function], inner(left), inner(right))
        case Call(function="@in", args=(left, ListOf(elements=elements))):
            part = _membership(inner(left), [inner(e) for e in elements])
        case Call(function="_?_:_", args=(test, yes, no)):
            part = _conditional(inner(test), inner(yes), inner(no))
        case _:
            raise NotCompiled
    return part


def _chain(expr: Expr, function: str) -> list[Expr]:
    """``a && b && c`` as its parts."""
    if isinstance(expr, Call) and expr.function == function:
        return [part for arg in expr.args for part in _chain(arg, function)]
    return [expr]


def _name(name: str, kind: ValueType) -> Run:
    if kind == "yes-no":

        def truth(get: Lookup) -> Any:
            value = get(name)
            return value if value is True or value is False else UNSET

        return truth
    fits = FITS[kind]

    def run(get: Lookup) -> Any:
        value = get(name)
        return value if fits(value) else UNSET

    return run


def _logic(parts: list[Part], *, decides: bool) -> Part:
    """``&&`` or ``||``: one part with the deciding value decides, whatever the others are."""
    if any(isinstance(part, Fixed) and part.value is decides for part in parts):
        return Fixed(decides)
    runs = tuple(part for part in parts if not isinstance(part, Fixed))
    if not runs:
        return Fixed(not decides)
    if len(runs) == 1:
        return runs[0]

    def run(get: Lookup) -> Any:
        result: Any = not decides
        for part in runs:
            value = part(get)
            if value is decides:
                return decides
            if value is UNSET:
                result = UNSET
        return result

    return run


def _not(part: Part) -> Part:
    if isinstance(part, Fixed):
        return Fixed(not part.value)
    inner = part

    def run(get: Lookup) -> Any:
        value = inner(get)
        return UNSET if value is UNSET else not value

    return run


def _comparison(compare: Callable[[Any, Any], bool], left: Part, right: Part) -> Part:
    if isinstance(left, Fixed):
        if isinstance(right, Fixed):
            return Fixed(compare(left.value, right.value))
        constant, other = left.value, right

        def run_right(get: Lookup) -> Any:
            value = other(get)
            return UNSET if value is UNSET else compare(constant, value)

        return run_right
    first = left
    if isinstance(right, Fixed):
        expected = right.value

        def run_left(get: Lookup) -> Any:
            value = first(get)
            return UNSET if value is UNSET else compare(value, expected)

        return run_left
    second = right

    def run(get: Lookup) -> Any:
        a, b = first(get), second(get)
        return UNSET if a is UNSET or b is UNSET else compare(a, b)

    return run


def _membership(left: Part, elements: list[Part]) -> Part:
    values = frozenset(e.value for e in elements if isinstance(e, Fixed))
    runs = tuple(e for e in elements if not isinstance(e, Fixed))
    if not runs and isinstance(left, Fixed):
        return Fixed(left.value in values)
    one = _always(left.value) if isinstance(left, Fixed) else left

    def run(get: Lookup) -> Any:
        value, others = one(get), [r(get) for r in runs]
        if value is UNSET or any(o is UNSET for o in others):
            return UNSET
        return value in values or value in others

    return run


def _always(value: Any) -> Run:
    return lambda _: value


def _conditional(test: Part, yes: Part, no: Part) -> Part:
    if isinstance(test, Fixed):
        return yes if test.value else no
    asked = test

    def run(get: Lookup) -> Any:
        value = asked(get)
        if value is UNSET:
            return UNSET
        branch = yes if value else no
        return branch.value if isinstance(branch, Fixed) else branch(get)

    return run
