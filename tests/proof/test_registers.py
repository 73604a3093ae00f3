"""Every form and register of a pack is filled by some story and shows its fields; every report is produced by one."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from complaints.desk_keys import ANY, Principal
from complaints.events import DutyBreached, DutyRecorded, ReportProduced
from complaints.procedure.library import open_pack, packs
from complaints.procedure.model import DutyRow
from ledger.casebook import NOW, Case
from ledger.forms import columns, entries, listed
from ledger.viewing import Viewer
from redress.simulation import World
from tests.proof.test_mutations import stories_of

SHIPPED = sorted(packs())
EVERYBODY = Viewer(who=Principal(desk="d", frontend="f", key="k", roles=frozenset((ANY,)), scopes=frozenset(("read",))))


def cases(world: World) -> Iterator[Case]:
    """The cases of a story as the ledger would read them."""
    for label, state in world.cases.items():
        events = world.histories[label]
        yield Case(
            id=uuid4(),
            desk="d",
            past=NOW,
            at=events[-1].at,
            stored=[],
            sealed=[],
            records=[],
            events=events,
            state=state,
            sealed_state=state,
            procedure=world.procedure,
            calendar=world.calendar,
            view=world.view,
            latest=state.version,
            refused={},
        )


def dated(duty: DutyRow) -> bool:
    """Whether the text itself says when it is due."""
    return duty.each is None and (duty.every == "day" or (duty.every in ("week", "month") and duty.day != "not-stated"))


@pytest.mark.parametrize("pack", SHIPPED)
def test_each_form_and_register_is_filled_in_some_story_and_shows_its_fields(pack: str) -> None:
    procedure = open_pack(pack)
    filled = {row["form"]: tuple(row["fields"]) for row in listed(procedure) if row["filled_by"]}
    found: dict[str, tuple[str, ...]] = {}
    numbered = set[str]()
    for story in stories_of(pack):
        for case in cases(story.world()):
            for form in filled:
                for entry in entries(case, form, EVERYBODY):
                    found[form] = tuple(entry["fields"])
                    numbered |= {form} if entry["number"] is not None else set()
    assert found == filled
    assert numbered == {form.name for form in procedure.forms.values() if form.number and form.name in filled}
    assert all(columns(procedure.forms[form], procedure) == fields for form, fields in found.items())


@pytest.mark.parametrize("pack", SHIPPED)
def test_each_report_is_produced_and_each_that_has_a_day_is_submitted_in_time_and_missed(pack: str) -> None:
    procedure = open_pack(pack)
    produced, submitted, missed = set[str](), set[str](), set[str]()
    for story in stories_of(pack):
        for event in story.world().desk.history:
            match event:
                case ReportProduced(owe=owe, figures=list()):
                    produced.add(owe)
                case DutyRecorded(owe=owe, in_time=True):
                    submitted.add(owe)
                case DutyBreached(owe=owe):
                    missed.add(owe)
                case _:
                    pass
    assert {duty.owe for duty in procedure.desk.values() if duty.report} <= produced
    with_a_day = {duty.owe for duty in procedure.desk.values() if dated(duty) and duty.duty == "must"}
    assert (with_a_day - submitted, with_a_day - missed) == (set(), set())
