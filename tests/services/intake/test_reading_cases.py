"""GET /v1/complaints/{id} and what hangs below it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from complaints.commands import Sender
from complaints.desk_requests import DeskChange
from complaints.planning import Context
from tests.services.intake.deployment import AGENT, CALENDAR, LEAD, Api, Deployment, ok, problem


async def test_a_complaint_is_shown_as_it_stands_and_not_again_while_nothing_has_changed(api: Api) -> None:
    case = await api.received()
    first = ok(await api.get(f"/v1/complaints/{case}"))
    assert first.headers["etag"] == '"12"'
    shown = first.json()
    assert (shown["id"], shown["desk"], shown["version"], shown["status"]) == (case, "plain", 12, "open")
    assert (shown["grade"], shown["owner"], shown["channel"]) == ("normal", "agent", "web")
    assert shown["complainant"] == "Zhang San"
    assert shown["clocks"]["answer"]["due_at"] == "2026-03-16T10:00:00Z"
    assert shown["steps"]["answer"]["state"] == "open"
    for tag in ('"12"', 'W/"12"', '"9", "12"', "*"):
        again = await api.get(f"/v1/complaints/{case}", headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"12"')
    ok(await api.command(case, "assign", LEAD))
    changed = ok(await api.get(f"/v1/complaints/{case}", headers={"If-None-Match": '"12"'}))
    assert changed.json()["milestones"] == {"assigned": "2026-03-02T01:00:00Z"}
    assert changed.json()["holder"] == "agent"


async def test_a_history_comes_in_pages_without_a_gap_or_a_double(api: Api) -> None:
    case = await api.received()
    whole = await api.history(case)
    assert [event["version"] for event in whole] == list(range(1, 13))
    pages, next_page = [], f"/v1/complaints/{case}/events?limit=5"
    while next_page:
        page = ok(await api.get(next_page)).json()
        pages.append(page["events"])
        next_page = page["next"]
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [event for page in pages for event in page] == whole
    assert ok(await api.get(f"/v1/complaints/{case}/events?after=12")).json() == {
        "id": case,
        "desk": "plain",
        "version": 12,
        "events": [],
        "next": None,
    }


async def test_every_event_says_what_it_rests_on(api: Api) -> None:
    case = await api.received()
    history = await api.history(case)
    graded = next(event for event in history if event["event"] == "complaint.graded")
    assert (graded["clause"], graded["rule"], graded["inputs"]) == ("第七条", "grade.rows.3", {"priority": "normal"})
    assert (graded["pack"], graded["pack_version"]) == ("00-plain-desk", 1)
    assert graded["by"] == {"person": "zhang", "role": "customer"}
    assert history[0]["previous_hash"] == "0" * 64
    for before, event in pairwise(history):
        assert event["previous_hash"] == before["hash"]
        assert event["position"] == before["position"] + 1


async def test_a_clock_says_why_it_is_due_when_it_is(api: Api, deployment: Deployment) -> None:
    case = await api.received()
    deployment.pass_time(hours=1)
    shown = ok(await api.get(f"/v1/complaints/{case}/clocks")).json()
    clocks = {clock["clock"]: clock for clock in shown["clocks"]}
    assert list(clocks) == ["acknowledge", "assign", "answer"]
    answer = clocks["answer"]
    assert (answer["clause"], answer["limit"], answer["unit"]) == ("第十条（三）", "10 working days", "working")
    assert (answer["because"], answer["inputs"]) == ("grade == normal", {"grade": "normal"})
    assert len(answer["intervals"]) == 11
    assert answer["due_at"] == "2026-03-16T10:00:00Z"
    assert answer["says"].startswith("承办者应当")
    assert clocks["assign"]["left_s"] == 3 * 3600
    assert shown["at"] == "2026-03-02T02:00:00Z"


async def test_a_clock_that_is_over_is_shown_unless_it_is_not_asked_for(api: Api) -> None:
    case = await api.received()
    ok(await api.command(case, "assign", LEAD))
    for query, there in (("", True), ("?ended=true", True), ("?ended=false", False)):
        shown = ok(await api.get(f"/v1/complaints/{case}/clocks{query}")).json()
        assert ("assign" in [clock["clock"] for clock in shown["clocks"]]) is there


async def test_what_is_owed_is_said_by_whom_until_when_and_how_to_record_it(api: Api) -> None:
    case = await api.received()
    shown = ok(await api.get(f"/v1/complaints/{case}/steps")).json()
    owed = {step["step"]: step for step in shown["owed"]}
    assert list(owed) == ["acknowledge", "assign", "answer"]
    assert owed["assign"]["due_at"] == "2026-03-02T05:00:00Z"
    assert owed["assign"]["record"]["commands"] == ["record-step", "assign"]
    assert owed["assign"]["en"].startswith("The system or the desk head")
    assert owed["answer"]["who"] == [
        [
            {"name": "owner", "role": "agent", "person": None},
            {"name": "holder", "role": "customer", "person": None},
            {"name": "agent", "role": "agent", "person": None},
            {"name": "desk_lead", "role": "desk_lead", "person": None},
            {"name": "head", "role": "head", "person": None},
        ]
    ]
    assert [step["step"] for step in shown["may"]] == ["raise"]
    assert shown["may"][0]["record"]["commands"] == ["record-step", "waive-step"]
    waiting = {step["step"]: step["waits_for"] for step in shown["waiting"]}
    assert waiting["closed_by_person"] == ["answer"]
    assert [fact["fact"] for fact in shown["asked"]] == ["category"]
    assert "priority" in shown["commands"]["record-facts"]
    assert shown["undecided"] == []


async def test_everything_that_is_said_to_be_recordable_can_be_recorded(api: Api) -> None:
    case = await api.received()
    shown = ok(await api.get(f"/v1/complaints/{case}/steps?role=agent")).json()
    assert [step["step"] for step in shown["owed"]] == ["answer"]
    for name in shown["owed"][0]["record"]["commands"][1:]:
        ok(await api.command(case, name, AGENT))
    closing = ok(await api.get(f"/v1/complaints/{case}/steps?role=agent")).json()["may"]
    assert [step["step"] for step in closing if step["verb"] == "close"] == ["closed_by_person"]
    ok(await api.command(case, "close"))


async def test_a_step_that_a_hold_forbids_says_so(api: Api) -> None:
    case = await api.received()
    ok(await api.command(case, "record-facts", facts={"wants_revisit": True}))
    ok(await api.command(case, "resolve"))
    shown = ok(await api.get(f"/v1/complaints/{case}/steps")).json()
    step = next(step for step in shown["may"] if step["step"] == "closed_by_person")
    assert [(hold["hold"], hold["clause"]) for hold in step["held_by"]] == [("revisit_first", "第十五条")]
    refused = problem(await api.command(case, "close"), 409, "held")
    assert (refused["hold"], refused["clause"]) == ("revisit_first", "第十五条")


async def test_what_was_erased_reads_as_erased(api: Api, deployment: Deployment) -> None:
    case = await api.received()
    ok(await api.command(case, "resolve"))
    ok(await api.command(case, "close"))
    deployment.pass_time(days=4 * 366)
    by = {"person": "da", "role": "data_protection"}
    ok(await api.command(case, "erase-subject", by, subject="Zhang San", reason="asked for"))
    shown = ok(await api.get(f"/v1/complaints/{case}")).json()
    assert shown["facts"]["content"] == {"$erased": True}
    assert shown["complainant"] == {"$erased": True}
    assert shown["facts"]["subject"] == "repair"
    received = (await api.history(case))[0]
    assert received["data"]["contact"] == {"email": {"$erased": True}}


# --- facts that a clause hides ---
HIDING = """
pack: {id: 90-hiding, version: 1, title: 保密办法}
milestones: {acknowledged: not-stated, assigned: not-stated, resolved: not-stated}
roles:
- {role: agent, title: 经办人, clause: 第一条}
- {role: reviewer, title: 复核人, clause: 第一条}
facts:
- {fact: content, type: text, personal: true, clause: 第二条}
- {fact: witness, type: text, clause: 第二条}
intake:
- {channels: [any], by: anyone, clause: 第二条}
steps:
- part: 办理
  rows:
  - {do: look, by: agent, clause: 第三条, when: 'witness != "nobody"'}
  - {close: ended, by: agent, clause: 第三条}
access:
- {bar: no_names, clause: 第四条, hide: [witness, complainant], from: [reviewer]}
"""


@pytest.fixture
async def hiding(deployment: Deployment) -> dict[str, Any]:
    operator = deployment.api("operator")
    body = {"desk": "hiding", "title": "Hiding", "text": HIDING, "calendar": CALENDAR}
    ok(await operator.post("/v1/desks", json=body))
    deployment.keys["clerk"] = await operator.issue("hiding", frontend="clerk")
    deployment.keys["review"] = await operator.issue("hiding", frontend="review", roles=["reviewer"], scopes=["read"])
    said = {"facts": {"content": "x", "witness": "li"}, "complainant": "zhang", "contact": {"phone": "1"}}
    answer = await deployment.api("clerk").receive({"by": AGENT, "data": said}, desk="hiding")
    found: dict[str, Any] = ok(answer).json()
    return found


async def test_a_fact_that_a_clause_hides_from_a_role_is_not_shown_to_its_key(
    deployment: Deployment, hiding: dict[str, Any]
) -> None:
    case, clerk, review = hiding["id"], deployment.api("clerk"), deployment.api("review")
    assert ok(await clerk.get(f"/v1/complaints/{case}")).json()["facts"]["witness"] == "li"
    for api, query in ((review, ""), (review, "?role=reviewer"), (clerk, "?role=reviewer")):
        shown = ok(await api.get(f"/v1/complaints/{case}{query}")).json()
        assert shown["facts"] == {"content": "x"}
        assert (shown["complainant"], shown["contact"]) == (None, {})
        assert shown["hidden"] == ["complainant", "witness"]
        for part in ("events", "clocks", "steps"):
            answer = ok(await api.get(f"/v1/complaints/{case}/{part}{query}"))
            assert '"li"' not in answer.text
            assert "zhang" not in answer.text
    assert '"li"' in (await clerk.get(f"/v1/complaints/{case}/events")).text


async def test_a_key_looks_only_as_the_roles_that_it_speaks_for(deployment: Deployment, hiding: dict[str, Any]) -> None:
    review = deployment.api("review")
    problem(await review.get(f"/v1/complaints/{hiding['id']}?role=agent"), 403, "role-not-of-key")


async def test_a_case_is_read_under_the_procedure_that_it_was_received_under(
    deployment: Deployment, hiding: dict[str, Any]
) -> None:
    await deployment.desks.change(
        "hiding",
        DeskChange(event="desk.pack-adopted", data={"text": HIDING.replace("version: 1", "version: 2")}),
        by=Sender(person="x", role="desk"),
        command_id=deployment.sealing.pseudonym("x", "y"),
        context=Context(),
    )
    clerk = deployment.api("clerk")
    shown = ok(await clerk.get(f"/v1/complaints/{hiding['id']}")).json()
    assert (shown["pack"], shown["pack_version"]) == ("90-hiding", 1)
    newer = ok(await clerk.receive({"by": AGENT, "data": {}}, desk="hiding")).json()["id"]
    assert ok(await clerk.get(f"/v1/complaints/{newer}")).json()["pack_version"] == 2
