"""Fields and tables: how the language describes its rows. The loader, the schema and the docs read them.

A field may be a reading (``{reading: X, or: [Y], because: …}``) unless it is the row's identity or quotes the text
(``fixed``), and may be silent (``not-stated``, ``soft <word>``) only where the engine knows what silence means.
Source: the pack language, sections 1 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from complaints.procedure import shapes as s
from complaints.procedure.shapes import Shape


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row: of a single value (``shape``), or of rows of their own (``row`` one, ``rows`` a list)."""

    name: str
    about: str
    shape: Shape | None = None
    row: Table | None = None
    rows: tuple[Table, ...] = ()
    required: bool = False
    fixed: bool = False
    silent: tuple[str, ...] = ()  # not-stated, soft


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of one kind of row. ``keys``: the field that names the row, or the verbs one of which does."""

    name: str
    about: str
    keys: tuple[str, ...]
    fields: tuple[Field, ...]
    unique: bool = True  # the row's name belongs to no other row of the pack

    def field(self, name: str) -> Field | None:
        """The field of that name."""
        return next((f for f in self.fields if f.name == name), None)


STATED: Final = ("not-stated",)
ANY_SILENCE: Final = ("not-stated", "soft")

CLAUSE = Field("clause", "the clause, or the clauses, that the row restates", s.CLAUSE, required=True, fixed=True)
OWN_CLAUSE = Field("clause", "a clause of its own, beside the row's", s.CLAUSE, fixed=True)
SAYS = Field("says", "the text's own words, looked up in the source; … parts pieces in that order", s.TEXT, fixed=True)
SAYS_NEEDED = Field("says", SAYS.about, s.TEXT, required=True, fixed=True)
TITLE = Field("title", "what it is called in the text", s.TEXT, fixed=True)
TITLE_NEEDED = Field("title", TITLE.about, s.TEXT, required=True, fixed=True)
EN = Field(
    "en",
    "our English translation of says, or of title where there is no says; {title, says} for both",
    s.ENGLISH,
    fixed=True,
)
NOTE = Field("note", "a remark of ours, shown with the verdict", s.TEXT, fixed=True)
WHEN = Field("when", "the row stands while this is true", s.CONDITION)
CASE = Field("case", "the kind of case it belongs to; default complaint", s.name_of("case"))
REGRADE = Field(
    "regrade",
    "what a change of its condition does to a due date: keep, carry, restart or not-stated",
    s.choice("keep", "carry", "restart"),
    silent=STATED,
)
STARTS_AS = Field("starts-as", "what holds until somebody speaks", s.SCALAR, silent=STATED)
DUTY = Field("duty", "must (default), should, if-necessary, may", s.choice("must", "should", "if-necessary", "may"))


def key(name: str, about: str, shape: Shape = s.NAME) -> Field:
    """The field that names the row."""
    return Field(name, about, shape, required=True, fixed=True)
