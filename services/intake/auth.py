"""Who asks: a key is a desk, a frontend, the roles that it may name and its scopes. Nothing but health answers without.

A key of one desk learns nothing of another: what belongs to another desk is not there for it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, Protocol

from complaints.adapters.problems import Refused
from complaints.commands import SERVICE_COMMANDS, Sender
from complaints.desk_keys import Principal
from complaints.desk_view import SYSTEM
from complaints.errors import Unknown
from complaints.identity import EVERY_DESK

OPERATE: Final = "operate"
IMPLIED: Final = frozenset(("import", "desk"))
"""Scopes that whoever operates the deployment has anyway."""


class Keys(Protocol):
    """Knows the keys of every desk."""

    async def authenticate(self, token: str) -> Principal:
        """Who speaks through a key. Raises Unknown(no-such-key)."""
        ...


async def principal_of(authorization: str | None, keys: Keys, *, basic: bool = False) -> Principal:
    """Who speaks. ``basic``: a key may also come as the password of a browser, which can send nothing else.

    Raises: Refused: 401.
    """
    token = _token(authorization, basic=basic)
    if not token:
        raise Refused(401, "no-key", "send `Authorization: Bearer <key>`", field="Authorization")
    try:
        return await keys.authenticate(token)
    except Unknown:
        raise Refused(401, "no-such-key", "this key is not known, or was revoked", field="Authorization") from None


def _token(authorization: str | None, *, basic: bool) -> str | None:
    scheme, _, credentials = (authorization or "").partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "basic" if basic:
            try:
                return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return None
        case _:
            return None


def allows(who: Principal, scope: str) -> bool:
    """Whether a key has a scope, or one that implies it."""
    return who.may(scope) or (scope in IMPLIED and who.may(OPERATE))


def need_scope(who: Principal, scope: str) -> None:
    """Raises Refused: 403, the key has not this scope."""
    if not allows(who, scope):
        raise Refused(403, "scope-missing", f"this key has not the scope {scope}", scope=scope)


def need_desk(who: Principal, desk: str) -> None:
    """Raises Unknown: the desk is not this key's, so for it there is none."""
    if not who.sees(desk):
        raise Unknown("no-such-desk", f"no desk is called {desk}", desk=desk)


def desk_of(who: Principal, named: str | None, *, field: str) -> str:
    """The desk that a request is for: the one named, else the key's own.

    Raises: Refused: 422, an operator's key belongs to no one desk; Unknown: not this key's.
    """
    if named is not None:
        need_desk(who, named)
        return named
    if who.desk == EVERY_DESK:
        raise Refused(422, "which-desk", "an operator's key must name the desk", field=field)
    return who.desk


def need_role(who: Principal, by: Sender, command: str) -> None:
    """Whether this frontend may say that somebody in this role sends the command.

    Raises: Refused: 403. Nobody outside speaks for the system itself.
    """
    if command in SERVICE_COMMANDS:
        why = f"{command} is sent by Redress's own services only"
        raise Refused(403, "services-only", why, field="command")
    if SYSTEM in (by.role, by.person):
        raise Refused(403, "role-not-of-key", "the system speaks for itself", field="by.role")
    if not who.may_name(by.role):
        why = f"this key does not speak for {by.role}"
        raise Refused(403, "role-not-of-key", why, field="by.role", roles=sorted(who.roles))
