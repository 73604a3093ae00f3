"""Conditions: CEL expressions over the names of one pack, type-checked when the pack is loaded.

What nobody has said is unknown, not false: ``on`` gives None while a name that decides is not known. Names are read
from the checked expression, so a dotted one (``talk.done``) is one name; choices, roles and the answers of questions
are constants and folded away.
Source: the pack language, section 2.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel

from complaints.procedure.checked import Call, Checked, Const, Expr, Ident, ListOf, parse, walk
from complaints.procedure.evaluating import FITS, Fixed, NotCompiled, ValueType, compiled
from complaints.procedure.model import UNSET, Lookup

KEYWORDS: Final = frozenset(
    re.findall(
        r"\w+",
        """as break const continue else false for function if import in let loop namespace null package return true var
        void while""",
    )
)
TYPE_NAMES: Final = frozenset(re.findall(r"\w+", "bool bytes double dyn int list map null_type string type uint"))
IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ORDERS: Final = ("_<_", "_<=_", "_>_", "_>=_")
COMPARISONS: Final = (*ORDERS, "_==_", "_!=_")
_ERROR: Final = re.compile(r"<input>:(\d+):(\d+): (.*)")
_TYPES: Final[Mapping[ValueType, Any]] = {
    "yes-no": cel.Type.BOOL,
    "number": cel.Type.INT,
    "text": cel.Type.STRING,
    "time": cel.Type.TIMESTAMP,
}


class Wrong(Exception):
    """A condition that cannot stand; ``column`` counts from 1, None where it is the whole of it."""

    def __init__(self, why: str, column: int | None = None) -> None:
        super().__init__(why)
        self.why, self.column = why, column


@dataclass(frozen=True, slots=True, eq=False)
class CelCondition:
    """A compiled condition.

    ``compares``: the pairs of a name and a value that it holds against each other; ``needs``: the names without which
    it is never true (``a`` and ``b.outcome`` of ``a && b.outcome == x``, none of ``a || b``); ``dates``: the instants
    of which it asks more than how they stand to another.
    """

    text: str
    refs: tuple[str, ...]
    leans: tuple[str, ...]
    on: Callable[[Lookup], bool | None]
    compares: frozenset[tuple[str, Any]]
    needs: frozenset[str]
    dates: frozenset[str]


@dataclass(frozen=True, slots=True)
class Names:
    """What the conditions of a pack may name.

    ``types``: every variable; ``constants``: bare words that stand for themselves; ``answers``: questions;
    ``values``: for the names whose values are a closed list, that list.
    """

    types: dict[str, ValueType] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
    answers: dict[str, Any] = field(default_factory=dict)
    values: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def compile(self, text: str) -> CelCondition:
        """The condition.

        Raises:
            Wrong: it does not compile, is not yes or no, or compares with a value that can never be.
        """
        known: dict[str, ValueType] = {**dict.fromkeys(self.constants, "text"), **self.types}
        known |= {name: "number" if isinstance(value, int) else "text" for name, value in self.answers.items()}
        program, checked = _environment(frozenset(known.items())).compile(text)
        self._refuse_never(checked)
        fixed = {**{name: name for name in self.constants}, **self.answers}
        used = [e.name for e in walk(checked.root) if isinstance(e, Ident)]
        refs = tuple(dict.fromkeys(name for name in used if name in self.types and name not in fixed))
        leans = tuple(dict.fromkeys(name for name in used if name in self.answers))
        try:
            on = _decide(compiled(checked.root, self.types, fixed))
        except NotCompiled:
            on = _by_cel(program, refs, self.types, {n: v for n, v in fixed.items() if n in used})
        compares, needs = frozenset(self._compares(checked.root)), _needs(checked.root) & self.types.keys()
        return CelCondition(text, refs, leans, on, compares, needs, self._dates(checked.root))

    def _possible(self, expr: Expr) -> tuple[Any, ...] | None:
        """The values that an expression can have, None where they are not a closed list."""
        match expr:
            case Const(value=value):
                return (value,)
            case Ident(name=name) if name in self.constants:
                return (name,)
            case Ident(name=name):
                return self.values.get(name)
            case _:
                return None

    def _dates(self, root: Expr) -> frozenset[str]:
        """The instants that it reads, but for those that stand beside another in a comparison."""
        instants = {name for name, kind in self.types.items() if kind == "time"}
        read = Counter(e.name for e in walk(root) if isinstance(e, Ident) and e.name in instants)
        for expr in walk(root):
            match expr:
                case Call(function=function, args=(Ident(name=left), Ident(name=right))) if (
                    function in COMPARISONS and left != right and {left, right} <= instants
                ):
                    read.subtract((left, right))
                case _:
                    pass
        return frozenset(+read)

    def _compares(self, root: Expr) -> Iterable[tuple[str, Any]]:
        ordered = [e.args for e in walk(root) if isinstance(e, Call) and e.function in ORDERS and len(e.args) == 2]
        for left, right in (*((a, b) for a, b, _ in _comparisons(root)), *ordered):
            for name, other in ((left, right), (right, left)):
                if isinstance(name, Ident) and name.name in self.types:
                    yield from ((name.name, value) for value in self._possible(other) or ())

    def _refuse_never(self, checked: Checked) -> None:
        for left, right, id_ in _comparisons(checked.root):
            column = checked.columns.get(id_)
            for one, other in ((left, right), (right, left)):
                values, others = self._possible(one), self._possible(other)
                if not isinstance(one, Ident) or one.name in self.constants or values is None:
                    continue
                if others is not None and not set(values) & set(others):
                    told = " or ".join(map(str, others))
                    raise Wrong(f"{one.name} is never {told}; it is one of {', '.join(map(str, values))}", column)
                if others is None and one.name.endswith(".outcome"):
                    raise Wrong(f"{one.name} is one of {', '.join(map(str, values))}; compare it with these", column)


def near(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` where something like the name is known."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; did you mean {found[0]}?" if found else ""


def _needs(expr: Expr) -> frozenset[str]:
    match expr:
        case Ident(name=name):
            return frozenset((name,))
        case Call(function="_&&_", args=(left, right)):
            return _needs(left) | _needs(right)
        case Call(function="_||_", args=(left, right)):
            return _needs(left) & _needs(right)
        case Call(function="_==_", args=(Ident(name=name), _)):
            return frozenset((name,)) if name.endswith(".outcome") else frozenset()
        case _:
            return frozenset()


def _comparisons(root: Expr) -> Iterable[tuple[Expr, Expr, int]]:
    """Pairs that are tested for equality, ``in`` included, with the expression where the test stands."""
    for expr in walk(root):
        match expr:
            case Call(function="_==_" | "_!=_", args=(left, right)):
                yield left, right, expr.id
            case Call(function="@in", args=(left, ListOf(elements=elements))):
                for element in elements:
                    yield left, element, element.id
            case _:
                pass


def _decide(part: Fixed | Callable[[Lookup], Any]) -> Callable[[Lookup], bool | None]:
    if isinstance(part, Fixed):
        value: bool = part.value
        return lambda _: value
    run = part

    def on(get: Lookup) -> bool | None:
        result = run(get)
        return None if result is UNSET else bool(result)

    return on


def _by_cel(
    program: Any, refs: tuple[str, ...], types: Mapping[str, ValueType], fixed: Mapping[str, Any]
) -> Callable[[Lookup], bool | None]:
    """Evaluation by CEL itself; a name that is not known is an error there, which ``||`` and ``&&`` absorb."""

    def on(get: Lookup) -> bool | None:
        data = {name: value for name in refs if FITS[types[name]](value := get(name))}
        result = program.eval(data={**fixed, **data})
        return None if result.type() != cel.Type.BOOL else bool(result.value())

    return on


class _Environment:
    """CEL with one set of variables; what it has compiled, it keeps."""

    def __init__(self, names: frozenset[tuple[str, ValueType]]) -> None:
        self.env = cel.NewEnv(variables={name: _TYPES[kind] for name, kind in names})
        self.names = [name for name, _ in names]
        self.done: dict[str, tuple[Any, Checked]] = {}

    def compile(self, text: str) -> tuple[Any, Checked]:
        if text not in self.done:
            try:
                program = self.env.compile(text)
            except RuntimeError as error:
                raise self._wrong(str(error)) from None
            if program.return_type() != cel.Type.BOOL:
                raise Wrong(f"the condition gives {str(program.return_type()).lower()}, not yes or no")
            self.done[text] = program, parse(program.serialize())
        return self.done[text]

    def _wrong(self, message: str) -> Wrong:
        found = _ERROR.search(message)
        if found is None:
            return Wrong(message.strip().splitlines()[0])
        why = found[3].replace(" (in container '')", "").strip()
        if name := re.search(r"undeclared reference to '([^']+)'", why):
            why += near(name[1], self.names)
        return Wrong(why, int(found[2]) if found[1] == "1" else None)


@lru_cache(maxsize=64)
def _environment(names: frozenset[tuple[str, ValueType]]) -> _Environment:
    return _Environment(names)
