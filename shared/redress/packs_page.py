"""A pack as a page that the owner of the procedure checks against his text: Markdown, in Chinese and English.

Beside each rule stand the text's own words and its clause. The page is made from the pack alone; with a desk's answers
it shows what that desk runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from complaints.events import Clause
from complaints.procedure import coverage as covering
from complaints.procedure.limits import LimitKind
from complaints.procedure.model import ClockRow, Condition, LimitCase, Place, Procedure, Step
from redress.packs_picture import picture
from redress.packs_shown import Shown, rows_of

WORDS: Final = ("rule", "what the system does 系统执行", "原文 text", "our translation 译文", "条款 clause")
SECTIONS: Final[Mapping[str, str]] = {
    "pack": "程序本身 · The procedure itself",
    "roles": "谁 · Who",
    "intake": "受理 · Intake",
    "cases": "非投诉的案件 · Cases that are no complaints",
    "items": "案件中的事项 · Items within a case",
    "facts": "记录的事项 · What is known of a case",
    "decisions": "判定(级别、承办者等)· What is decided: grade, owner and the like",
    "clocks": "不由步骤终止的时限 · Limits that no step stops",
    "steps": "步骤 · Steps",
    "holds": "未完成前不得 · What is held, and until when",
    "access": "谁可以、谁不得 · Who may, and who may not",
    "other-cases": "其他案件 · Other cases",
    "forms": "表单与台帐 · Forms and registers",
    "desk": "定期职责与报告 · Duties and reports without a case",
    "retention": "保存 · Keeping",
    "guidance": "提示 · Advice that is shown",
}
COUNTED: Final[Mapping[LimitKind, str]] = {
    LimitKind.ELAPSED: "连续时间 elapsed time",
    LimitKind.WORKING: "工作时间 working time",
    LimitKind.WORKING_DAYS: "工作日 working days",
    LimitKind.DAYS: "日历日 calendar days",
    LimitKind.MONTHS: "日历月 calendar months",
    LimitKind.TIME_OF_DAY: "时刻 a time of the day",
    LimitKind.END_OF_WORKING_DAY: "工作日 working days",
    LimitKind.NEXT_OPENING: "工作时间 working time",
    LimitKind.FACT: "案件给出的日期 a date of the case",
    LimitKind.BEFORE_FACT: "案件给出的日期 a date of the case",
    LimitKind.SOFT: "无数字 no number",
    LimitKind.NOT_STATED: "未载明 not stated",
}
LEGEND: Final = """\
方框 work · 双边框 form · 斜框 notice or contact · 六角 approval · 旗形 hand-over · 圆角 revisit · 圆 ending, reopening;
红边 up a tier · 实线 after · 虚线 because of · 粗线 back
"""
CHECK: Final = """\
To check this page, lay the text beside it: each row gives the text's own words, its clause, and what the system does
about it. Our translation is marked as such and decides nothing.
核对方法:对照原文,逐行查看条款、原文与系统执行的内容;译文仅供参考。
"""


def page(procedure: Procedure, listed: str | None) -> str:
    """The page of a pack; ``listed``: the shipped list of its clauses."""
    sections: dict[str, list[Shown]] = {}
    for row in rows_of(procedure):
        sections.setdefault("steps" if row["section"] == "part" else row["section"], []).append(row)
    blocks = [_head(procedure), f"## 流程图 · The path\n\n```mermaid\n{picture(procedure)}```\n\n{LEGEND}"]
    blocks += _block("时限 · Clocks", CLOCKS, [*_clocks(procedure)])
    for section, title in SECTIONS.items():
        blocks += _block(title, WORDS, [_words(row) for row in sections.get(section, ())])
        if section == "steps":
            blocks += _block("审批 · Approvals", APPROVALS, [*_approvals(procedure)])
            blocks += _block("结案与重新受理 · Closing and reopening", CLOSURES, [*_closures(procedure)])
    blocks += _gaps(procedure, sections.get("notes", ()))
    blocks += _block("逐条对照 · Clause by clause", COVERAGE, [*_covered(procedure, listed)])
    return "\n".join(block.rstrip("\n") + "\n" for block in blocks)


def index(procedures: Iterable[Procedure]) -> str:
    """The page that leads to all of them."""
    rows = [[f"[{p.id}]({p.id}.md)", p.title, p.en or ""] for p in procedures]
    intro = (
        "Each page is made by `redress packs pages --write docs/packs` from the pack; a test fails when one is old.\n"
    )
    head = ("pack", "名称", "title")
    return "# 程序 · The procedures\n\n" + intro + "\n" + "\n".join(_table(head, rows)) + "\n"


def _head(procedure: Procedure) -> str:
    number = procedure.id.partition("-")[0]
    limits = [case for step in procedure.steps.values() for case in step.within]
    hard = sum(case.limit.numbered for case in limits) + sum(c.within.limit.numbered for c in procedure.clocks.values())
    answered = f"; {len(procedure.answered)} answered by the desk 由服务台答复" if procedure.answered else ""
    lines = [
        f"# {number} {procedure.title}\n",
        f"{_cell(procedure.en or '')}\n",
        f"- pack `{procedure.id}`, version {procedure.version}",
        f"- text 原文: `{procedure.source or 'none'}`; quotations found in it 逐字核对的引文: {procedure.quotations}",
        f"- steps 步骤: {len(procedure.steps)}; limits with a number 有数字的时限: {hard}",
        f"- places left open 未定之处: {len(procedure.places)}{answered}\n",
        CHECK,
    ]
    return "\n".join(lines)


# --- tables ---
def _block(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"## {title}\n\n" + "\n".join(_table(head, rows)) + "\n"] if rows else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _cell(value: Any) -> str:
    """A text as it may stand in a cell: on one line, nothing in it taken for markup."""
    entities = {"|": "\\|", "<": "&lt;", ">": "&gt;", "*": "\\*", "_": "\\_", "`": "\\`", "[": "\\[", "]": "\\]"}
    return "".join(entities.get(letter, letter) for letter in " ".join(str(value).split()))


def _clause(clause: Clause) -> str:
    return _cell(clause if isinstance(clause, str) else ", ".join(clause or ()))


def _words(row: Shown) -> list[str]:
    rule = f"**{_cell(row['rule'])}**" if row["section"] == "part" else f"`{row['rule']}`"
    return [rule, _cell(row["what"]), _cell(row["says"] or ""), _cell(row["en"] or ""), _clause(row["clause"])]


# --- clocks ---
CLOCKS: Final = (
    "clock 时钟",
    "limit 时限",
    "counted in 计算",
    "starts 起算",
    "pauses 暂停",
    "stops 停止",
    "then 逾期后",
    "clause",
)


def _clocks(procedure: Procedure) -> Iterator[list[str]]:
    for step in procedure.steps.values():
        for case in step.within:
            yield _clock_of_a_step(procedure, step, case)
    for clock in procedure.clocks.values():
        yield _clock_alone(procedure, clock)


def _clock_of_a_step(procedure: Procedure, step: Step, case: LimitCase) -> list[str]:
    limit = case.limit.text + (f" when {case.when.text}" if case.when is not None else "")
    if step.extend is not None:
        limit += f"; {step.extend.to.text} when {step.extend.when.text}"
    regrade = f"; a change of its condition: {step.regrade}" if step.regrade else ""
    starts = f"{step.from_ or 'when the step opens 步骤开始'}{regrade}"
    pauses, stops = _text(step.pause), f"{step.id} is recorded"
    then = _then(procedure, step.id) or ("breach 违期" if step.duty == "must" and case.limit.numbered else "")
    clause = case.clause if case.clause is not None else step.clause
    cells = (limit, _counted(procedure, case), starts, pauses, stops, then)
    return [f"`{step.id}`", *map(_cell, cells), _clause(clause)]


def _clock_alone(procedure: Procedure, clock: ClockRow) -> list[str]:
    starts = clock.from_ or _text(clock.start)
    stops = "; off: ".join(text for text in (_text(clock.stop), _text(clock.cancel)) if text)
    then = _then(procedure, clock.name)
    cells = (clock.within.limit.text, _counted(procedure, clock.within), starts, _text(clock.pause), stops, then)
    return [f"`{clock.name}`", *map(_cell, cells), _clause(clock.clause)]


def _counted(procedure: Procedure, case: LimitCase) -> str:
    kind = case.limit.kind
    if kind is LimitKind.HOURS:
        kind = LimitKind.WORKING if procedure.questions.get("hours") == "working" else LimitKind.ELAPSED
    return COUNTED[kind]


def _then(procedure: Procedure, clock: str) -> str:
    """The steps and decisions that ask whether the limit ran out."""
    late = f"{clock}.late"
    steps = [step.id for step in procedure.steps.values() if step.when is not None and late in step.when.refs]
    rows = [row.place for table in procedure.tables for row in table.rows if row.when and late in row.when.refs]
    return ", ".join((*steps, *rows))


def _text(condition: Condition | None) -> str:
    return condition.text if condition is not None else ""


# --- approvals, closings, gaps, coverage ---
APPROVALS: Final = ("approval 审批", "by 由谁", "opens 之后", "refused 不同意时", "原文 text", "clause")
CLOSURES: Final = ("step", "by 由谁", "when 条件", "held until 须先", "leaves 免除", "原文 text", "clause")
PLACES: Final = ("place 位置", "taken 采用", "also allowed 亦可", "why 理由", "desk 服务台", "clause")
COVERAGE: Final = ("clause 条款", "kind 种类", "status 状态", "rules 规则", "how, or why not 如何或为何不")


def _approvals(procedure: Procedure) -> Iterator[list[str]]:
    for step in procedure.steps.values():
        if step.verb == "approve":
            opens = [s.id for s in procedure.steps.values() if any(step.id in either for either in s.after)]
            asked = [s.id for s in procedure.steps.values() if s.when and f"{step.id}.outcome" in s.when.refs]
            back = [f"{outcome}: back to {first}" for outcome, first in step.back.items()]
            cells = (_by(step), ", ".join(opens), ", ".join((*back, *asked)), step.says or "")
            yield [f"`{step.id}`", *map(_cell, cells), _clause(step.clause)]


def _closures(procedure: Procedure) -> Iterator[list[str]]:
    for step in procedure.steps.values():
        if step.verb in ("close", "reopen"):
            after = "after " + " and ".join(" or ".join(either) for either in step.after) if step.after else ""
            when = "; ".join(text for text in (after, _text(step.when), _text(step.part.when)) if text)
            held = "; ".join(hold.until.text for hold in procedure.holds if step.id in hold.forbids)
            cells = (_by(step), when, held, ", ".join(step.leaves), step.says or "")
            yield [f"`{step.id}`", *map(_cell, cells), _clause(step.clause)]


def _by(step: Step) -> str:
    return " and ".join(" or ".join(either) for either in step.by)


def _gaps(procedure: Procedure, notes: Sequence[Shown]) -> list[str]:
    readings = [_place(p) for p in procedure.places.values() if p.kind == "reading"]
    silences = [_place(p) for p in procedure.places.values() if p.kind != "reading"]
    questions = [[f"`{q.name}`", _cell(q.asks), _cell(q.answer), _clause(q.clause)] for q in procedure.asks.values()]
    issues = [[_clause(note["clause"]), _cell(note["what"])] for note in notes]
    remarks = [
        [f"`{name}`", _cell(note), _clause(clause)]
        for name, note, clause in (
            *((step.id, step.note, step.clause) for step in procedure.steps.values()),
            *((fact.name, fact.note, fact.clause) for fact in procedure.facts.values()),
        )
        if note
    ]
    return [
        *_block("问题 · Questions about the text", ("question", "asks", "answer 采用", "clause"), questions),
        *_block("解读 · Where the words allow two readings", PLACES, readings),
        *_block("空白 · Where the text gives no number or no word", PLACES, silences),
        *_block("矛盾与缺漏 · Contradictions and gaps", ("clause", "issue"), issues),
        *_block("说明 · Remarks of ours", ("rule", "remark", "clause"), remarks),
    ]


def _place(place: Place) -> list[str]:
    others = ", ".join(str(offer) for offer in place.offers if offer != place.value)
    why = place.because or (f"the text says only {place.word}" if place.word else "the text does not say")
    return [
        f"`{place.name}`",
        _cell(place.value),
        _cell(others),
        _cell(why),
        "✓" if place.answered else "",
        _clause(place.clause),
    ]


def _covered(procedure: Procedure, listed: str | None) -> Iterator[list[str]]:
    for clause in covering.coverage(procedure, listed):
        rules = ", ".join(f"`{rule}`" for rule in clause.rules)
        yield [_cell(clause.id), _cell(clause.kind or ""), clause.status, rules, _cell(clause.why)]
