"""One example of each body, under the plain procedure; the tests hold each against its schema."""

from __future__ import annotations

from typing import Any, Final

AGENT: Final = {"person": "an", "role": "agent"}
LEAD: Final = {"person": "lei", "role": "desk_lead"}
ANOTHER: Final = "7d9c3d4e-5f0a-5b1c-8d2e-3f4a5b6c7d8e"

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "receive": {
        "by": {"person": "zhang", "role": "customer"},
        "data": {
            "channel": "web",
            "facts": {"content": "The car still leaks oil after three repairs.", "subject": "repair"},
            "complainant": "Zhang San",
            "contact": {"email": "zhang@example.org", "language": "zh"},
        },
    },
    "record-facts": {"by": AGENT, "data": {"facts": {"priority": "high"}}},
    "record-step": {"by": AGENT, "data": {"step": "answer", "facts": {"answer_text": "The seal was replaced."}}},
    "acknowledge": {"by": AGENT, "data": {}},
    "assign": {"by": LEAD, "data": {}},
    "resolve": {"by": AGENT, "data": {"done_at": "2026-03-02T15:30:00+08:00"}},
    "revisit": {"by": AGENT, "data": {"outcome": "satisfied"}},
    "escalate": {"by": LEAD, "data": {"reason": "no answer in time"}},
    "close": {"by": AGENT, "data": {}},
    "reopen": {"by": {"person": "zhang", "role": "customer"}, "data": {"reason": "it leaks again"}},
    "waive-step": {"by": AGENT, "data": {"step": "raise", "reason": "not needed"}},
    "add-item": {"by": AGENT, "data": {"item": "point", "facts": {}}},
    "judge": {"by": AGENT, "data": {"decide": "owner", "to": "agent", "reason": "it is ours"}},
    "regrade": {"by": AGENT, "data": {"grade": "high", "reason": "the customer is in danger"}},
    "link": {"by": AGENT, "data": {"complaint": ANOTHER, "relation": "same_matter"}},
    "change-pack": {
        "by": LEAD,
        "data": {"pack": "00-plain-desk", "pack_version": 2, "reason": "the procedure was revised"},
    },
    "erase-subject": {
        "by": {"person": "da", "role": "data_protection"},
        "data": {"subject": "Zhang San", "reason": "asked for by the subject"},
    },
    "record-duty": {"by": LEAD, "data": {"owe": "monthly_report", "period": "2026-03"}},
    "draw-sample": {"by": LEAD, "data": {"owe": "survey", "population": [ANOTHER], "seed": 7}},
}
"""By command."""

OPENING: Final[dict[str, Any]] = {
    "desk": "garage",
    "title": "Complaint desk of the garage",
    "timezone": "Asia/Shanghai",
    "pack": "00-plain-desk",
    "calendar": {
        "id": "office",
        "timezone": "Asia/Shanghai",
        "weekly": {day: [["09:00", "12:00"], ["13:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    },
    "people": [{"person": "an", "name": "An Ning", "roles": ["agent"], "email": "an@example.org"}],
    "fallback": "unassigned",
}

PERSON_JOINS: Final[dict[str, Any]] = {
    "event": "desk.person-joined",
    "data": {"person": "lei", "name": "Lei Lei", "roles": ["desk_lead"], "email": "lei@example.org"},
}
