"""The universal commands: they record the one open step that has that milestone, whatever the pack calls it.

Source: the vocabulary, commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from complaints.commands import Universal, name_of
from complaints.complaint import FRESH
from complaints.deciding.frame import StepRow
from complaints.deciding.handing_over import rises
from complaints.deciding.recording import named, record
from complaints.deciding.run import Run
from complaints.errors import Rejected

MILESTONE_FOR: Final[Mapping[str, str]] = {
    "acknowledge": "acknowledged",
    "assign": "assigned",
    "resolve": "resolved",
    "revisit": "revisited",
    "escalate": "escalated",
}


def universal(run: Run, command: Universal) -> None:
    """Records that step; several open: the one that the sender's role may record."""
    name = name_of(command)
    some = [row for row in run.frame.step_rows if _carries(run, row, name)]
    if command.item is not None:
        some = [row for row in some if row.name == named(row.row, command.item)]
    opened = [row for row in some if run.state.steps.get(row.name, FRESH).state == "open"]
    mine = [row for row in opened if run.plays(row.step.by[0])] if len(opened) > 1 else opened
    if len(mine) != 1:
        candidates = [row.name for row in opened or some]
        why = f"{name}: {', '.join(candidates) or 'no step of this procedure'}"
        raise Rejected("which-step" if opened else "nothing-to-record", None, why, candidates=candidates)
    record(run, command, mine[0])


def _carries(run: Run, row: StepRow, name: str) -> bool:
    step = row.step
    if step.verb == name or (name in MILESTONE_FOR and step.milestone == MILESTONE_FOR[name]):
        return True
    return name == "escalate" and step.verb == "pass" and step.milestone is None and rises(run, step.to)
