"""The keys of a desk's frontends: what is known of each, and who speaks through one."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from complaints.identity import EVERY_DESK

ANY: Final = "*"
"""Every role, every clock."""

SCOPES: Final = ("read", "write", "import", "desk", "operate")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A frontend's key: what is known of it. ``hash``: SHA-256 of the key, hex."""

    id: str
    hash: str
    frontend: str
    roles: frozenset[str]
    scopes: frozenset[str]
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who speaks through a key. ``desk`` is ``*`` for an operator's."""

    desk: str
    frontend: str
    roles: frozenset[str]
    scopes: frozenset[str]
    key: str

    def may(self, scope: str) -> bool:
        """Whether the key is good for reading, writing, changing the desk, operating."""
        return scope in self.scopes

    def may_name(self, role: str) -> bool:
        """Whether the frontend may say that somebody acts in this role."""
        return ANY in self.roles or role in self.roles

    def sees(self, desk: str) -> bool:
        """Whether a desk is this key's own."""
        return self.desk in {desk, EVERY_DESK}


def key_token(desk: str, id: str, secret: str) -> str:
    """A key as its frontend sends it: whose it is, which one, and the secret."""
    return f"rk_{desk}_{id}_{secret}"


def key_parts(token: str) -> tuple[str, str] | None:
    """The desk and the public part of a key, None for what is none."""
    parts = token.split("_", 3)
    return (parts[1], parts[2]) if len(parts) == 4 and parts[0] == "rk" else None


def key_hash(token: str) -> str:
    """What is stored of a key. It holds 256 random bits, so that nothing slower is needed."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
