"""What the console says, in two languages."""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = ("zh", "en")

_WORDS: Final = {
    "title": ("投诉账簿", "Complaint ledger"),
    "skip": ("跳到正文", "Skip to content"),
    "board": ("看板", "Board"),
    "register": ("台账", "Register"),
    "work": ("待办", "Work"),
    "duties": ("部门义务与报表", "Duties and reports"),
    "desks": ("投诉台", "Desks"),
    "sign_in": ("登录", "Sign in"),
    "sign_out": ("退出", "Sign out"),
    "key": ("密钥", "Key"),
    "key_help": ("只读密钥即可；密钥只保存在本浏览器的会话里。", "A key with the scope read is enough."),
    "wrong_key": ("没有这个密钥，或者已被撤销。", "This key is not known, or was revoked."),
    "language": ("语言", "Language"),
    "open_escalations": ("需要人处理的事项", "What needs a person"),
    "live": ("新的事项会自动出现在这里", "New ones appear here as they come"),
    "nothing": ("没有", "Nothing"),
    "since": ("自", "Since"),
    "what": ("事项", "What"),
    "clause": ("条款", "Clause"),
    "owes": ("责任", "Owes"),
    "case": ("案件", "Case"),
    "status": ("状态", "Status"),
    "open": ("未结", "Open"),
    "closed": ("已结", "Closed"),
    "received": ("收到", "Received"),
    "channel": ("渠道", "Channel"),
    "grade": ("等级", "Grade"),
    "owner": ("责任人", "Owner"),
    "holder": ("经手", "Holder"),
    "assignee": ("承办人", "Assignee"),
    "due": ("到期", "Due"),
    "overdue": ("逾期", "Overdue"),
    "breached": ("违反期限", "Breaches"),
    "undecided": ("待判断", "Undecided"),
    "any": ("不限", "Any"),
    "yes": ("是", "Yes"),
    "no": ("否", "No"),
    "from": ("从", "From"),
    "to": ("至", "To"),
    "text": ("文字", "Text"),
    "search": ("查询", "Search"),
    "next": ("下一页", "Next page"),
    "csv": ("下载全部（CSV）", "Download all (CSV)"),
    "history": ("经过", "History"),
    "verdicts": ("逐条结论", "Verdicts, clause by clause"),
    "verdict": ("结论", "Verdict"),
    "clocks": ("期限", "Time limits"),
    "facts": ("事实", "Facts"),
    "procedure": ("办法", "Procedure"),
    "version": ("版本", "Version"),
    "as_of": ("当时的情况（发生时间）", "As it was (what had happened)"),
    "known_at": ("当时所知（记录时间）", "As it was known (what had been recorded)"),
    "at_step": ("到记录第几条为止", "Up to the record of event"),
    "show": ("查看", "Show"),
    "now": ("现在", "Now"),
    "past": ("这是过去的情况", "This is the past"),
    "at": ("时间", "At"),
    "event": ("事件", "Event"),
    "by": ("由", "By"),
    "data": ("内容", "Data"),
    "recorded": ("记录", "Recorded"),
    "translation": ("英文为本系统的译文，以原文为准。", "The English is our translation; the original binds."),
    "owed_now": ("现在应做", "Owed now"),
    "dated": ("有期限", "With a date"),
    "undated": ("无期限", "Without a date"),
    "stale": ("案件已往前走", "The case has moved on"),
    "period": ("期间", "Period"),
    "state": ("情况", "State"),
    "report": ("报表", "Report"),
    "figures": ("数字", "Figures"),
    "none_yet": ("尚无", "None yet"),
    "error": ("不能显示", "This cannot be shown"),
    "back": ("返回", "Back"),
    "step": ("步骤", "Step"),
    "limit": ("规定", "Limit"),
    "role": ("角色", "Role"),
    "person": ("人员", "Person"),
    "milestones": ("节点", "Milestones"),
    "proof": ("证明", "Proof"),
    "erased": ("已删除", "erased"),
    "sealed": ("已封存", "sealed"),
    "settled": ("已处理", "Settled"),
}  # fmt: skip


def words(language: str) -> dict[str, str]:
    """Every word in a language."""
    number = LANGUAGES.index(language)
    return {name: said[number] for name, said in _WORDS.items()}


def language_of(asked: str | None, cookie: str | None, accepted: str) -> str:
    """The language of a page: asked for, remembered, the browser's, Chinese."""
    for one in (asked, cookie):
        if one in LANGUAGES:
            return str(one)
    first = accepted.strip().lower()[:2]
    return first if first in LANGUAGES else "zh"
