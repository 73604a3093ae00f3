"""How a message leaves: e-mail over SMTP, staff channels through Apprise, webhooks signed by Standard Webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from http import HTTPStatus
from typing import Final, Protocol
from uuid import UUID

import aiosmtplib
import apprise
import httpx
from standardwebhooks import Webhook

from complaints.adapters.settings import Mail
from notifier.rendering import Letter

SECONDS: Final = 20.0
"""What a server may take for one message."""


class NotSent(Exception):
    """A message did not go out; ``why`` holds no address and no text of it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Refused(NotSent):
    """For good: sending it again would change nothing."""


class TryAgain(NotSent):
    """Something passing: the server is away, or full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message with its address. ``key`` is the same however often it is tried."""

    key: UUID
    address: str
    at: datetime
    letter: Letter | None = None  # of mail and staff channels
    body: str = ""  # of a webhook
    secret: str = ""


class Channel(Protocol):
    """A way out."""

    async def send(self, outgoing: Outgoing) -> None:
        """Returns once the other side has taken it. Raises: Refused, TryAgain."""
        ...


class Email:
    """SMTP. The Message-ID is made of the key, so that one mail that comes twice is recognised."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    async def send(self, outgoing: Outgoing) -> None:
        """Returns once the server has taken it. Raises: Refused, TryAgain."""
        mail = self._mail
        try:
            await aiosmtplib.send(
                self._message(outgoing),
                sender=mail.sender,
                recipients=[outgoing.address],
                hostname=mail.host,
                port=mail.port,
                username=mail.username,
                password=mail.password,
                use_tls=mail.tls == "tls",
                start_tls=mail.tls == "starttls",
                timeout=SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            raise _answered(min(codes, default=HTTPStatus.INTERNAL_SERVER_ERROR)) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _answered(error.code) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise TryAgain(f"smtp: {type(error).__name__}") from error
        except ValueError as error:  # no address at all
            raise Refused("smtp: not an address") from error

    def _message(self, outgoing: Outgoing) -> EmailMessage:
        if outgoing.letter is None:
            raise Refused("nothing to say")
        message = EmailMessage()
        message["From"], message["To"] = self._mail.sender, outgoing.address
        message["Subject"], message["Date"] = outgoing.letter.subject, format_datetime(outgoing.at)
        domain = self._mail.sender.rpartition("@")[2] or make_msgid().partition("@")[2].rstrip(">")
        message["Message-ID"] = f"<{outgoing.key}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office answers it
        message.set_content(outgoing.letter.text)
        message.add_alternative(outgoing.letter.html, subtype="html")
        return message


PERMANENT: Final = 500
"""SMTP answers from here on are final (RFC 5321, 4.2.1)."""


def _answered(code: int) -> NotSent:
    return Refused(f"smtp: {code}") if code >= PERMANENT else TryAgain(f"smtp: {code}")


class Staff:
    """A person's own channel, given as an Apprise URL."""

    async def send(self, outgoing: Outgoing) -> None:
        """Returns once the channel has taken it. Raises: Refused, TryAgain."""
        if outgoing.letter is None:
            raise Refused("nothing to say")
        channel = apprise.Apprise()
        if not channel.add(outgoing.address):
            raise Refused("apprise: not a channel")
        if not await channel.async_notify(title=outgoing.letter.subject, body=outgoing.letter.text):
            raise TryAgain("apprise: not taken")


_PASSING: Final = frozenset(
    (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
)


class Hooks:
    """Webhooks, signed; a receiver that has taken an id before answers 2xx and does nothing."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def send(self, outgoing: Outgoing) -> None:
        """Returns once the receiver has answered 2xx. Raises: Refused, TryAgain."""
        message = str(outgoing.key)
        headers = {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(outgoing.at.timestamp())),
            "webhook-signature": Webhook(outgoing.secret).sign(message, outgoing.at, outgoing.body),
        }
        try:
            answer = await self._http.post(
                outgoing.address, content=outgoing.body.encode(), headers=headers, timeout=SECONDS
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Refused("webhook: not an address") from error
        except httpx.HTTPError as error:
            raise TryAgain(f"webhook: {type(error).__name__}") from error
        if answer.is_success:
            return
        if answer.is_server_error or answer.status_code in _PASSING:
            raise TryAgain(f"webhook: {answer.status_code}")
        raise Refused(f"webhook: {answer.status_code}")


Channels = Mapping[str, Channel]
"""By ``email`` and ``webhook``; ``staff`` stands for every other channel."""
