"""The rows that say how a case goes: questions, roles, facts, intake, decisions, clocks, steps, holds, access, forms.

Source: the pack language, sections 1 to 6.
"""

from __future__ import annotations

from typing import Final

from complaints.procedure import shapes as s
from complaints.procedure.fields import (
    ANY_SILENCE,
    CASE,
    CLAUSE,
    DUTY,
    EN,
    NOTE,
    OWN_CLAUSE,
    REGRADE,
    SAYS,
    STARTS_AS,
    STATED,
    TITLE,
    TITLE_NEEDED,
    WHEN,
    Field,
    Table,
    key,
)
from complaints.procedure.model import MILESTONES, OUTCOMES

VERBS: Final = tuple(OUTCOMES)

QUESTIONS = Table(
    "questions",
    "real questions about the text; the answer is a constant in conditions",
    ("question",),
    (
        key("question", "its name"),
        CLAUSE,
        Field("asks", "the question", s.TEXT, required=True, fixed=True),
        Field(
            "answer",
            "our reading; not-stated must be answered by the desk before it opens",
            s.SCALAR,
            required=True,
            silent=STATED,
        ),
        NOTE,
    ),
)
ROLES = Table(
    "roles",
    "who may owe or do something",
    ("role",),
    (
        key("role", "its name"),
        TITLE_NEEDED,
        CLAUSE,
        EN,
        Field("tier", "its tier; a hand-over to a higher one is an escalation", s.TIER),
        Field("outside", "outside the organisation", s.FLAG),
        NOTE,
    ),
)
CASES = Table(
    "cases",
    "kinds of case that are no complaints",
    ("case",),
    (
        key("case", "its name"),
        CLAUSE,
        TITLE_NEEDED,
        SAYS,
        EN,
        Field("opened-by", "who opens one", s.either_of("role"), required=True),
        NOTE,
    ),
)
ITEMS = Table(
    "items",
    "things inside a case that have steps of their own",
    ("item",),
    (
        key("item", "its name"),
        CLAUSE,
        TITLE_NEEDED,
        SAYS,
        EN,
        Field("added-by", "who adds one", s.either_of("role"), required=True),
        NOTE,
    ),
)
FACTS = Table(
    "facts",
    "what can be known of a case",
    ("fact",),
    (
        key("fact", "its name"),
        CLAUSE,
        TITLE,
        SAYS,
        EN,
        Field("type", "default yes-no", s.TYPE, silent=("choices not-stated",)),
        Field("by", "only these roles set it; nobody: its starting value holds in every case", s.either_of("judge")),
        Field("personal", "sealed when it is stored", s.FLAG),
        Field("means", "a condition with a name", s.CONDITION),
        STARTS_AS,
        Field("of", "the kind of item it belongs to", s.name_of("item")),
        Field("under", "the fact on whose value the choices depend", s.name_of("fact")),
        Field(
            "within",
            "with from and until: whether one instant lies within this time of another",
            s.LIMIT,
            silent=STATED,
        ),
        Field("from", "a fact of type time, or received", s.NAME),
        Field("until", "a fact of type time, or received", s.NAME),
        NOTE,
    ),
)
INTAKE = Table(
    "intake",
    "the channels, who may receive, what is asked",
    (),
    (
        CLAUSE,
        SAYS,
        EN,
        Field("channels", "the channels; any: each one; other: each one that no row names", s.CHANNELS),
        Field("by", "who may receive on them; nobody named: anyone", s.either_of("role")),
        Field("asks", "the facts asked; an unanswered one blocks nothing and stays owed", s.names_of("fact")),
        Field("when", "asked only when this is true", s.CONDITION),
        CASE,
        NOTE,
    ),
)
DECISION_ROW = Table(
    "decisions",
    "a row of a decision table",
    (),
    (
        Field("set", "the value; 'fact name' takes a fact's", s.SCALAR, required=True, fixed=True),
        CLAUSE,
        Field("when", "the first true row wins; a last row without it is the remainder", s.CONDITION),
        SAYS,
        EN,
        NOTE,
    ),
)
DECISIONS = Table(
    "decisions",
    "what the engine decides: grade, owner, path, …",
    ("decide",),
    (
        key("decide", "its name"),
        Field("of", "the values, the most serious first", s.VALUES),
        Field(
            "falls",
            "whether a later result may be less serious; with never and not-stated the engine only raises",
            s.choice("yes", "never"),
            silent=STATED,
        ),
        CASE,
        Field("judged-by", "who may judge it, or nobody; default owner, holder, receiver", s.either_of("judge")),
        Field("rows", "in the order in which they are asked", rows=(DECISION_ROW,), required=True),
        NOTE,
    ),
)
CLOCKS = Table(
    "clocks",
    "limits that no step stops; nobody is in breach when one runs out",
    ("clock",),
    (
        key("clock", "its name"),
        CLAUSE,
        SAYS,
        EN,
        Field("from", "received, a step, a step with .over, or fact and a fact: from when it counts", s.FROM),
        Field("start", "it starts when this becomes true", s.CONDITION),
        Field("within", "the limit", s.LIMIT, required=True, silent=ANY_SILENCE),
        Field("pause", "it stands while this is true", s.CONDITION),
        Field("stop", "it stops when this becomes true", s.CONDITION),
        Field("cancel", "it is called off when this becomes true", s.CONDITION),
        REGRADE,
        CASE,
        NOTE,
    ),
)
LIMIT_CASE = Table(
    "within",
    "one case of a limit; the first whose condition is true counts",
    (),
    (
        Field("is", "the limit", s.LIMIT, required=True, silent=ANY_SILENCE),
        Field("when", "the case; without it: the remainder", s.CONDITION),
        OWN_CLAUSE,
        SAYS,
        EN,
        NOTE,
    ),
)
EXTENSION = Table(
    "extend",
    "more time, asked once, of the due instant as it was",
    (),
    (
        Field("to", "the longer limit, counted from the same start", s.LIMIT, required=True, silent=STATED),
        Field("when", "what must be true at the due instant", s.CONDITION, required=True),
        OWN_CLAUSE,
        SAYS,
        EN,
        NOTE,
    ),
)
STEP_FIELDS: Final = (
    CLAUSE,
    SAYS,
    EN,
    NOTE,
    Field("by", "who owes it: a | b either; [a, b] each must record", s.all_of("role"), required=True),
    Field("people", "so many different persons", s.COUNT),
    Field(
        "to",
        "whom it goes to; next_tier: the roles of the next tier above the holder's",
        s.all_of("role"),
        silent=STATED,
    ),
    DUTY,
    WHEN,
    Field("after", "waits for the good end of these: [a, b] both, a | b either", s.all_of("step")),
    Field("wait", "not before", s.LIMIT, silent=ANY_SILENCE),
    Field("within", "the limit, or a list of cases", s.LIMIT, rows=(LIMIT_CASE,), silent=ANY_SILENCE),
    Field("from", "received, a step, a step with .over, or fact and a fact: from when it counts", s.FROM),
    Field("pause", "the clock stands while this is true", s.CONDITION),
    Field("extend", EXTENSION.about, row=EXTENSION),
    REGRADE,
    Field("records", "facts that must be known before it counts", s.names_of("fact")),
    Field("form", "the form or register that it fills", s.name_of("form")),
    Field("complete", "all fields of the form must be known", s.FLAG),
    Field("medium", "by one of these media only", s.MEDIA),
    Field("outcomes", "own words; the first is the good one", s.OUTCOMES),
    Field("back", "the loop: that outcome opens that step again, and whatever comes after it", s.BACK),
    Field("repeats", "may be recorded again and again: the interval, or not-stated", s.LIMIT, silent=STATED),
    Field("round", "opened by that round of the desk", s.NAME),
    Field("leaves", "on a close: the musts that this way of closing makes needless", s.names_of("step")),
    Field("milestone", "the good record is this event", s.choice(*MILESTONES)),
)
STEPS: Final = tuple(
    Table("steps", f"a step of the verb {verb}", (verb,), (key(verb, "its name"), *STEP_FIELDS)) for verb in VERBS
)
PARTS = Table(
    "steps",
    "a group of steps",
    ("part",),
    (
        key("part", "what it is called", s.TEXT),
        Field("en", "our English translation of its name", s.TEXT, fixed=True),
        OWN_CLAUSE,
        Field("when", "joined to the condition of each of its rows", s.CONDITION),
        CASE,
        Field("for-each", "its steps exist once for each item of this kind", s.name_of("item")),
        Field("rows", "its steps, in the order of the text", rows=STEPS, required=True),
        NOTE,
    ),
    unique=False,
)
HOLDS = Table(
    "holds",
    "steps that are refused until something has happened",
    ("hold",),
    (
        key("hold", "its name"),
        CLAUSE,
        SAYS,
        EN,
        WHEN,
        Field("forbids", "the steps that are refused", s.names_of("step"), required=True),
        Field("until", "what lifts it", s.CONDITION, required=True),
        NOTE,
    ),
)
ACCESS = Table(
    "access",
    "who may, or may not, do a step or see a fact",
    ("bar",),
    (
        key("bar", "its name"),
        CLAUSE,
        SAYS,
        EN,
        Field("may", "the steps that it is about", s.names_of("step")),
        Field("only", "the roles that may", s.names_of("declared-role")),
        Field("never", "the roles that may not", s.names_of("declared-role")),
        Field("hide", "the facts, or complainant, that are hidden", s.names_of("hidden")),
        Field("from", "the roles from which they are hidden", s.names_of("declared-role")),
        Field("when", "it bars while this is true; actor.person and actor.role are known here", s.CONDITION),
        NOTE,
    ),
)
COUNTS = Table(
    "other-cases",
    "how many cases share a fact; routing counts",
    ("count",),
    (
        key("count", "its name"),
        CLAUSE,
        SAYS,
        EN,
        Field("same", "the fact that they share", s.name_of("fact"), required=True),
        Field("within", "the fullest window of that length that holds this case", s.LIMIT, silent=STATED),
        Field(
            "of", "what is counted", s.choice("complainants", "complaints", "complaints-after-closing"), required=True
        ),
        STARTS_AS,
        NOTE,
    ),
)
LINKS = Table(
    "other-cases",
    "when an earlier case may be taken up again",
    ("link",),
    (
        key("link", "its name"),
        CLAUSE,
        SAYS,
        EN,
        Field("when", "asked of the earlier case", s.CONDITION),
        Field("attaches", "the form of the earlier case that goes with it", s.name_of("form")),
        Field("to", "whom it is offered to", s.either_of("role")),
        NOTE,
    ),
)
UNIQUES = Table(
    "other-cases",
    "a fact that no two complaints share",
    ("unique",),
    (key("unique", "its name"), CLAUSE, SAYS, EN, Field("same", "that fact", s.name_of("fact"), required=True), NOTE),
)
FORMS = Table(
    "forms",
    "forms and registers",
    ("form",),
    (
        key("form", "its name"),
        CLAUSE,
        TITLE_NEEDED,
        SAYS,
        EN,
        Field("fields", "the facts on it", s.names_of("fact"), required=True, silent=STATED),
        Field("number", "the fact that is its number, unique in the desk", s.name_of("fact")),
        Field("register", "a register", s.FLAG),
        NOTE,
    ),
)
