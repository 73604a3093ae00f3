"""The sections of a pack file, each with the tables of its rows."""

from __future__ import annotations

from typing import Final

from complaints.procedure import case_tables as c
from complaints.procedure import desk_tables as d
from complaints.procedure import shapes as s
from complaints.procedure.fields import CLAUSE, EN, NOTE, SAYS, SAYS_NEEDED, STATED, TITLE_NEEDED, Field, Table

GUIDANCE = Table(
    "guidance",
    "advice that nothing executes; it is shown where it belongs",
    (),
    (CLAUSE, Field("at", "a step, intake, decisions or pack", s.NAME, required=True, fixed=True), SAYS_NEEDED, EN),
)
NOTES = Table(
    "notes",
    "contradictions and gaps of the text, shown among the verdicts",
    (),
    (CLAUSE, Field("issue", "what is open or contradictory", s.TEXT, required=True, fixed=True)),
)
IN_FORCE = Table(
    "in-force",
    "from when the procedure is in force",
    (),
    (CLAUSE, Field("from", "from when", s.TEXT, required=True, fixed=True), SAYS, EN),
)
AMENDED_BY = Table(
    "amended-by",
    "who amends and explains it",
    (),
    (CLAUSE, Field("by", "who", s.either_of("role"), required=True), SAYS, EN),
)
PACK = Table(
    "pack",
    "which procedure it is",
    (),
    (
        Field("id", "its name for ever", s.PACK_ID, required=True, fixed=True),
        Field("version", "counts up; a published version is never edited", s.COUNT, required=True, fixed=True),
        TITLE_NEEDED,
        Field("en", "our English translation of its title", s.TEXT, fixed=True),
        Field("lang", "the language of the text: zh, if it says none, or en", s.choice("zh", "en"), fixed=True),
        Field("must-answer", "places that a desk answers before it opens", s.PLACES, fixed=True),
        Field("source", "the file that holds the text", s.TEXT, fixed=True),
        Field("in-force", IN_FORCE.about, row=IN_FORCE, silent=STATED),
        Field("amended-by", AMENDED_BY.about, row=AMENDED_BY, silent=STATED),
        NOTE,
    ),
)
MILESTONE_ANSWERS = Table(
    "milestones",
    "the milestones of which the text says nothing",
    (),
    tuple(
        Field(name, f"no step is {name}", s.choice("not-stated"), silent=STATED)
        for name in ("acknowledged", "assigned", "resolved")
    ),
)

ONE_ROW: Final = {"pack": PACK, "milestones": MILESTONE_ANSWERS}
SECTIONS: Final[dict[str, tuple[Table, ...]]] = {
    "questions": (c.QUESTIONS,),
    "roles": (c.ROLES,),
    "cases": (c.CASES,),
    "items": (c.ITEMS,),
    "facts": (c.FACTS,),
    "intake": (c.INTAKE,),
    "decisions": (c.DECISIONS,),
    "clocks": (c.CLOCKS,),
    "steps": (c.PARTS,),
    "holds": (c.HOLDS,),
    "access": (c.ACCESS,),
    "other-cases": (c.COUNTS, c.LINKS, c.UNIQUES),
    "forms": (c.FORMS,),
    "desk": (d.DESK,),
    "retention": (d.RETENTION,),
    "guidance": (GUIDANCE,),
    "notes": (NOTES,),
}
"""Every section that is a list of rows; ``ONE_ROW`` holds the two that are a single row."""
