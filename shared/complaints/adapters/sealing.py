"""Sealing: personal values under a key of each data subject, and the only place to erase.

AES-256-GCM per value, with the stream, the version, the key's generation and the path of the field as associated data:
a sealed value opens only where it was written. But the name of a customer who acts is sealed once for a command, at its
first event, and opens in whatever event of the stream says so. A subject's key is random and kept wrapped by the
deployment's master key; to destroy it is to erase the subject, whatever copies of the log there are. What must stay
countable or unique after that, pseudonyms and numbers, are keyed digests.
"""

from __future__ import annotations

import hmac
import os
import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from complaints.adapters.master_key import KEY_BYTES
from complaints.adapters.subject_keys import Link, MemoryKeys, PostgresKeys, SubjectKeys, Wanted, WrappedKey
from complaints.codec import Recorded, opened
from complaints.commands import Sender
from complaints.errors import Undecodable
from complaints.events import Event
from complaints.personal import (
    BY_PERSON,
    CUSTOMER,
    ERASED,
    Path,
    Personal,
    Sealed,
    dotted,
    is_closed,
    personal_values,
    with_values,
)
from complaints.sealer import Unsealed

NONCE_BYTES = 12
FRESH_FOR = 60.0
"""Seconds for which a key is used without asking again, so that an erasure elsewhere is felt here as well."""
CACHED = 50_000


@dataclass(slots=True)
class _Key:
    """A key in use; ``cipher`` is None for one that was destroyed."""

    generation: int
    cipher: AESGCM | None
    until: float


class Sealing:
    """Seals, opens and erases. One for each process; `complaints.sealer.Sealer` and what readers need."""

    def __init__(
        self,
        keys: SubjectKeys,
        master: bytes,
        *,
        fresh_for: float = FRESH_FOR,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(master) != KEY_BYTES:
            raise ValueError(f"the master key has {KEY_BYTES} bytes")
        self._keys = keys
        self._master = master
        self._wrapping = AESGCM(self._derived(b"wrap"))
        self._pseudonyms, self._digests = self._derived(b"pseudonym"), self._derived(b"digest")
        self._fresh_for, self._clock = fresh_for, clock
        self._cache: OrderedDict[UUID, _Key] = OrderedDict()

    @classmethod
    def on(cls, pool: asyncpg.Pool, master: bytes) -> Sealing:
        """With its keys in PostgreSQL."""
        return cls(PostgresKeys(pool), master)

    @classmethod
    def in_memory(cls, master: bytes = bytes(KEY_BYTES)) -> Sealing:
        """With its keys in this process only."""
        return cls(MemoryKeys(), master)

    # --- names that reveal nothing ---
    def pseudonym(self, desk: str, name: str) -> UUID:
        """The data subject that a desk knows under this name; the same for the same name, and no way back."""
        digest = bytearray(hmac.digest(self._pseudonyms, _framed(desk, name.encode()), "sha256")[:16])
        digest[6] = digest[6] & 0x0F | 0x80  # version 8, RFC 9562: made as we like
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes=bytes(digest))

    def digest(self, desk: str, scope: str, value: bytes) -> bytes:
        """What stands for a value that must be unique in the desk; 32 bytes."""
        return hmac.digest(self._digests, _framed(desk, scope.encode(), value), "sha256")

    def webhook_secret(self, desk: str, name: str, generation: int) -> str:
        """The secret that a webhook's messages are signed with, as its receiver configures it."""
        secret = hmac.digest(
            self._derived(b"webhook"), _framed(desk, name.encode(), str(generation).encode()), "sha256"
        )
        return "whsec_" + b64encode(secret).decode()

    # --- sealing ---
    async def seal(
        self, stream: UUID, desk: str, items: Sequence[Unsealed], *, facts: Collection[str], by: Sender
    ) -> tuple[list[Event], Sender]:
        """The events of a command, and who caused them, with their personal values sealed.

        The keys are durable when it returns. The name of a customer who acts is sealed once, at the first event.

        Raises: BeingErased, StoreUnavailable.
        """
        customer = by.role == CUSTOMER
        found: dict[int, list[Personal]] = {}  # by place; most events have none
        for place, item in enumerate(items):
            values = personal_values(item.event, facts=facts, by_customer=customer)
            if customer and place == 0:
                values.append(Personal(BY_PERSON, by.person))
            if values and (values := [value for value in values if not is_closed(value.value)]):
                found[place] = values
        named = {
            place: [(value, items[place].subject) for value in values]
            if all(value.of is None and not value.names for value in values)
            else await self._about(desk, items[place].subject, values)
            for place, values in found.items()
        }
        keys = await self._keys_for_sealing(stream, desk, _subjects(named.values()), begins=items[0].version == 1)
        nonces = _nonces(sum(map(len, named.values())))
        events = [item.event for item in items]
        for place, of_event in named.items():
            closed = _closed(of_event, keys, stream, items[place].version, nonces)
            if BY_PERSON in closed:
                by = Sender(person=closed.pop(BY_PERSON), role=by.role)
            events[place] = with_values(events[place], closed)
        return events, by

    async def _about(self, desk: str, subject: UUID, values: Iterable[Personal]) -> list[tuple[Personal, UUID]]:
        """Whom each value is about, where that is not the event's own subject alone."""
        streams = {UUID(value.of): value.of for value in values if value.of is not None and _is_id(value.of)}
        found = await self._keys.subjects(streams) if streams else {}
        others = {streams[stream]: other for stream, other in found.items()}
        return [
            (value, self.pseudonym(desk, value.value) if value.names else others.get(value.of or "", subject))
            for value in values
        ]

    async def _keys_for_sealing(
        self, stream: UUID, desk: str, wanted: Collection[UUID], *, begins: bool
    ) -> Mapping[UUID, _Key]:
        """Those of a new stream are always asked for, so that the stream is linked to its subject."""
        keys = {} if begins else {s: key for s in wanted if (key := self._cached(s)) is not None and key.cipher}
        if missing := [subject for subject in wanted if subject not in keys]:
            new = {subject: os.urandom(KEY_BYTES) for subject in missing}
            made = [Wanted(subject, desk, stream, self._wrap(subject, key)) for subject, key in new.items()]
            kept = await self._keys.ensure(made)
            for want in made:
                own = kept[want.subject]
                keys[want.subject] = self._remember(own, new[want.subject] if own.wrapped == want.wrapped else None)
        return keys

    # --- opening ---
    async def unseal(self, records: Sequence[Recorded]) -> list[Recorded]:
        """The events with their personal values; ``ERASED`` for those whose key has been destroyed. One query at most.

        Raises: Undecodable for a value that was not sealed there; StoreUnavailable.
        """
        keys = await self._keys_for_opening({s.subject for record in records for s in record.sealed.values()})
        return [
            opened(record, {path: self._open(s, keys) for path, s in record.sealed.items()})
            if record.sealed
            else record
            for record in records
        ]

    async def unseal_values(self, values: Sequence[Sealed]) -> list[Any]:
        """What is in these values, or ``ERASED``; as ``unseal``."""
        keys = await self._keys_for_opening({value.subject for value in values})
        return [self._open(value, keys) for value in values]

    def _open(self, sealed: Sealed, keys: Mapping[UUID, _Key]) -> Any:
        key = keys.get(sealed.subject)
        if key is None or key.cipher is None or key.generation != sealed.generation:
            return ERASED
        where = _where(sealed.stream, sealed.version, sealed.generation, sealed.path)
        try:
            token = b64decode(str.__str__(sealed), validate=True)
            return msgspec.json.decode(key.cipher.decrypt(token[:NONCE_BYTES], token[NONCE_BYTES:], where))
        except (InvalidTag, NotBase64, ValueError) as error:
            raise Undecodable(f"{sealed.path} of stream {sealed.stream} was not sealed there") from error

    async def _keys_for_opening(self, subjects: Collection[UUID]) -> Mapping[UUID, _Key]:
        keys = {subject: key for subject in subjects if (key := self._cached(subject)) is not None}
        if missing := [subject for subject in subjects if subject not in keys]:
            fetched = await self._keys.fetch(missing)
            keys.update({subject: self._remember(fetched[subject]) for subject in missing if subject in fetched})
        return keys

    # --- erasing ---
    async def begin_erasing(self, subject: UUID, command_id: UUID) -> Sequence[Link]:
        """Announces that the command will destroy the subject's key; answers where its values lie."""
        await self._keys.begin_erasing(subject, command_id)
        return await self._keys.links(subject)

    async def abandon_erasing(self, subject: UUID, command_id: UUID) -> None:
        """The command was refused: nothing is destroyed."""
        await self._keys.abandon_erasing(subject, command_id)

    async def erase(self, subject: UUID) -> None:
        """Destroys the subject's key: no value sealed until now opens ever again. Once done, does nothing."""
        await self._keys.destroy(subject)
        self.forget(subject)

    async def erasing(self) -> Mapping[UUID, UUID]:
        """Subject to the command whose erasure has begun, a while ago, and not ended."""
        return await self._keys.erasing()

    def forget(self, subject: UUID) -> None:
        """Drops the subject's key from memory; the next use asks for it again."""
        self._cache.pop(subject, None)

    # --- keys ---
    def _cached(self, subject: UUID) -> _Key | None:
        key = self._cache.get(subject)
        if key is None or key.until < self._clock():
            return None
        self._cache.move_to_end(subject)
        return key

    def _remember(self, wrapped: WrappedKey, key: bytes | None = None) -> _Key:
        """``key``: what is wrapped, where that is known."""
        if key is None and wrapped.wrapped is not None:
            key = self._unwrap(wrapped.subject, wrapped.wrapped)
        cipher = None if key is None else AESGCM(key)
        known = _Key(wrapped.generation, cipher, self._clock() + self._fresh_for)
        self._cache[wrapped.subject] = known
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return known

    def _wrap(self, subject: UUID, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, key, subject.bytes)

    def _unwrap(self, subject: UUID, wrapped: bytes) -> bytes:
        try:
            return self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], subject.bytes)
        except InvalidTag as error:
            raise Undecodable(f"the key of subject {subject} was wrapped by another master key") from error

    def _derived(self, purpose: bytes) -> bytes:
        return hmac.digest(self._master, b"redress " + purpose + b" 1", "sha256")


def _subjects(named: Iterable[Iterable[tuple[Personal, UUID]]]) -> Collection[UUID]:
    """Whom the values are about, each once. Nearly always it is one and the same."""
    found: dict[UUID, None] = {}
    last = None
    for values in named:
        for _, subject in values:
            if subject is not last:
                found[subject], last = None, subject
    return found.keys()


def _closed(
    values: Iterable[tuple[Personal, UUID]],
    keys: Mapping[UUID, _Key],
    stream: UUID,
    version: int,
    nonces: Iterator[bytes],
) -> dict[Path, Any]:
    """The values of one event, sealed."""
    closed: dict[Path, Any] = {}
    last, key, where = None, None, b""
    for value, subject in values:
        if key is None or subject is not last:
            last, key = subject, keys[subject]
            where = _where(stream, version, key.generation, "")
        if key.cipher is None:
            raise ValueError("nothing is sealed under a destroyed key")
        path, nonce = dotted(value.path), next(nonces)
        token = nonce + key.cipher.encrypt(nonce, msgspec.json.encode(value.value), where + path.encode())
        closed[value.path] = Sealed(
            b64encode(token).decode(),
            subject=subject,
            generation=key.generation,
            stream=stream,
            version=version,
            path=path,
        )
    return closed


def _nonces(count: int) -> Iterator[bytes]:
    """So many nonces, each of its own random bytes; the system is asked once."""
    bits = os.urandom(count * NONCE_BYTES)
    return (bits[place : place + NONCE_BYTES] for place in range(0, len(bits), NONCE_BYTES))


def _where(stream: UUID, version: int, generation: int, path: str) -> bytes:
    return stream.bytes + version.to_bytes(4, "big") + generation.to_bytes(4, "big") + path.encode()


def _framed(desk: str, *parts: bytes) -> bytes:
    """Parts that cannot run into one another."""
    framed: list[bytes] = []
    for part in (desk.encode(), *parts):
        framed += (len(part).to_bytes(4, "big"), part)
    return b"".join(framed)


def _is_id(complaint: str) -> bool:
    try:
        UUID(complaint)
    except ValueError:
        return False
    return True
