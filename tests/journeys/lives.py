"""Four complaints from the first word to the end, each late somewhere on its way: who does what, and when.

Roles are those of the procedures, and of the people of the demo desks. What the system does stands nowhere here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Line = tuple[str, str, str, Mapping[str, Any]]
"""Month, day and time of 2026 in Shanghai; role; command; data."""


def step(name: str, **data: Any) -> dict[str, Any]:
    """The data of `record-step`."""
    return {"step": name, **data}


def received(channel: str, **facts: Any) -> dict[str, Any]:
    """The data of `receive`."""
    return {"channel": channel, "facts": facts}


PLAIN: Final[tuple[Line, ...]] = (
    ("03-02 09:00", "agent", "receive", received("phone", content="路灯不亮", wants_revisit=True)),
    ("03-23 10:00", "agent", "record-step", step("answer", facts={"answer_text": "灯已修好"})),
    ("04-01 10:00", "agent", "record-step", step("revisit", outcome="dissatisfied")),
    ("04-02 10:00", "agent", "record-step", step("answer")),
    ("04-13 10:00", "agent", "record-step", step("revisit", outcome="satisfied")),
)

GARAGE: Final[tuple[Line, ...]] = (
    (
        "03-02 09:00",
        "front",
        "receive",
        received(
            "visit",
            content="刹车异响",
            time="3月2日",
            place="车间",
            persons="王",
            course="修后仍响",
            result="未解决",
            nature="质量",
            cause="quality",
            liability_clear=True,
        ),
    ),
    ("03-02 09:30", "front", "record-step", step("report_up", to="cm")),
    ("03-02 09:40", "cm", "record-step", step("write_slip")),
    (
        "03-02 10:00",
        "csc",
        "record-step",
        step("number", facts={"slip_number": "S-1", "plate": "沪A1", "filler": "Chen", "summary": "刹车"}),
    ),
    (
        "03-02 12:00",
        "cm",
        "record-step",
        step("liability_found", facts={"liability": "技师", "handling_opinion": "返工"}),
    ),
    ("03-02 12:10", "dept", "record-step", step("liability_found")),
    ("03-02 13:00", "cm", "waive-step", step("talk", reason="客户无异议")),
    ("03-02 13:10", "cm", "record-step", step("mark", facts={"revisit_mark": True})),
    ("03-05 09:00", "cm", "record-step", step("to_md")),  # two days late
    ("03-05 11:00", "md", "record-step", step("md_review")),
    ("03-05 11:30", "md", "record-step", step("fault_opinion")),
    ("03-05 12:00", "md", "record-step", step("report_gm")),
    ("03-05 12:30", "gm", "record-step", step("gm_opinion", facts={"gm_opinion_text": "同意"})),
    ("03-05 12:45", "md", "record-step", step("feed_back")),
    ("03-05 16:00", "md", "record-step", step("accountability")),
    ("03-05 17:00", "md", "record-step", step("final_slip")),
    ("03-05 18:00", "md", "record-step", step("to_csc")),
    ("03-06 06:00", "csc", "record-step", step("assess", outcome="faulty")),
    ("03-07 06:00", "md", "record-step", step("fault_again")),
    ("03-07 08:00", "md", "record-step", step("back_to_csc")),
    ("03-07 19:00", "csc", "record-step", step("revisit", outcome="satisfied")),
    ("03-07 19:10", "csc", "record-step", step("filed")),
)

DEVELOPER: Final[tuple[Line, ...]] = (
    (
        "03-02 09:00",
        "marketing",
        "receive",
        received(
            "phone",
            content="漏水",
            category="engineering",
            source_of_trouble="construction_quality",
            project="一期",
            media_serious=False,
            litigation_households=0,
            may_litigate_or_media=False,
            group_persons=1,
            group_households=1,
            needs_help=False,
            matter="m-L",
        ),
    ),
    ("03-02 09:30", "marketing", "record-step", step("record_form")),
    ("03-02 09:40", "marketing", "record-step", step("validity", facts={"valid": True})),
    ("03-02 09:50", "marketing", "record-step", step("find_department", facts={"responsible": "engineering_dept"})),
    ("03-02 10:30", "engineering_dept", "record-step", step("analysis", facts={"opinion": "重做防水"})),
    ("03-02 11:00", "marketing", "record-step", step("plan", facts={"plan_text": "方案一"})),
    ("03-02 11:30", "dept_manager", "record-step", step("manager_review")),
    ("03-02 12:00", "marketing", "record-step", step("discuss_plan")),
    ("03-11 13:00", "marketing", "record-step", step("submit_gm")),  # nine days late
    ("03-11 14:00", "city_gm", "record-step", step("gm_approval")),
    ("03-11 15:00", "customer", "record-step", step("consent")),
    ("03-11 15:10", "marketing", "record-step", step("order")),
    ("03-11 16:00", "engineering_dept", "record-step", step("implement")),
    ("03-19 16:30", "marketing", "record-step", step("revisit", outcome="satisfied")),
    ("03-19 16:40", "marketing", "record-step", step("ended")),
    ("03-19 17:00", "dept_head", "record-step", step("head_review")),
    ("03-19 17:30", "marketing", "record-step", step("to_archive")),
)

BROKER: Final[tuple[Line, ...]] = (
    (
        "03-05 09:00",
        "service_centre",
        "receive",
        received(
            "phone",
            customer_name="李",
            content="成交有误",
            course="三月三日平仓",
            in_scope=True,
            category="work_error",
            special=True,
        ),
    ),
    (
        "03-05 09:20",
        "service_centre",
        "record-step",
        step("explain_first", facts={"content_with_reply": False, "not_pursue": False, "needs_check": True}),
    ),
    (
        "03-05 09:30",
        "service_centre",
        "record-step",
        step(
            "write_slip",
            facts={
                "account": "8001",
                "complaint_date": "3-5",
                "manner": "电话",
                "acceptor": "赵",
                "responsible": "branch",
            },
        ),
    ),
    ("03-05 10:30", "service_centre", "record-step", step("forward")),
    ("03-06 09:00", "branch", "record-step", step("first_contact_24")),
    (
        "03-22 10:00",  # twelve days late
        "branch",
        "record-step",
        step("handle", facts={"findings": "属实", "rectification": "改进", "person_liable": "周", "treatment": "批评"}),
    ),
    ("03-22 10:10", "branch", "record-step", step("result")),
    ("03-22 10:20", "branch", "record-step", step("feed_back")),
    ("03-22 10:30", "service_centre", "record-step", step("to_acceptor")),
    ("03-22 11:10", "service_centre", "record-step", step("enter_result", facts={"satisfaction": "满意"})),
    ("03-22 11:20", "service_centre", "record-step", step("revisit", outcome="satisfied")),
    ("03-22 11:30", "service_centre", "record-step", step("archive")),
)

LIVES: Final[Mapping[str, tuple[Line, ...]]] = {
    "plain": PLAIN,
    "garage": GARAGE,
    "developer": DEVELOPER,
    "broker": BROKER,
}
"""By the demo desk that they are told to."""
