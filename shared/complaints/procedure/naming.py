"""The names of a pack: what is declared, what a condition may say, and whether every name that is used exists.

Source: the pack language, section 2.
"""

from __future__ import annotations

from typing import Any, Final

from complaints.procedure.case_tables import VERBS
from complaints.procedure.conditions import IDENTIFIER, KEYWORDS, TYPE_NAMES, Names, near
from complaints.procedure.document import Row
from complaints.procedure.evaluating import ValueType
from complaints.procedure.fields import Table
from complaints.procedure.model import BUILT_IN_ROLES, NOBODY, OUTCOMES
from complaints.procedure.places import Refusals, plain
from complaints.procedure.shapes import NOT_STATED, Kind, is_silence

Rows = list[tuple[Row, Table]]

BUILT_IN_NAMES: Final[dict[str, ValueType]] = {
    "channel": "text",
    "owner": "text",
    "holder": "text",
    "receiver": "text",
    "case": "text",
    "received": "time",
    "closed": "yes-no",
    "arrived_closed": "yes-no",
}
ACTOR_NAMES: Final[dict[str, ValueType]] = {"actor.person": "text", "actor.role": "text"}
OF_STEP: Final[dict[str, ValueType]] = {
    "open": "yes-no",
    "done": "yes-no",
    "over": "yes-no",
    "outcome": "text",
    "attempts": "number",
    "round": "number",
    "late": "yes-no",
    "person": "text",
}
OF_CLOCK: Final = ("late", "running")
OF_ITEM: Final = ("count", "open")
FACT_TYPES: Final[dict[str, ValueType]] = {"text": "text", "yes-no": "yes-no", "number": "number", "time": "time"}
COUNTED_AS: Final = {"hours": ("elapsed", "working"), "first_day": ("next_day", "same_day")}
"""Questions that limits ask; their answers mean something to the engine."""
WORDS: Final[dict[Kind, str]] = {
    "role": "role",
    "judge": "role",
    "declared-role": "role",
    "step": "step",
    "fact": "fact",
    "form": "form",
    "item": "kind of item",
    "case": "kind of case",
    "name": "fact or decision",
    "hidden": "fact",
}


class Naming:
    """Everything that the rows of a pack declare.

    ``names`` is what conditions may say, ``actor`` the same with the person who acts; ``scope`` gives for the names
    that exist once per item its kind.
    """

    def __init__(self, root: Row, rows: Rows, refusals: Refusals) -> None:
        self.root, self.rows, self.refusals = root, rows, refusals
        self.names = Names(types=dict(BUILT_IN_NAMES))
        self.scope: dict[str, str] = {}
        self.steps: dict[str, tuple[Row, Row, str]] = {}  # its row, its part, its verb
        self.declared: dict[str, list[Row]] = {}
        self.kinds: dict[Kind, set[str]] = {}

    def declare(self) -> None:
        """Reads all declarations; refusals are collected."""
        self._unique()
        self.refusals.stop()
        for part in self.root.get("steps", []):
            for row in part["rows"]:
                verb = next(v for v in VERBS if v in row)
                self.steps[row[verb]] = (row, part, verb)
        for section in ("roles", "facts", "decisions", "questions", "cases", "items", "clocks", "forms", "other-cases"):
            self.declared[section] = list(self.root.get(section, []))
        for declare in (self._questions, self._facts, self._decisions, self._steps, self._others, self._roles):
            declare()
        self._kinds()
        self.refusals.stop()
        self.actor = Names(
            {**self.names.types, **ACTOR_NAMES}, self.names.constants, self.names.answers, self.names.values
        )

    def _unique(self) -> None:
        taken: dict[str, str] = {}
        for row, table in self.rows:
            if not table.unique or not table.keys:
                continue
            key = table.keys[0]
            name = str(row[key])
            with self.refusals.collect():
                if name in taken:
                    raise row.refusal(key, f"{name!r} is already a {taken[name]}")
                taken[name] = key
                if name in KEYWORDS or (table.name in ("facts", "decisions", "questions") and name in TYPE_NAMES):
                    raise row.refusal(key, f"{name!r} is a word of the condition language")
                spoken = BUILT_IN_ROLES | {NOBODY} if key == "role" else BUILT_IN_NAMES
                if name in spoken and not (key == "decide" and name == "owner"):
                    raise row.refusal(key, f"{name!r} is a name that the language has already")
                if key == "case" and name == "complaint":
                    raise row.refusal(key, "a complaint is a case that every pack has")

    def _questions(self) -> None:
        for row in self.declared["questions"]:
            name, answer = row["question"], row["answer"]
            with self.refusals.collect():
                if answer == NOT_STATED:
                    raise row.refusal("answer", f"desk: {name}.answer is needed: {row['asks']}")
                self.names.answers[name] = answer
                wanted = COUNTED_AS.get(name)
                if wanted is not None and answer not in wanted:
                    raise row.refusal("answer", f"limits ask the question {name}: its answer is {' or '.join(wanted)}")

    def offered(self, row: Row, offers: tuple[Any, ...]) -> None:
        """The answers that a question may have are constants in conditions."""
        values = offers or (row["answer"],)
        self.names.values[row["question"]] = values
        self.constants(row, "answer", values)

    def _facts(self) -> None:
        by_name = {row["fact"]: row for row in self.declared["facts"]}
        for name, row in by_name.items():
            kind = row.get("type", "yes-no")
            self.names.types[name] = FACT_TYPES.get(kind, "text") if isinstance(kind, str) else "text"
            if "of" in row:
                self.scope[name] = row["of"]
            choices = choices_of(row)
            if choices:
                self.names.values[name] = choices

    def _decisions(self) -> None:
        for row in self.declared["decisions"]:
            values = [r["set"] for r in row["rows"] if not takes_fact(r["set"])]
            known = [*row.get("of", []), *values]
            with self.refusals.collect():
                numbers = sum(isinstance(v, int) for v in known)
                if numbers not in (0, len(known)) or any(isinstance(v, bool) for v in known):
                    raise row.refusal("of", f"{row['decide']}: its values are all numbers or all words")
                self.names.types[row["decide"]] = "number" if known and numbers else "text"
            if len(values) == len(row["rows"]):
                self.names.values[row["decide"]] = tuple(dict.fromkeys(known))

    def _steps(self) -> None:
        for name, (row, part, verb) in self.steps.items():
            for field, kind in OF_STEP.items():
                self.names.types[f"{name}.{field}"] = kind
                if "for-each" in part:
                    self.scope[f"{name}.{field}"] = part["for-each"]
            self.names.values[f"{name}.outcome"] = tuple(row.get("outcomes", OUTCOMES[verb]))

    def _others(self) -> None:
        types = self.names.types
        types |= {f"{row['clock']}.{field}": "yes-no" for row in self.declared["clocks"] for field in OF_CLOCK}
        types |= {f"{row['item']}.{field}": "number" for row in self.declared["items"] for field in OF_ITEM}
        types |= {f"{row['form']}.complete": "yes-no" for row in self.declared["forms"]}
        types |= {row["count"]: "number" for row in self.declared["other-cases"] if "count" in row}

    def _roles(self) -> None:
        """Choices, values, outcomes, roles, channels and kinds of case are constants."""
        for row in self.declared["facts"]:
            self.constants(row, "type", choices_of(row))
        for row in self.declared["decisions"]:
            self.constants(row, "of", row.get("of", ()))
            for inner in row["rows"]:
                if not takes_fact(inner["set"]):
                    self.constants(inner, "set", (inner["set"],))
        for row in self.declared["roles"]:
            self.constants(row, "role", (row["role"],))
        self.names.constants.update(BUILT_IN_ROLES - self.names.types.keys())
        self.names.constants.add("complaint")
        for row in self.declared["cases"]:
            self.constants(row, "case", (row["case"],))
        self.names.values["case"] = ("complaint", *(row["case"] for row in self.declared["cases"]))
        for row in self.root.get("intake", []):
            self.constants(row, "channels", row.get("channels", ()))
        for row, _, verb in self.steps.values():
            if "outcomes" in row:
                self.constants(row, "outcomes", row["outcomes"])
            else:  # the language's own words give way to a fact of that name
                self.names.constants.update(o for o in OUTCOMES[verb] if o not in self.names.types)

    def constants(self, row: Row, key: str, values: Any) -> None:
        """Declares values; one that is also a fact's name is refused: nobody could tell which is meant."""
        for value in values:
            if not isinstance(value, str) or not IDENTIFIER.fullmatch(value) or value in KEYWORDS | TYPE_NAMES:
                continue
            with self.refusals.collect():
                if value in self.names.types or value in self.names.answers:
                    told = f"{value!r} is a value here, but it is also the name of a fact or decision"
                    raise row.refusal(key, told)
                self.names.constants.add(value)

    def _kinds(self) -> None:
        roles = {row["role"] for row in self.declared["roles"]}
        facts = {row["fact"] for row in self.declared["facts"]}
        self.kinds = {
            "role": roles | BUILT_IN_ROLES,
            "judge": roles | BUILT_IN_ROLES | {NOBODY},
            "declared-role": roles,
            "step": set(self.steps),
            "fact": facts,
            "form": {row["form"] for row in self.declared["forms"]},
            "item": {row["item"] for row in self.declared["items"]},
            "case": {"complaint", *(row["case"] for row in self.declared["cases"])},
            "name": set(self.names.types),
            "hidden": facts | {"complainant", "contact"},
        }

    def refer(self) -> None:
        """Refuses every reference to something that nobody declares."""
        for row, table in self.rows:
            for field in table.fields:
                value = row.get(field.name)
                shape = field.shape
                if value is None or shape is None or shape.refers is None or is_silence(value):
                    continue
                known = self.kinds[shape.refers]
                for name, item in shape.names(value):
                    if name not in known:
                        with self.refusals.collect():
                            told = f"no such {WORDS[shape.refers]}: {name}{near(name, known)}"
                            raise row.refusal(field.name, told, item=item)


def takes_fact(value: object) -> bool:
    """``set: fact responsible``."""
    return isinstance(value, str) and value.startswith("fact ")


def choices_of(row: Row) -> tuple[str, ...]:
    """The values that a fact can have; empty where the text gives no list."""
    kind = plain(row.get("type"))
    if isinstance(kind, dict):
        return tuple(dict.fromkeys(choice for choices in kind.values() for choice in choices))
    return tuple(kind) if isinstance(kind, list) else ()
