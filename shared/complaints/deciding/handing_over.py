"""Hand-overs: to whom a case goes, and whether it rises with that; and to whom something is told.

Source: the pack language, section 2 (`pass`, `tell`, `to`).
"""

from __future__ import annotations

from typing import Any

from complaints.deciding.frame import StepRow
from complaints.deciding.run import Run
from complaints.errors import Rejected


def handed_over(run: Run, row: StepRow, wanted: str | None) -> tuple[dict[str, Any], bool]:
    """What a record of a hand-over says of it; does the case rise?

    Raises:
        Rejected: nobody, or not one, is named to whom it goes.
    """
    up, to = rises(run, row.step.to), _recipient(run, row, wanted)
    role = run.procedure.roles.get(to)
    more: dict[str, Any] = {"to": to, "holder": to, "outside": role is not None and role.outside}
    return (more | {"tier": role.tier if role is not None else None}) if up else more, up


def told_to(run: Run, row: StepRow, wanted: str | None) -> str | list[str] | None:
    """To whom something was told: everybody whom the row names, each by his own role; of alternatives the one named.

    Raises:
        Rejected: somebody else is named.
    """
    if not row.step.to:
        return None
    written = row.step.to_text
    groups = [text.split(" | ") for text in ([written] if isinstance(written, str) else written or [])]
    known = {name: n for n, group in enumerate(groups) for role in group for name in (role, _named(run, role))}
    if wanted is not None and wanted not in known:
        choices = list(dict.fromkeys(_named(run, role) for group in groups for role in group))
        raise Rejected("to-whom", row.step.clause, f"{row.name} is told to {' or '.join(choices)}", choices=choices)
    told = [
        _named(run, wanted) if wanted is not None and known[wanted] == n else " | ".join(_named(run, r) for r in group)
        for n, group in enumerate(groups)
    ]
    return told[0] if isinstance(written, str) else told


def rises(run: Run, to: tuple[str, ...]) -> bool:
    """Does one of these stand on a higher tier than the holder?"""
    mine = _tier(run, run.state.holder)
    return "next_tier" in to or any(_tier(run, role) > mine for role in to)


def _tier(run: Run, role: str) -> int:
    known = run.procedure.roles.get(role)
    return known.tier or 0 if known is not None else 0


def _recipient(run: Run, row: StepRow, to: str | None) -> str:
    choices, clause = list(row.step.to), row.step.clause
    if not choices:
        why = f"to whom {row.name} goes: the desk must set {row.row}.to"
        raise Rejected("not-stated", clause, why, place=f"{row.row}.to")
    if choices[0] == "next_tier":
        mine = _tier(run, run.state.holder)
        tiers = sorted(
            {role.tier for role in run.procedure.roles.values() if role.tier is not None and role.tier > mine}
        )
        if not tiers:
            raise Rejected("no-higher-tier", clause, f"nobody stands above {run.state.holder}")
        choices = [name for name, role in run.procedure.roles.items() if role.tier == tiers[0]]
    named = {_named(run, choice): choice for choice in choices}
    if to is not None and (to in choices or to in named):
        return _named(run, to) if to in choices else to
    if len(choices) != 1 or to is not None:
        raise Rejected("to-whom", clause, f"{row.name} goes to {' or '.join(named)}", choices=list(named))
    return _named(run, choices[0])


def _named(run: Run, role: str) -> str:
    """A role by its own name, where the procedure says owner, receiver or holder."""
    match role:
        case "owner":
            return str(run.state.decided.get("owner", "owner"))
        case "receiver":
            return run.state.receiver
        case "holder":
            return run.state.holder
        case _:
            return role
