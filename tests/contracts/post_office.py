"""Who takes messages in tests: a mail server and a receiver of webhooks, both real, both unwilling on demand."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from complaints.adapters.service import serving


@dataclass
class MailServer:
    """Keeps every mail that it took, in order.

    ``refuses``: what it answers to a recipient; ``answers``: to the next mails, one each; ``gate``: what each mail
    waits for after it has come and before that is said.
    """

    mails: list[EmailMessage] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    answers: deque[str] = field(default_factory=deque)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    password: str = "s3cret"
    encrypted: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Sequence[str]
    ) -> str:
        if (answer := self.refuses.get(address)) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        answer = self.answers.popleft() if self.answers else "250 taken"
        if answer.startswith("2"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.mails.append(message_from_bytes(content, _class=EmailMessage, policy=policy.default))
            self.encrypted.append(session.ssl is not None)
        await self.gate.wait()
        return answer

    def authenticated(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password.decode() == self.password, handled=False)

    @asynccontextmanager
    async def serving(
        self,
        port: int = 0,
        *,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        **options: Any,
    ) -> AsyncIterator[int]:
        """Takes mail in this event loop; yields the port."""
        loop = asyncio.get_running_loop()

        def smtp() -> SMTP:
            return SMTP(self, hostname="mail.test", tls_context=starttls, authenticator=self.authenticated, **options)

        server = await loop.create_server(smtp, "127.0.0.1", port, ssl=tls)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            await server.wait_closed()

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to one address."""
        return [mail for mail in self.mails if mail["To"] == address]


def text_of(mail: EmailMessage, form: str = "plain") -> str:
    """What a mail says."""
    body = mail.get_body((form,))
    assert body is not None
    return str(body.get_content())


@dataclass
class Receiver:
    """Keeps every request; ``answers``: status and headers for the next ones, 204 for all others.

    Those to a path in ``gates`` are answered when its gate opens.
    """

    requests: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    answers: deque[tuple[int, Mapping[str, str]]] = field(default_factory=deque)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)

    async def take(self, request: Request) -> Response:
        self.requests.append((dict(request.headers), await request.body()))
        if (gate := self.gates.get(request.url.path)) is not None:
            await gate.wait()
        status, headers = self.answers.popleft() if self.answers else (204, {})
        return Response(status_code=status, headers=dict(headers))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Receives in this event loop; yields the URL."""
        app = Starlette(routes=[Route("/{path:path}", self.take, methods=["POST", "GET"])])
        async with serving(app, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}/in"

    def verified(self, secret: str) -> list[Any]:
        """The bodies, each checked as Standard Webhooks has it. Raises WebhookVerificationError."""
        return [Webhook(secret).verify(body, dict(headers)) for headers, body in self.requests]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.requests]
