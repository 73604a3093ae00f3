"""Steps, clocks and the duties of the desk, from their rows. What contradicts itself inside one row is refused here."""

from __future__ import annotations

from datetime import date
from typing import Any, Final, Literal, get_args

from complaints.cycles import MONTHS
from complaints.procedure import model as m
from complaints.procedure.building import alternatives, english, needed
from complaints.procedure.document import Row
from complaints.procedure.places import plain
from complaints.procedure.rows import Sections
from complaints.procedure.shapes import DAYS_OF_WEEK, NOT_STATED, is_silence

MeasureKind = Literal["count", "rate", "on-time", "list"]
MEASURE_KINDS: Final[tuple[MeasureKind, ...]] = get_args(MeasureKind)
VERBS: Final[tuple[m.Verb, ...]] = get_args(m.Verb)
A_LIMIT: Final = ("within", "repeats")
NEEDS: Final = (
    ("pause", A_LIMIT, "pause is about a limit"),
    ("extend", A_LIMIT, "extend is about a limit"),
    ("regrade", A_LIMIT, "regrade is about a limit"),
    ("from", (*A_LIMIT, "wait"), "from is where a limit or a wait begins"),
    ("complete", ("form",), "complete asks for a form"),
)
"""A field, those of which one must stand beside it, and why."""


class Steps(Sections):
    """Parts, steps, clocks and duties."""

    def steps(self) -> dict[str, m.Step]:
        made: dict[str, m.Step] = {}
        for part_row in self.rows("steps"):
            with self.refusals.collect():
                part = m.Part(
                    name=part_row["part"],
                    clause=part_row.clause,
                    when=self.condition(part_row, "when", item=part_row.get("for-each")),
                    case=part_row.get("case", "complaint"),
                    for_each=part_row.get("for-each"),
                    en=part_row.get("en"),
                )
                for row in part_row["rows"]:
                    with self.refusals.collect():
                        step = self.step(row, part, len(made))
                        made[step.id] = step
        return made

    def step(self, row: Row, part: m.Part, index: int) -> m.Step:
        """A step."""
        verb: m.Verb = next(v for v in VERBS if v in row)
        name, item = str(row[verb]), part.for_each
        self.refuse_contradictions(row, name, verb, item)
        self.refuse_unsaid(row, "records")
        outcomes = tuple(row.get("outcomes", m.OUTCOMES[verb]))
        back = plain(row.get("back", {}))
        for outcome in back:
            if outcome not in outcomes:
                raise row.refusal("back", f"{name} has no outcome {outcome}; it has {', '.join(outcomes)}")
        within = self.within(row, item)
        repeats = self.limit(row, "repeats", item=item) if "repeats" in row else None
        if repeats is not None and repeats.numbered and not within:
            within = (m.LimitCase(when=None, limit=repeats, clause=None, place=f"{name}.repeats"),)
        wait = self.limit(row, "wait", item=item) if "wait" in row else None
        return m.Step(
            id=name,
            verb=verb,
            index=index,
            part=part,
            clause=row.clause,
            says=row.get("says"),
            en=english(row)[0],
            note=row.get("note"),
            by=needed(row["by"]),
            by_text=plain(row["by"]),
            to=alternatives(row.get("to")),
            to_text=plain(row.get("to")),
            when=self.condition(row, "when", item=item),
            after=needed(row.get("after")),
            duty=row.get("duty", "must"),
            wait=wait if wait is not None and wait.numbered else None,  # a word alone keeps nothing waiting
            within=within,
            from_=self.start(row, item=item),
            pause=self.condition(row, "pause", item=item),
            extend=self.extension(row, item),
            regrade=row.get("regrade"),
            records=tuple(row.get("records", ())),
            form=row.get("form"),
            complete=row.get("complete", False),
            outcomes=outcomes,
            back=back,
            repeats=repeats,
            people=row.get("people", 1),
            round=row.get("round"),
            leaves=tuple(row.get("leaves", ())),
            milestone=row.get("milestone"),
            medium=tuple(row.get("medium", ())),
        )

    def refuse_contradictions(self, row: Row, name: str, verb: str, item: str | None) -> None:
        """Fields of one step that cannot stand together, or beside its verb."""
        for key, needs, why in NEEDS:
            if key in row and not any(need in row for need in needs):
                raise row.refusal_of_key(key, f"{name}: {why}, and there is none")
        if "leaves" in row and verb != "close":
            raise row.refusal_of_key("leaves", "leaves names steps, on a close")
        if verb == "pass" and "to" not in row:
            raise row.refusal(verb, f"{name}: a hand-over says to whom (to)")
        if "next_tier" in alternatives(row["by"]):
            raise row.refusal("by", f"{name}: the next tier is somebody to hand over to, not somebody who acts")
        self.refuse_outcomes(row, name, verb)
        for key, targets in (("after", alternatives(row.get("after"))), ("back", row.get("back", {}).values())):
            for target in targets:
                kind = self.naming.steps[target][1].get("for-each")
                if kind not in (None, item):
                    raise row.refusal(key, f"{target} belongs to each {kind}; ask for {kind}.open or {kind}.count")

    def refuse_outcomes(self, row: Row, name: str, verb: str) -> None:
        """Own words for outcomes that are not different, or of which the good one would end nothing."""
        outcomes = row.get("outcomes", ())
        if len(set(outcomes)) < len(outcomes):
            raise row.refusal("outcomes", f"{name}: an outcome stands here twice")
        if verb == "contact" and outcomes and outcomes[0] == "not_reached":
            raise row.refusal("outcomes", f"{name}: the first outcome is the good one, and not_reached leaves it open")

    def within(self, row: Row, item: str | None) -> tuple[m.LimitCase, ...]:
        """The limit: one, or a list of cases."""
        if "within" not in row:
            return ()
        if not isinstance(row["within"], list):
            limit = self.limit(row, "within", item=item)
            return (m.LimitCase(when=None, limit=limit, clause=None, place=f"{row.place}.within"),)
        cases = []
        for n, inner in enumerate(row["within"]):
            if "when" not in inner and n < len(row["within"]) - 1:
                told = "a case without condition is the remainder and stands last; those after it are never reached"
                raise inner.refusal("is", told)
            cases.append(
                m.LimitCase(
                    when=self.condition(inner, "when", item=item),
                    limit=self.limit(inner, "is", item=item),
                    clause=inner.clause if "clause" in inner else None,
                    place=f"{inner.place}.is",
                )
            )
        return tuple(cases)

    def extension(self, row: Row, item: str | None) -> m.Extension | None:
        """More time."""
        inner = row.get("extend")
        if not isinstance(inner, Row):
            return None
        return m.Extension(
            to=self.limit(inner, "to", item=item),
            when=self.must(inner, "when", item=item),
            clause=inner.clause,
        )

    def clocks(self) -> dict[str, m.ClockRow]:
        made = {}
        for row in self.rows("clocks"):
            with self.refusals.collect():
                if "from" not in row and "start" not in row:
                    raise row.refusal("clock", f"{row['clock']} needs 'from' or 'start': nothing says when it begins")
                made[row["clock"]] = m.ClockRow(
                    name=row["clock"],
                    clause=row.clause,
                    says=row.get("says"),
                    en=english(row)[0],
                    from_=self.start(row),
                    within=m.LimitCase(
                        when=None, limit=self.limit(row, "within"), clause=None, place=f"{row['clock']}.within"
                    ),
                    start=self.condition(row, "start"),
                    stop=self.condition(row, "stop"),
                    cancel=self.condition(row, "cancel"),
                    pause=self.condition(row, "pause"),
                    regrade=row.get("regrade"),
                    case=row.get("case", "complaint"),
                )
        return made

    # --- the desk ---
    def duties(self) -> dict[str, m.DutyRow]:
        made = {}
        for row in self.rows("desk"):
            with self.refusals.collect():
                made[row["owe"]] = self.duty(row)
        self.rounds()
        return made

    def duty(self, row: Row) -> m.DutyRow:
        """What the desk owes."""
        every, day, report = row["every"], row.get("day", NOT_STATED), row.get("report", ())
        self.refuse_schedule(row, every, day)
        if "covers" in row and "report" not in row:
            raise row.refusal_of_key("covers", "covers is the window of a report; there is none")
        if ("cases" in row) != ("each" in row):
            raise row.refusal("owe", f"{row['owe']}: a round names its cases and the step that it opens in each")
        sample = row.get("sample")
        silent = is_silence(report)
        return m.DutyRow(
            owe=row["owe"],
            clause=row.clause,
            says=row.get("says"),
            en=english(row)[0],
            every=every,
            day=str(day),
            time=None if is_silence(row.get("time")) else row.get("time"),
            by=alternatives(row["by"]),
            to=alternatives(row.get("to")),
            duty=row.get("duty", "must"),
            holiday=row.get("holiday", NOT_STATED),
            covers=row.get("covers", NOT_STATED),
            cases=self.condition(row, "cases"),
            each=row.get("each"),
            report=() if silent else tuple(self.measure(inner) for inner in report),
            report_text=report if silent else None,
            sample_size=self.size(sample),
            sample_include=self.condition(sample, "include") if isinstance(sample, Row) else None,
            has_sample=isinstance(sample, Row),
            starting=self.starting(row),
        )

    @staticmethod
    def starting(row: Row) -> date | None:
        """From when on periods of a duty begin."""
        if "starting" not in row:
            return None
        if not is_silence(row["every"]) and row["every"] == "always":
            raise row.refusal("starting", f"{row['owe']} is owed always: no period of it begins")
        try:
            return date.fromisoformat(row["starting"])
        except ValueError:
            raise row.refusal("starting", f"there is no day {row['starting']}") from None

    def refuse_schedule(self, row: Row, every: str, day: Any) -> None:
        """``day`` fits ``every``; a holiday moves a day only."""
        stated = not is_silence(day)
        if stated and every == "week" and day not in DAYS_OF_WEEK:
            raise row.refusal("day", f"of a week the day is {', '.join(DAYS_OF_WEEK)}, not {day}")
        if stated and every in MONTHS and not isinstance(day, int):
            raise row.refusal("day", f"of a {every} the day is a number, not {day}")
        if stated and every not in ("week", *MONTHS):
            raise row.refusal("day", f"{row['owe']} is owed every {every}: there is no day to choose")

    @staticmethod
    def size(sample: Any) -> int | None:
        """How many are drawn, None where the text does not say."""
        return sample["size"] if isinstance(sample, Row) and isinstance(sample["size"], int) else None

    def measure(self, row: Row) -> m.Measure:
        """A figure of a report."""
        kind: MeasureKind = next(k for k in MEASURE_KINDS if k in row)
        if kind == "on-time" and row[kind] not in {"all", *self.naming.steps}:
            raise row.refusal(kind, f"no such step: {row[kind]}; a step, or all")
        case = row.get("case", "complaint")
        if kind == "on-time" and row[kind] != "all":
            of = self.naming.steps[row[kind]][1].get("case", "complaint")
            if of != case:
                raise row.refusal(kind, f"{row[kind]} is a step of each {of}, and the figure is about each {case}")
        return m.Measure(
            kind=kind,
            what=row[kind],
            of=row.get("of"),
            by=row.get("by"),
            where=self.condition(row, "where"),
            shows=tuple(row.get("shows", ())),
            row={key: value for key, value in plain(row).items() if key != "clause"},
            case=case,
        )

    def rounds(self) -> None:
        """A round and the step that it opens name each other."""
        duties = {row["owe"]: row for row in self.rows("desk")}
        for name, (row, part, _) in self.naming.steps.items():
            opener = row.get("round")
            if opener is not None:
                with self.refusals.collect():
                    if opener not in duties:
                        raise row.refusal("round", f"no such round of the desk: {opener}")
                    if duties[opener].get("each") != name:
                        raise row.refusal(
                            "round", f"{opener} opens {duties[opener].get('each', 'no step')}, not {name}"
                        )
                    for key in ("wait", "within"):
                        if key in row:
                            raise row.refusal_of_key(key, f"{name}: its round opens it, and its period is its limit")
                    if "for-each" in part:
                        raise row.refusal(
                            "round", f"{name} belongs to each {part['for-each']}; a round opens steps of cases"
                        )
        for owe, duty in duties.items():
            if "each" in duty and self.naming.steps[duty["each"]][0].get("round") != owe:
                with self.refusals.collect():
                    raise duty.refusal("each", f"{duty['each']} does not say round: {owe}; it would open by itself too")
