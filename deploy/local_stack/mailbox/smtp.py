"""The receiving end: an SMTP server that keeps whatever it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from aiosmtpd.smtp import SMTP, Envelope, Session

from local_stack.mailbox.store import MailStore

SIZE_LIMIT = 32 * 2**20
"""Bytes of one mail; a larger one is refused by the protocol's own answer."""


class _Keep:
    def __init__(self, store: MailStore, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002  # aiosmtpd's names
        content = envelope.original_content or b""
        mail = await asyncio.to_thread(
            self._store.add,
            sender=envelope.mail_from or "",
            recipients=envelope.rcpt_tos,
            content=content,
            now=self._now(),
        )
        return f"250 kept as {mail}"


async def listen(store: MailStore, host: str, port: int, *, now: Callable[[], datetime]) -> asyncio.Server:
    """An SMTP server, already listening; close it to stop."""
    loop = asyncio.get_running_loop()
    handler = _Keep(store, now)
    return await loop.create_server(
        lambda: SMTP(
            handler, hostname="mailbox.localhost", ident="Redress mailbox", data_size_limit=SIZE_LIMIT, loop=loop
        ),
        host,
        port,
    )
