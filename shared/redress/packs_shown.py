"""A pack as a process owner reads it: one row, one sentence, with its clause and the text's own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from complaints.events import Clause
from complaints.procedure.model import (
    OUTCOMES,
    UNSET,
    Bar,
    ClockRow,
    Count,
    DutyRow,
    Fact,
    Form,
    Hold,
    IntakeRow,
    Kind,
    LimitCase,
    LinkRule,
    Measure,
    Procedure,
    Row,
    Step,
    Table,
)

Shown = dict[str, Any]
DUTIES = {"must": "", "should": "should ", "if-necessary": "if necessary, ", "may": "may "}


def rows_of(procedure: Procedure) -> Iterator[Shown]:
    """Every row that says what happens, in the order of the sections; ``text`` is the line that is printed."""
    en = f" ({procedure.en})" if procedure.en else ""
    yield _shown("pack", procedure.id, None, f"{procedure.title}{en}, version {procedure.version}")
    for rule in ("pack.in-force", "pack.amended-by"):
        for citation in (c for c in procedure.citations if c.rule == rule):
            yield _shown("pack", rule, citation.clause, "said", says=citation.says)
    for question in procedure.asks.values():
        yield _shown("questions", question.name, question.clause, f"{question.asks} {question.answer}")
    yield from _people_and_channels(procedure)
    for table in procedure.tables:
        yield _shown("decisions", table.decide, None, _table(table))
        for row in table.rows:
            yield _shown("decisions", row.place, row.clause, decided(table, row), says=row.says, en=row.en)
    for clock in procedure.clocks.values():
        yield _shown("clocks", clock.name, clock.clause, _clock(clock), says=clock.says, en=clock.en)
    yield from _steps(procedure)
    for hold in procedure.holds:
        yield _shown("holds", hold.name, hold.clause, _hold(hold), says=hold.says, en=hold.en)
    for bar in procedure.access:
        yield _shown("access", bar.name, bar.clause, _bar(bar), says=bar.says, en=bar.en)
    yield from _beside(procedure)
    for clause, issue in procedure.notes:
        yield _shown("notes", "note", clause, issue)


def _beside(procedure: Procedure) -> Iterator[Shown]:
    """What stands beside the case itself; the words of these rows are those of their citations."""
    said = {citation.rule: citation.says for citation in procedure.citations}

    def quoted(section: str, rule: str, clause: Clause, what: str) -> Shown:
        says = said.get(rule)
        return _shown(section, rule, clause, what, says=says, en=procedure.english.get(says or ""))

    for count in procedure.counts.values():
        yield quoted("other-cases", count.name, count.clause, _count(count))
    for link in procedure.links.values():
        yield quoted("other-cases", link.name, link.clause, _link(link))
    for unique in procedure.uniques.values():
        yield quoted("other-cases", unique.name, unique.clause, f"no two complaints have the same {unique.same}")
    for form in procedure.forms.values():
        yield _shown("forms", form.name, form.clause, _form(form), says=_both(form.title, form.says), en=_ours(form))
    for duty in procedure.desk.values():
        yield _shown("desk", duty.owe, duty.clause, _duty(duty), says=duty.says, en=duty.en)
        for n, measure in enumerate(duty.report, 1):
            yield _shown("desk", f"{duty.owe}.report.{n}", duty.clause, f"reports {_measure(measure)}")
    for keep in procedure.retention:
        by = f" by {keep.by}" if keep.by else ""
        since = f" from {keep.from_}" if keep.from_ else ""
        of = f", of each {keep.case}" if keep.case else ""
        when = f", when {keep.when.text}" if keep.when else ""
        yield quoted("retention", keep.name, keep.clause, f"kept for {keep.for_.text}{since}{by}{of}{when}")
    for advice in (c for c in procedure.citations if c.section == "guidance"):
        en = procedure.english.get(advice.says or "")
        what = f"shown at {advice.at}"
        yield _shown("guidance", advice.rule, advice.clause, what, says=advice.says, en=en)


def _people_and_channels(procedure: Procedure) -> Iterator[Shown]:
    for role in procedure.roles.values():
        tier = f", tier {role.tier}" if role.tier is not None else ""
        outside = ", outside the organisation" if role.outside else ""
        yield _shown("roles", role.name, role.clause, f"{role.title}{tier}{outside}", en=role.en)
    for fact in procedure.facts.values():
        yield _shown("facts", fact.name, fact.clause, _fact(fact), says=_both(fact.title, fact.says), en=_ours(fact))
    for section, kinds, verb in (("cases", procedure.kinds, "opened"), ("items", procedure.items, "added")):
        for kind in kinds.values():
            what = f"{verb} by {_any(kind.by)}"
            yield _shown(section, kind.name, kind.clause, what, says=_both(kind.title, kind.says), en=_ours(kind))
    for n, row in enumerate(procedure.intake, 1):
        yield _shown("intake", f"intake.{n}", row.clause, _intake(row), says=row.says, en=row.en)


def _steps(procedure: Procedure) -> Iterator[Shown]:
    part = None
    for step in procedure.steps.values():
        if step.part is not part:
            part = step.part
            when = f"while {part.when.text}" if part.when is not None else "always"
            each = f", for each {part.for_each}" if part.for_each else ""
            case = f", in a {part.case}" if part.case != "complaint" else ""
            yield _shown("part", part.name, part.clause, f"{when}{each}{case}", en=part.en)
        yield _shown("steps", step.id, step.clause, _step(step), says=step.says, en=step.en)
        yield from _own_words(procedure, step)


def _own_words(procedure: Procedure, step: Step) -> Iterator[Shown]:
    """The cases of a limit, and its extension, that have a clause of their own."""
    cited = {citation.rule: citation for citation in procedure.citations}
    told = {case.place.removesuffix(".is"): _limit(case) for case in step.within}
    if step.extend is not None:
        told[f"{step.id}.extend"] = f"{step.extend.to.text} when {step.extend.when.text}"
    for place, what in told.items():
        if (citation := cited.get(place)) is not None:
            en = procedure.english.get(citation.says or "")
            yield _shown("steps", place, citation.clause, what, says=citation.says, en=en)


def _shown(
    section: str, rule: str, clause: Clause, what: str, *, says: str | None = None, en: str | None = None
) -> Shown:
    cited = clause if isinstance(clause, str) else ", ".join(clause or [])
    quoted = f"\n      {says}" if says else ""
    ours = f"\n      [our translation] {en}" if en else ""
    text = f"{rule}: {what}  [{cited}]{quoted}{ours}" if cited else f"{rule}: {what}{quoted}{ours}"
    return {"section": section, "rule": rule, "clause": clause, "what": what, "says": says, "en": en, "text": text}


def _both(title: str | None, says: str | None) -> str | None:
    return " — ".join(text for text in (title, says) if text) or None


def _ours(row: Fact | Form | Kind) -> str | None:
    """Our translation of a title and of the words beside it."""
    return _both(row.en_title, row.en)


def _any(names: Iterable[str]) -> str:
    return " or ".join(names)


def _intake(row: IntakeRow) -> str:
    parts = [f"channels {', '.join(row.channels)}"] if row.channels else []
    parts += [f"received by {_any(row.by)}"] if row.by else []
    parts += [f"asks {', '.join(row.asks)}"] if row.asks else []
    parts += [f"when {row.when.text}"] if row.when is not None else []
    return "; ".join(parts)


def _table(table: Table) -> str:
    values = f"{', '.join(map(str, table.of))}, the first the most serious" if table.of else "values without order"
    falls = {"yes": "may fall", "never": "only a person lowers it", "not-stated": "falls: not stated, so it only rises"}
    judged = f"judged by {_any(table.judged_by)}" if table.judged_by else "judged by nobody"
    return "; ".join([values, *([falls[table.falls]] if table.of else []), judged])


def decided(table: Table, row: Row) -> str:
    """What a row of a table decides, and when."""
    value = f"the fact {row.fact}" if row.fact else str(row.set)
    return f"{table.decide} is {value} " + (f"when {row.when.text}" if row.when is not None else "otherwise")


def _limit(case: LimitCase) -> str:
    return f"within {case.limit.text}" + (f" when {case.when.text}" if case.when is not None else "")


def _clock(clock: ClockRow) -> str:
    parts = [f"{clock.within.limit.text} from {clock.from_ or 'its start'}"]
    for name, condition in (
        ("starts", clock.start),
        ("pauses", clock.pause),
        ("stops", clock.stop),
        ("off", clock.cancel),
    ):
        parts += [f"{name} when {condition.text}"] if condition is not None else []
    return "; ".join(parts)


def _step(step: Step) -> str:
    by = " and ".join(_any(either) for either in step.by)
    parts = [f"{by} {DUTIES[step.duty]}{step.verb}" + (f" to {_any(step.to)}" if step.to else "")]
    parts += [f"when {step.when.text}"] if step.when is not None else []
    parts += [f"after {' and '.join(_any(either) for either in step.after)}"] if step.after else []
    parts += [f"not before {step.wait.text}"] if step.wait is not None else []
    start = f" from {step.from_}" if step.from_ else ""
    for case in step.within:
        when = f" when {case.when.text}" if case.when is not None else ""
        parts.append(f"within {case.limit.text}{start}{when}")
    parts += [f"paused while {step.pause.text}"] if step.pause is not None else []
    parts += [f"{step.extend.to.text} when {step.extend.when.text}"] if step.extend is not None else []
    parts += [f"records {', '.join(step.records)}"] if step.records else []
    parts += [f"on {step.form}" + (", all of it" if step.complete else "")] if step.form else []
    parts += [f"by {step.people} persons"] if step.people > 1 else []
    parts += [f"only {_any(step.medium)}"] if step.medium else []
    parts += [f"ends as {_any(step.outcomes)}"] if step.outcomes != OUTCOMES[step.verb] else []
    parts += (
        [f"again every {step.repeats.text}" if step.repeats.numbered else "again and again"] if step.repeats else []
    )
    parts += [f"opened by each {step.round}"] if step.round else []
    parts += [f"leaves out {', '.join(step.leaves)}"] if step.leaves else []
    parts += [f"{outcome} leads back to {first}" for outcome, first in step.back.items()]
    parts += [f"the case is then {step.milestone}"] if step.milestone else []
    return "; ".join(parts)


def _fact(fact: Fact) -> str:
    kinds = {"choice": " | ".join(fact.choices) or "one of a list that the text does not give"}
    parts = [f"means {fact.means.text}"] if fact.means is not None else []
    parts += [f"{fact.span[2]} within {fact.span[0].text} of {fact.span[1]}"] if fact.span is not None else []
    parts = parts or [kinds.get(fact.kind, fact.kind)]
    parts += [f"starts as {fact.starts_as}"] if fact.starts_as is not UNSET else []
    parts += [f"set by {_any(fact.by)} only"] if fact.by else []
    parts += [f"of each {fact.of}"] if fact.of else []
    parts += ["sealed"] if fact.personal else []
    return "; ".join(parts)


def _count(count: Count) -> str:
    within = f" within {count.within.text}" if count.within is not None else ""
    return f"how many {count.of} have the same {count.same}{within}"


def _link(link: LinkRule) -> str:
    parts = ["an earlier case may be taken up again" + (f" when {link.when.text}" if link.when is not None else "")]
    parts += [f"{link.attaches} goes with it"] if link.attaches else []
    parts += [f"offered to {link.to}"] if link.to else []
    return "; ".join(parts)


def _form(form: Form) -> str:
    fields = "fields not stated" if form.fields is None else ", ".join(form.fields)
    number = f"; numbered by {form.number}" if form.number else ""
    return f"{'register' if form.register else 'form'}: {fields}{number}"


def _measure(measure: Measure) -> str:
    told = {
        "count": f"how many are {measure.what}",
        "rate": f"what share of {measure.of} is {measure.what}",
        "on-time": f"what share of {measure.what} is in time",
        "list": f"which are {measure.what}" + (f", with {', '.join(measure.shows)}" if measure.shows else ""),
    }[measure.kind]
    by = f", by {measure.by}" if measure.by else ""
    where = f", where {measure.where.text}" if measure.where is not None else ""
    case = f", of each {measure.case}" if measure.case != "complaint" else ""
    return f"{told}{case}{by}{where}"


def _hold(hold: Hold) -> str:
    when = f" when {hold.when.text}" if hold.when is not None else ""
    return f"no {_any(hold.forbids)}{when} until {hold.until.text}"


def _bar(bar: Bar) -> str:
    parts = [f"only {_any(bar.only)} may {_any(bar.may)}"] if bar.only is not None else []
    parts += [f"{_any(bar.never)} may never {_any(bar.may)}"] if bar.never is not None else []
    parts += [f"nobody may {_any(bar.may)}"] if bar.may and bar.only is None and bar.never is None else []
    parts += [f"{', '.join(bar.hide)} hidden from {_any(bar.from_)}"] if bar.hide else []
    return "; ".join(parts) + (f", when {bar.when.text}" if bar.when is not None else "")


def _duty(duty: DutyRow) -> str:
    day = f" on {duty.day}" if duty.day != "not-stated" else ""
    time = f" by {duty.time}" if duty.time else ""
    parts = [f"{_any(duty.by)} {DUTIES[duty.duty]}owes it every {duty.every}{day}{time}"]
    parts += [f"to {', '.join(duty.to)}"] if duty.to else []
    parts += [f"covers {duty.covers}"] if duty.report else []
    size = "any number" if duty.sample_size is None else str(duty.sample_size)
    parts += [f"draws a sample of {size}"] if duty.has_sample else []
    parts += [f"first those where {duty.sample_include.text}"] if duty.sample_include is not None else []
    parts += [f"opens {duty.each} in each case when {duty.cases.text}"] if duty.each and duty.cases is not None else []
    return "; ".join(parts)
