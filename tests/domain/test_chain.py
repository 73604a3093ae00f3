"""The record shows every alteration: of an event, of its place, of its order, of the log's end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaints.chain import (
    Checkpoint,
    Flaw,
    Hashing,
    hash_of,
    hashes,
    leaf_of,
    verify_log,
    verify_stream,
)
from complaints.merkle import MerkleTree
from complaints.ports import GENESIS, Append, NewEvent, StoredEvent

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
STREAMS = [UUID(int=number) for number in range(1, 5)]


def log_of(order: list[int]) -> list[StoredEvent]:
    """A log whose n-th event belongs to the stream with the n-th number."""
    log: list[StoredEvent] = []
    heads = dict.fromkeys(STREAMS, (0, GENESIS))
    for position, number in enumerate(order, 1):
        stream_id = STREAMS[number]
        version, previous = heads[stream_id]
        event = StoredEvent(
            position=position,
            stream_id=stream_id,
            version=version + 1,
            category="complaint",
            desk="plain",
            type="complaint.received",
            schema_version=1,
            occurred_at=NINE + timedelta(minutes=position),
            recorded_at=NINE + timedelta(minutes=position, seconds=3),
            command_id=UUID(int=1000 + position),
            data=b'{"n":%d}' % position,
            meta=b"{}",
            previous_hash=previous,
            hash=b"",
        )
        event = msgspec.structs.replace(event, hash=hash_of(event))
        heads[stream_id] = (event.version, event.hash)
        log.append(event)
    return log


def checkpoint_of(log: list[StoredEvent]) -> Checkpoint:
    return Checkpoint("redress.example/log", len(log), MerkleTree(map(leaf_of, log)).root())


logs = st.lists(st.integers(0, len(STREAMS) - 1), min_size=1, max_size=12).map(log_of)


def test_the_hash_is_over_the_bytes_that_the_page_lists() -> None:
    by_hand = b"".join(
        [
            b"redress event 1\n",
            bytes(range(32)),
            bytes.fromhex("00112233445566778899aabbccddeeff"),
            bytes.fromhex("00000007"),
            bytes.fromhex("0003"),
            (1_772_442_000_000_001).to_bytes(8, "big", signed=True),
            bytes.fromhex("ffeeddccbbaa99887766554433221100"),
            bytes.fromhex("00000009") + b"complaint",
            bytes.fromhex("00000005") + b"plain",
            bytes.fromhex("0000000a") + "投诉.new".encode(),
            bytes.fromhex("00000002") + b"{}",
            bytes.fromhex("00000000"),
        ]
    )
    hashing = Hashing(
        stream_id=UUID("00112233-4455-6677-8899-aabbccddeeff"),
        command_id=UUID("ffeeddcc-bbaa-9988-7766-554433221100"),
        category="complaint",
        desk="plain",
    )
    event = NewEvent(
        type="投诉.new", schema_version=3, occurred_at=NINE + timedelta(microseconds=1), meta=b"{}", data=b""
    )
    assert hashing.hash(event, version=7, previous=bytes(range(32))) == sha256(by_hand).digest()


def test_the_same_instant_in_another_zone_hashes_alike_and_one_without_a_zone_is_refused() -> None:
    event = log_of([0])[0]
    elsewhere = msgspec.structs.replace(event, occurred_at=event.occurred_at.astimezone(tz=None))
    assert hash_of(elsewhere) == hash_of(event)
    with pytest.raises(ValueError, match="has no zone"):
        hash_of(msgspec.structs.replace(event, occurred_at=event.occurred_at.replace(tzinfo=None)))


@given(st.binary(max_size=8), st.binary(max_size=8), st.binary(max_size=8), st.binary(max_size=8))
def test_moving_bytes_between_fields_changes_the_hash(meta: bytes, data: bytes, other: bytes, rest: bytes) -> None:
    event = log_of([0])[0]
    one = msgspec.structs.replace(event, meta=meta, data=data)
    two = msgspec.structs.replace(event, meta=other, data=rest)
    assert (hash_of(one) == hash_of(two)) == ((meta, data) == (other, rest))


def test_the_events_of_an_append_are_chained_from_its_previous_hash() -> None:
    append = Append(
        stream_id=STREAMS[0],
        category="complaint",
        desk="plain",
        expected_version=4,
        previous_hash=bytes(range(32)),
        command_id=UUID(int=9),
        events=tuple(NewEvent(type=name, occurred_at=NINE, data=b"d", meta=b"m") for name in ("a", "b", "c")),
    )
    chain, previous = hashes(append), append.previous_hash
    for version, (event, own) in enumerate(zip(append.events, chain, strict=True), 5):
        hashing = Hashing(stream_id=append.stream_id, command_id=append.command_id, category="complaint", desk="plain")
        assert own == hashing.hash(event, version=version, previous=previous)
        previous = own


@given(logs)
def test_an_untouched_log_holds_with_a_checkpoint_at_every_size(log: list[StoredEvent]) -> None:
    checkpoints = [checkpoint_of(log[:size]) for size in range(len(log) + 1)]
    verdict = verify_log(iter(log), checkpoints)
    assert verdict.holds
    assert (verdict.size, verdict.root, verdict.checkpoints) == (len(log), checkpoints[-1].root, len(log) + 1)
    assert verdict.streams == len({event.stream_id for event in log})
    assert all(verify_stream(event for event in log if event.stream_id == stream) == [] for stream in STREAMS)


CHANGES = {
    "stream_id": UUID(int=77),
    "version": 99,
    "category": "duties",
    "desk": "other",
    "type": "complaint.closed",
    "schema_version": 2,
    "occurred_at": NINE,
    "command_id": UUID(int=78),
    "data": b"{}",
    "meta": b"[]",
    "previous_hash": bytes(range(32)),
    "hash": bytes(range(32)),
}


@given(logs, st.data(), st.sampled_from(sorted(CHANGES)))
def test_an_alteration_of_any_stored_field_is_found_at_its_position(
    log: list[StoredEvent], data: st.DataObject, field: str
) -> None:
    place = data.draw(st.integers(0, len(log) - 1))
    log[place] = msgspec.structs.replace(log[place], **{field: CHANGES[field]})
    assert Flaw(place + 1, "altered", "the stored content does not give the stored hash") in verify_log(log).flaws


@given(logs, st.data())
def test_an_alteration_that_recomputes_its_own_hash_breaks_the_chain_or_the_root(
    log: list[StoredEvent], data: st.DataObject
) -> None:
    checkpoint = checkpoint_of(log)
    place = data.draw(st.integers(0, len(log) - 1))
    forged = msgspec.structs.replace(log[place], data=b"forged")
    log[place] = msgspec.structs.replace(forged, hash=hash_of(forged))
    codes = {flaw.code for flaw in verify_log(log, [checkpoint]).flaws}
    followed = any(event.stream_id == forged.stream_id for event in log[place + 1 :])
    assert codes == ({"unchained", "root"} if followed else {"root"})


@given(logs, st.data())
def test_a_log_that_is_cut_off_still_chains_and_only_the_checkpoint_tells(
    log: list[StoredEvent], data: st.DataObject
) -> None:
    checkpoint = checkpoint_of(log)
    rest = log[: data.draw(st.integers(0, len(log) - 1))]
    assert verify_log(rest).holds
    assert [flaw.code for flaw in verify_log(rest, [checkpoint]).flaws] == ["cut-off"]


@given(logs.filter(lambda log: len(log) > 1), st.data())
def test_a_position_that_is_left_out_is_a_gap(log: list[StoredEvent], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(log) - 2))
    verdict = verify_log([*log[:place], *log[place + 1 :]])
    assert Flaw(place + 2, "gap", f"follows position {place}") in verdict.flaws


def test_times_that_run_backwards_are_found() -> None:
    log = log_of([0, 1, 0])
    log[2] = msgspec.structs.replace(log[2], recorded_at=NINE)
    assert [(flaw.position, flaw.code) for flaw in verify_log(log).flaws] == [(3, "backwards")]


def test_a_changed_time_of_record_is_found_by_the_root() -> None:
    log = log_of([0, 1, 0])
    checkpoint = checkpoint_of(log)
    log[2] = msgspec.structs.replace(log[2], recorded_at=log[2].recorded_at + timedelta(seconds=1))
    assert [(flaw.position, flaw.code) for flaw in verify_log(log, [checkpoint]).flaws] == [(3, "root")]


def test_two_checkpoints_that_contradict_each_other_are_found() -> None:
    log = log_of([0, 1])
    right = checkpoint_of(log)
    wrong = replace(right, root=bytes(32))
    assert [flaw.code for flaw in verify_log(log, [right, wrong]).flaws] == ["contradiction"]
    assert [flaw.code for flaw in verify_log(log, [wrong, right]).flaws] == ["contradiction", "root"]


def test_a_stream_of_its_own_shows_a_lost_beginning_and_a_lost_middle() -> None:
    log = log_of([0, 0, 0])
    assert [(flaw.position, flaw.code) for flaw in verify_stream(log[1:])] == [(2, "unchained")]
    assert [(flaw.position, flaw.code) for flaw in verify_stream([log[0], log[2]])] == [(3, "unchained")]


@given(st.integers(0, 2**63), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_read_back_from_its_text(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("redress.example/log", size, root)
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    assert Checkpoint.parse(checkpoint.text() + "an extension\n") == checkpoint


def test_the_text_of_a_checkpoint_is_three_lines() -> None:
    root = sha256(b"").digest()
    expected = "redress.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert Checkpoint("redress.example/log", 0, root).text() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n1\n",
        "origin\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n٣\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\n",
        "origin\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
        "origin\n1\n47DEQpj8HBSa\n",
        "origin\n1\nnot base64!\n",
        "origin\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nmore\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Checkpoint.parse(text)
