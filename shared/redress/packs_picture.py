"""The path of a procedure as a Mermaid flowchart: its steps in their parts, and what leads from one to the other.

Solid arrows: after that step. Dotted ones: because of what became of it (its outcome, a limit that ran out, that it was
done at all). Thick ones: a loop back. A step that nothing of the kind leads to begins with the case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from complaints.procedure.conditions import CelCondition
from complaints.procedure.model import Condition, Part, Procedure, Step, Verb

START: Final = "received"
SHAPES: Final[dict[Verb, tuple[str, str]]] = {
    "do": ("[", "]"),
    "approve": ("{{", "}}"),
    "tell": ("[/", "/]"),
    "contact": ("[/", "/]"),
    "revisit": ("([", "])"),
    "fill": ("[[", "]]"),
    "pass": (">", "]"),
    "close": ("(((", ")))"),
    "reopen": ("((", "))"),
}
"""How each verb is drawn."""

LONGEST: Final = 24
"""So many characters of the text's own words stand in a step; the page has them all."""

STATE: Final = re.compile(r"(?P<step>[a-z][a-z0-9_]*)\.(?P<field>done|over|outcome|late|open|round|attempts)")


def picture(procedure: Procedure) -> str:
    """The flowchart, as Mermaid reads it."""
    lines = ["flowchart TD", f'  {START}(["{_quoted("受理 received")}"])']
    parts: dict[int, tuple[Part, list[Step]]] = {}
    for step in procedure.steps.values():
        parts.setdefault(id(step.part), (step.part, []))[1].append(step)
    for n, (part, steps) in enumerate(parts.values(), 1):
        lines.append(f'  subgraph part_{n}["{_quoted(_title(part))}"]')
        lines += [f"    {_node(step)}" for step in steps]
        lines.append("  end")
    for step in procedure.steps.values():
        lines += [f"  {arrow}" for arrow in _arrows(step, procedure)]
    upward = [_id(step.id) for step in procedure.steps.values() if is_escalation(step, procedure)]
    if upward:
        lines += ["  classDef upward stroke:#b00020,stroke-width:3px", f"  class {','.join(upward)} upward"]
    return "\n".join(lines) + "\n"


def is_escalation(step: Step, procedure: Procedure) -> bool:
    """Whether a step takes the case up: it says so, or hands over to a role that has a tier."""
    tiers = any(name == "next_tier" or _has_tier(name, procedure) for name in step.to)
    return step.milestone == "escalated" or (step.verb == "pass" and tiers)


def _has_tier(role: str, procedure: Procedure) -> bool:
    found = procedure.roles.get(role)
    return found is not None and found.tier is not None


def _id(name: str) -> str:
    return f"s_{name}"


def _title(part: Part) -> str:
    english = f" · {part.en}" if part.en else ""
    each = f" (for each {part.for_each})" if part.for_each else ""
    case = f" ({part.case})" if part.case != "complaint" else ""
    return f"{part.name}{english}{each}{case}"


def _node(step: Step) -> str:
    opening, closing = SHAPES[step.verb]
    by = " + ".join(" / ".join(either) for either in step.by)
    to = f" → {' / '.join(step.to)}" if step.to else ""
    limits = " / ".join(dict.fromkeys(case.limit.text for case in step.within if case.limit.numbered))
    words = [_quoted(_short(step.says)), ""] if step.says else [""]
    label = "<br/>".join([*words[:-1], _quoted(step.id), _quoted(f"{by}{to}"), *([_quoted(limits)] if limits else [])])
    return f'{_id(step.id)}{opening}"{label}"{closing}'


def _arrows(step: Step, procedure: Procedure) -> Iterator[str]:
    here, led = _id(step.id), False
    for either in step.after:
        for name in either:
            led = True
            yield f"{_id(name)} -->{_label('or') if len(either) > 1 else ''} {here}"
    for name, why in _reasons(step, procedure):
        led = True
        yield f"{_id(name)} -.->{_label(why)} {here}"
    if step.round is not None:
        led = True
        yield f"{START} -.->{_label(f'each {step.round}')} {here}"
    if not led:
        condition = step.when or step.part.when
        yield f"{START} -->{_label(_short(condition.text)) if condition is not None else ''} {here}"
    for outcome, first in step.back.items():
        yield f"{here} ==>{_label(outcome)} {_id(first)}"


def _reasons(step: Step, procedure: Procedure) -> Iterator[tuple[str, str]]:
    """The steps of which its condition asks what became of them, each with what is asked; once for each pair."""
    waited = {name for either in step.after for name in either}
    seen = set[tuple[str, str]]()
    for field, name in _asked(step.when):
        if name not in procedure.steps or name == step.id or (name in waited and field == "done"):
            continue
        outcomes = _compared(step.when, f"{name}.outcome") if field == "outcome" else []
        for why in outcomes or [field]:
            if (name, why) not in seen:
                seen.add((name, why))
                yield name, why


def _asked(condition: Condition | None) -> Iterator[tuple[str, str]]:
    for name in condition.refs if condition is not None else ():
        if found := STATE.fullmatch(name):
            yield found["field"], found["step"]


def _compared(condition: Condition | None, name: str) -> list[str]:
    pairs = condition.compares if isinstance(condition, CelCondition) else frozenset()
    return sorted(str(value) for one, value in pairs if one == name)


def _label(text: str) -> str:
    return f'|"{_quoted(text)}"|'


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _quoted(text: str) -> str:
    """A text as it may stand between quotes; what Mermaid would take for markup is written as an entity."""
    entities = {"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "|": "#124;"}
    return "".join(entities.get(letter, letter) for letter in " ".join(text.split()))
