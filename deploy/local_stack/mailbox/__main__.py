"""Starts the mailbox: ``python -m local_stack.mailbox``, told where by the ``REDRESS_`` settings."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import uvicorn

from local_stack.mailbox.pages import create_app
from local_stack.mailbox.smtp import listen
from local_stack.mailbox.store import MailStore
from local_stack.settings import StackSettings


async def serve(settings: StackSettings) -> None:
    """Takes mails and shows them until the process is told to stop."""
    store = MailStore(settings.data_dir / "mailbox")
    pages = uvicorn.Server(
        uvicorn.Config(
            create_app(store),
            host=settings.host,
            port=settings.mailbox_port,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
    )
    async with await listen(store, settings.host, settings.smtp_port, now=lambda: datetime.now(UTC)):
        await pages.serve()


if __name__ == "__main__":
    asyncio.run(serve(StackSettings()))
