"""Deciding: what follows from a command, by the rows of the procedure and nothing else.

``decision`` is the order of it, ``frame`` the rows of one kind of case and what they depend on, ``sight`` what
conditions see, ``run`` one decision in progress; the rest is one module a subject.
"""

from complaints.deciding.claiming import claims, taken
from complaints.deciding.decision import decide, decided
from complaints.deciding.frame import holds_for, value_of
from complaints.deciding.run import NOTHING, Others
from complaints.deciding.running_out import next_due

__all__ = ["NOTHING", "Others", "claims", "decide", "decided", "holds_for", "next_due", "taken", "value_of"]
