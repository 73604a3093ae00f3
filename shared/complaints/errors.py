"""Every error of the system; each has a stable ``code`` and its data.

RedressError
├── Rejected              a rule said no; never retried
├── Malformed             the request cannot be read: names the field and the rule
├── Unknown               no such desk, complaint, pack, key
├── Transient             try again: nothing has been decided
│   ├── VersionConflict   somebody else wrote to the stream first
│   ├── BeingErased       the data subject's key is about to be destroyed
│   ├── StoreBusy         the queue before the store is full
│   └── StoreUnavailable  the store does not answer
├── Taken                 a value that is unique in the desk belongs to another case
├── CommandReused         one command id, two different requests
├── Unsettled             rows of a pack undo one another: a fault of the pack, shown by a case
├── PackRefused           a pack that the engine would not execute as written; file, line, column
└── Undecodable           a stored record or a message that cannot be read
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from complaints.events import Clause


class RedressError(Exception):
    """The root. ``data`` is safe to show to whoever asked."""

    code = "error"

    def __init__(self, why: str, **data: Any) -> None:
        super().__init__(why)
        self.why, self.data = why, data


class Rejected(RedressError):
    """A rule said no. ``clause`` is the rule's, None where the engine itself or nobody's clause says it."""

    def __init__(self, code: str, clause: Clause, why: str, **data: Any) -> None:
        super().__init__(why, **data)
        self.code, self.clause = code, clause


class Malformed(RedressError):
    """A request that cannot be read. ``field`` is a dotted path, ``rule`` what it breaks."""

    code = "malformed"

    def __init__(self, field: str, rule: str, *, code: str = "malformed", **data: Any) -> None:
        super().__init__(f"{field}: {rule}", **data)
        self.field, self.rule, self.code = field, rule, code


class Unknown(RedressError):
    """Nothing is known under that name; ``code`` says of what kind: ``no-such-desk``, ``no-such-complaint``, …"""

    def __init__(self, code: str, why: str, **data: Any) -> None:
        super().__init__(why, **data)
        self.code = code


class Transient(RedressError):
    """Nothing has been decided; the same request may be sent again."""

    code = "try-again"


class VersionConflict(Transient):
    """The stream, or one that the decision relied on, is not at the expected version."""

    code = "version-conflict"

    def __init__(self, stream_id: UUID, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream_id} is at version {actual}, not {expected}", expected=expected, actual=actual)
        self.stream_id, self.expected, self.actual = stream_id, expected, actual


class BeingErased(Transient):
    """A new case of a data subject came in while the subject is being erased."""

    def __init__(self, subject: UUID) -> None:
        super().__init__("the data subject is just being erased; send the request again", subject=str(subject))


class StoreBusy(Transient):
    """The queue before the store stayed full."""

    code = "store-busy"


class StoreUnavailable(Transient):
    """The store did not answer within the time allowed."""

    code = "store-unavailable"


class Taken(RedressError):
    """A value that must be unique in the desk belongs to another stream."""

    code = "taken"

    def __init__(self, scope: str, holder: UUID) -> None:
        super().__init__(f"{scope} is taken by {holder}", scope=scope, holder=str(holder))
        self.scope, self.holder = scope, holder


class CommandReused(RedressError):
    """The same command id came with another request."""

    code = "idempotency-key-reused"


class Unsettled(RedressError):
    """The rows of a pack undo one another without an end; ``rows`` names them."""

    code = "pack-does-not-settle"


class PackRefused(RedressError):
    """A pack that cannot be run as written; ``line`` and ``column`` count from 1."""

    code = "pack-refused"

    def __init__(self, file: str, line: int, column: int, why: str, clause: Clause = None) -> None:
        super().__init__(f"{file}:{line}:{column}: {why}", file=file, line=line, column=column, clause=clause)
        self.file, self.line, self.column, self.clause = file, line, column, clause
        self.reason = why


class Undecodable(RedressError):
    """Bytes that no version of the vocabulary explains."""

    code = "undecodable"
