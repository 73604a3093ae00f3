"""What of a delivery is new: whatever is repeated, cut or mixed, each position counts once and in order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from complaints.adapters.inbox import Place, Standing, new_in, standing
from complaints.adapters.records import Message


def message(offset: int, position: int | None = None, version: int | None = None, key: str = "s") -> Message:
    headers = {"ce_id": f"e{position}"}
    if position is not None:
        headers["ce_sequence"] = str(position)
    if version is not None:
        headers["ce_streamversion"] = str(version)
    return Message(topic="t", partition=0, offset=offset, key=key, value=b"", headers=headers)


@st.composite
def partitions(draw: st.DrawFn) -> list[int]:
    """Positions as they lie in a partition: leaders that die leave a beginning, the next begins at or before its end.

    A late batch of a dead leader may still arrive among the next one's.
    """
    last = draw(st.integers(0, 30))
    lying: list[int] = []
    noted = 0
    while noted < last:
        sent = draw(st.integers(noted + 1, last))
        run = list(range(noted + 1, sent + 1))
        late = run[draw(st.integers(0, len(run))) :]  # still on their way when the next leader begins
        lying += run[: len(run) - len(late)]
        noted = draw(st.integers(noted, sent - len(late)))
        following = list(range(noted + 1, min(noted + 3, last) + 1)) if late else []
        lying += following
        if following and following[-1] >= late[0] - 1:
            lying += late
            noted = max(noted, following[-1])
    return lying


@given(partitions(), st.data())
def test_each_position_is_new_once_and_in_order_however_a_partition_is_cut_into_deliveries(
    lying: Sequence[int], data: st.DataObject
) -> None:
    messages = [message(offset, position) for offset, position in enumerate(lying)]
    place, used = Place(), list[int]()
    while place.next_offset < len(messages):
        start = data.draw(st.integers(max(0, place.next_offset - 3), place.next_offset))  # a fetch may begin earlier
        end = data.draw(st.integers(place.next_offset + 1, len(messages)))
        batch = new_in(place, messages[start:end])
        used += [m.position or 0 for m in batch.fresh]
        place = batch.after
    assert used == sorted(set(lying))


@given(st.lists(st.sampled_from("abc"), max_size=30), st.data())
def test_a_stream_that_lacks_a_version_is_found_at_its_first_message_and_nothing_after_it_is_used(
    keys: Sequence[str], data: st.DataObject
) -> None:
    versions: dict[str, int] = {}
    messages = []
    for offset, key in enumerate(keys):
        versions[key] = versions.get(key, 0) + 1
        messages.append(message(offset, offset + 1, versions[key], key))
    whole = new_in(Place(), messages, {})
    assert (len(whole.fresh), whole.gap) == (len(messages), None)
    if messages:
        lost = data.draw(st.sampled_from(messages))
        rest = [m for m in messages if m is not lost]
        batch = new_in(Place(), rest, {})
        after = [m for m in rest if m.key == lost.key and m.offset > lost.offset]
        assert batch.gap == (after[0] if after else None)
        assert all(m.offset < after[0].offset for m in batch.fresh) if after else len(batch.fresh) == len(rest)


def test_a_parked_stream_s_versions_are_not_watched() -> None:
    assert new_in(Place(), [message(0, 1, 9)], {}, parked={"s"}).gap is None
    assert new_in(Place(), [message(0, 1, 9)], {}).gap is not None


def test_a_message_without_a_position_is_known_by_its_offset() -> None:
    place = Place(next_offset=5, last_position=100)
    batch = new_in(place, [message(4), message(5), message(6)])
    assert [m.offset for m in batch.fresh] == [5, 6]
    assert batch.after.last_position == 100


def test_a_place_knows_its_own_topic_from_another_of_the_same_name() -> None:
    place = Place(next_offset=10, last_position=40, last_id="e40")
    assert standing(place, message(9, 40)) is Standing.FITS
    assert standing(place, message(9, 12)) is Standing.REPLACED
    assert standing(place, message(0, 1)) is Standing.REPLACED
    assert standing(place, message(10, 41)) is Standing.FITS  # retention took what was used
    assert standing(place, message(14, 45)) is Standing.MISSING
    assert standing(place, message(14, 38)) is Standing.FITS  # repeats: what is new among them comes after
    assert standing(Place(), message(3, 4)) is Standing.MISSING
