"""The demo desks: one for each procedure that Redress ships, with people in every role. Invented, all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from complaints.adapters.statutory import chinese_calendar_spec
from complaints.desk_requests import DeskChange, JoinPerson, OpenDesk

OFFICE_HOURS: Final = (("09:00", "12:00"), ("13:00", "18:00"))
YEARS: Final = range(2024, 2028)

Staff = Mapping[str, tuple[str, tuple[str, ...], str]]
"""Person: name, roles, department."""

GARAGE: Final[Staff] = {
    "wu": ("吴前台", ("front",), "front"),
    "li": ("李经理", ("cm",), "cm"),
    "lin": ("林客服", ("csc",), "csc"),
    "ma": ("马管理", ("md",), "md"),
    "gao": ("高总", ("gm",), "gm"),
    "de": ("邓车间", ("dept",), "workshop"),
}
DEVELOPER: Final[Staff] = {
    "ying": ("应客服", ("marketing",), "marketing"),
    "xiao": ("肖客服", ("marketing",), "marketing"),
    "gong": ("龚工程", ("engineering_dept", "functional"), "engineering_dept"),
    "bu": ("卜经理", ("dept_manager", "dept_head"), "marketing"),
    "cheng": ("程总", ("city_gm",), "city"),
    "zong": ("宗总部", ("hq",), "hq"),
    "dang": ("党档案", ("archive",), "archive"),
    "wei": ("魏危机", ("crisis_group",), "city"),
}
BROKER: Final[Staff] = {
    "zhao": ("赵受理", ("service_centre",), "service_centre"),
    "qian": ("钱受理", ("service_centre",), "service_centre"),
    "sun": ("孙营业", ("branch", "business", "business_person"), "branch"),
    "fu": ("傅副总", ("vp",), "management"),
    "feng": ("冯风险", ("cro",), "management"),
    "zong": ("宗总", ("president",), "management"),
    "he": ("何合规", ("compliance",), "compliance"),
    "fen": ("汾分管", ("leader", "line_leader"), "management"),
    "zonghe": ("仲综合", ("general_affairs",), "general_affairs"),
    "ai": ("艾技术", ("it",), "it"),
    "bei": ("贝介绍", ("ib",), "ib"),
    "ze": ("泽负责", ("dept_head",), "branch"),
    "dang": ("当事人", ("person_concerned",), "branch"),
}
PLAIN: Final[Staff] = {
    "ann": ("Ann", ("agent",), "agent"),
    "bob": ("Bob", ("agent",), "agent"),
    "lea": ("Lea", ("desk_lead",), "agent"),
    "hugo": ("Hugo", ("head",), "management"),
}


class DemoDesk(msgspec.Struct, frozen=True, kw_only=True):
    """A desk as it is opened, and what is set afterwards."""

    open: OpenDesk
    changes: tuple[DeskChange, ...] = ()


def demo_desks() -> tuple[DemoDesk, ...]:
    """The four desks."""
    return (
        _desk("garage", "安达汽车维修", "04-auto-repair-feedback-slip", GARAGE, fallback="csc"),
        _desk("developer", "和居地产", "15-developer-group-crisis", DEVELOPER, fallback="marketing"),
        _desk("broker", "江南期货", "19-dongwu-futures", BROKER, fallback="service_centre"),
        _desk("plain", "Town Hall", "00-plain-desk", PLAIN, fallback="agent", language="en"),
    )


def _desk(slug: str, title: str, pack: str, staff: Staff, *, fallback: str, language: str = "zh") -> DemoDesk:
    calendar: dict[str, Any] = msgspec.to_builtins(chinese_calendar_spec(OFFICE_HOURS, YEARS, id="china", version="1"))
    opened = OpenDesk(
        desk=slug,
        title=title,
        timezone="Asia/Shanghai",
        locale=language,
        pack=pack,
        calendar=calendar,
        departments=[
            {"department": department, "title": department.replace("_", " ").title()}
            for department in sorted({department for _, _, department in staff.values()})
        ],
        people=[
            JoinPerson(
                person=person,
                name=name,
                roles=list(roles),
                department=department,
                email=f"{person}@{slug}.example",
                language=language,
                on_call=1 if number == 0 else None,
            )
            for number, (person, (name, roles, department)) in enumerate(staff.items())
        ],
        fallback=fallback,
    )
    warn = DeskChange(event="desk.warning-set", data={"clock": "*", "shares": [0.8]})
    return DemoDesk(open=opened, changes=(warn,))
