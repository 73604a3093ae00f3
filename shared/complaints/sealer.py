"""What the core asks of whoever seals personal values: the port that `complaints.adapters.sealing` fills."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from complaints.codec import Recorded
from complaints.commands import Sender
from complaints.events import Event


class Unsealed(msgspec.Struct, frozen=True):
    """An event that will be stored as ``version``, and the data subject it is about."""

    event: Event
    version: int
    subject: UUID


class Link(Protocol):
    """A stream that holds values of a subject. ``fresh``: its first event may still be on the way."""

    @property
    def stream(self) -> UUID: ...
    @property
    def fresh(self) -> bool: ...


class Sealer(Protocol):
    """Seals personal values on their way to the log, opens them on their way back, and erases."""

    def pseudonym(self, desk: str, name: str) -> UUID:
        """The data subject that a desk knows under this name."""
        ...

    def digest(self, desk: str, scope: str, value: bytes) -> bytes:
        """What stands for a value that must be unique in the desk."""
        ...

    async def seal(
        self, stream: UUID, desk: str, items: Sequence[Unsealed], *, facts: Collection[str], by: Sender
    ) -> tuple[list[Event], Sender]:
        """The events of a command, at least one, and who caused them, personal values sealed under durable keys.

        The name of a customer who acts is sealed once for all of them, at the first.

        Raises: BeingErased, StoreUnavailable.
        """
        ...

    async def unseal(self, records: Sequence[Recorded]) -> list[Recorded]:
        """The events with their personal values, ``ERASED`` where the key is gone."""
        ...

    async def begin_erasing(self, subject: UUID, command_id: UUID) -> Sequence[Link]:
        """Announces that the command will destroy the subject's key; answers where its values lie."""
        ...

    async def abandon_erasing(self, subject: UUID, command_id: UUID) -> None:
        """The command was refused: nothing is destroyed."""
        ...

    async def erase(self, subject: UUID) -> None:
        """Destroys the subject's key. Once done, does nothing."""
        ...

    async def erasing(self) -> Mapping[UUID, UUID]:
        """Subject to the command whose erasure has begun, a while ago, and not ended."""
        ...

    def forget(self, subject: UUID) -> None:
        """Drops the subject's key from memory."""
        ...
