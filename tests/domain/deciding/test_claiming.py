"""Values that belong to one case of the desk."""

from __future__ import annotations

from complaints.deciding import claims, taken
from complaints.ports import Claim
from tests.spec import Case, at, given, pack, receive, record, say

P = pack("""
facts:
- {fact: call_id, clause: f, type: text}
- {fact: slip, clause: f, type: text}
- {fact: other, clause: f, type: text}
steps:
- part: p
  rows: [{fill: filled, clause: 二, by: cm, form: sheet, records: [slip]}, {close: end, clause: 三, by: cm}]
forms: [{form: sheet, clause: s, title: sheet, fields: [slip], number: slip}]
other-cases: [{unique: one_call, clause: u, same: call_id}]
""")


def number(value: str) -> Claim:
    return Claim(scope="number:slip", key=value.encode())


def asked(case: Case, *commands: object) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    before, known = case.state, len(case.history)
    case.take(*commands)  # type: ignore[arg-type]  # only commands are handed in
    return claims(case.history[known:], before, P)


def test_a_call_is_claimed_when_it_is_first_said() -> None:
    found = asked(given(P), receive(facts={"call_id": "7", "other": "x"}))
    assert found == ((Claim(scope="unique:one_call", key=b"7"),), ())


def test_a_number_is_claimed_with_the_record_that_says_it() -> None:
    case = given(P, receive())
    assert asked(case, record("filled", "cm", at(0, "10:00"), facts={"slip": "S-1"})) == ((number("S-1"),), ())


def test_a_corrected_number_releases_the_old_one() -> None:
    case = given(P, receive(facts={"slip": "S-1"}))
    assert asked(case, say(at(0, "10:00"), slip="S-2")) == ((number("S-2"),), (number("S-1"),))


def test_the_same_number_again_claims_nothing() -> None:
    case = given(P, receive(facts={"slip": "S-1"}))
    assert asked(case, say(at(0, "10:00"), slip="S-1")) == ((), ())


def test_a_number_taken_and_given_back_in_one_decision_is_neither() -> None:
    case = given(P, receive(facts={"slip": "S-1"}))
    assert asked(case, say(at(0, "10:00"), slip="S-2"), say(at(0, "10:00"), slip="S-1")) == ((), ())


def test_a_pack_without_unique_values_claims_nothing() -> None:
    plain = pack("steps: [{part: p, rows: [{close: end, clause: 三, by: cm}]}]\n")
    assert claims(given(plain, receive()).history, given(plain).state, plain) == ((), ())


def test_who_comes_second_is_told_with_the_clause() -> None:
    refused = taken("number:slip", "X", P)
    assert (refused.code, refused.clause, refused.data) == ("number-taken", "s", {"fact": "slip", "of": "X"})
    call = taken("unique:one_call", "X", P)
    assert (call.code, call.clause, call.data) == ("already-received", "u", {"fact": "call_id", "of": "X"})
