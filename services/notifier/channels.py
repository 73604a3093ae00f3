"""How a message leaves: e-mail over SMTP, staff channels through Apprise, webhooks signed by Standard Webhooks."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final, Protocol
from uuid import UUID

import aiosmtplib
import apprise
import httpx
from standardwebhooks import Webhook

from complaints.adapters.settings import Mail
from complaints.ports import Now
from notifier.rendering import Letter

SECONDS: Final = 20.0
"""What a server may take for one answer."""
IN_ALL: Final = 60.0
"""Seconds that a channel may take for one message, whatever it does; a lease lasts longer."""


class NotSent(Exception):
    """A message did not go out. ``why``, and its ``code``, hold no address and no text of it."""

    def __init__(self, why: str, code: str) -> None:
        super().__init__(why)
        self.why, self.code = why, code


class Withheld(NotSent):
    """It would not be true any more: nobody is told, and nothing has failed."""


class Refused(NotSent):
    """For good: sending it again would change nothing."""


class TryAgain(NotSent):
    """Something passing: the server is away, or full. ``after``: how long the server asks to be left alone."""

    def __init__(self, why: str, code: str, *, after: timedelta = timedelta()) -> None:
        super().__init__(why, code)
        self.after = after


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message with its address. ``key`` is the same however often it is tried."""

    key: UUID
    address: str
    letter: Letter | None = None  # of mail and staff channels
    body: str = ""  # of a webhook
    secret: str = ""


class Channel(Protocol):
    """A way out."""

    async def send(self, outgoing: Outgoing) -> None:
        """Returns once the other side has taken it. Raises: Refused, TryAgain."""
        ...


Channels = Mapping[str, Channel]
"""By ``email`` and ``webhook``; ``staff`` stands for every other channel."""

# --- e-mail ---
ADDRESS: Final = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,255}")
"""One mailbox and nothing else: what complainants give as their address can bring no second recipient and no header."""

PERMANENT: Final = 500
"""SMTP answers from here on are final (RFC 5321, 4.2.1)."""


class Email:
    """SMTP. The Message-ID is made of the key, so that one mail that comes twice is recognised.

    Final is what the server says of the recipient or the mail. What it says of us, of our password or at the door, is
    for the operator to put right, and the mail waits.
    """

    def __init__(self, mail: Mail, now: Now) -> None:
        self._mail, self._now = mail, now

    async def send(self, outgoing: Outgoing) -> None:
        """Returns once the server has taken it. Raises: Refused, TryAgain."""
        mail = self._mail
        if (address := mailbox(outgoing.address)) is None:
            raise Refused("what is given as e-mail address is none", "not-an-address")
        try:
            async with asyncio.timeout(IN_ALL):
                await aiosmtplib.send(
                    self._message(outgoing, address),
                    sender=mail.sender,
                    recipients=[address],
                    hostname=mail.host,
                    port=mail.port,
                    username=mail.username,
                    password=mail.password,
                    use_tls=mail.tls == "tls",
                    start_tls=mail.tls == "starttls",
                    timeout=SECONDS,
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _answered(min((refused.code for refused in error.recipients), default=PERMANENT)) from error
        except (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError) as error:
            raise _answered(error.code) from error
        except aiosmtplib.SMTPResponseException as error:
            raise TryAgain(f"smtp: {error.code}", f"smtp-{error.code}") from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise TryAgain(f"smtp: {type(error).__name__}", "smtp-unreachable") from error

    def _message(self, outgoing: Outgoing, address: str) -> EmailMessage:
        if outgoing.letter is None:
            raise Refused("nothing to say", "empty")
        message = EmailMessage()
        message["From"], message["To"] = self._mail.sender, address
        message["Subject"] = outgoing.letter.subject
        message["Date"] = format_datetime(self._now().astimezone(UTC))
        message["Message-ID"] = f"<{outgoing.key}@{self._mail.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office answers it
        message.set_content(outgoing.letter.text)
        message.add_alternative(outgoing.letter.html, subtype="html")
        return message


def mailbox(address: str) -> str | None:
    """One plain e-mail address as servers spell it, its domain in ASCII; None for anything else."""
    if ADDRESS.fullmatch(address) is None or not (local := address.partition("@")[0]).isascii():
        return None
    try:
        return f"{local}@{address.partition('@')[2].encode('idna').decode()}"
    except UnicodeError:
        return None


def _answered(code: int) -> NotSent:
    kind = Refused if code >= PERMANENT else TryAgain
    return kind(f"smtp: {code}", f"smtp-{code}")


# --- staff channels ---
class Staff:
    """A person's own channel, given as an Apprise URL."""

    def __init__(self) -> None:
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it writes addresses and answers into the log

    async def send(self, outgoing: Outgoing) -> None:
        """Returns once the channel has taken it. Raises: Refused, TryAgain."""
        if outgoing.letter is None:
            raise Refused("nothing to say", "empty")
        channel = apprise.Apprise()
        if not await asyncio.to_thread(channel.add, outgoing.address):  # the first one loads every kind of channel
            raise Refused("the channel's address is none that can be used", "not-a-channel")
        try:
            async with asyncio.timeout(IN_ALL):
                taken = await channel.async_notify(title=outgoing.letter.subject, body=outgoing.letter.text)
        except (OSError, TimeoutError) as error:
            raise TryAgain(f"channel: {type(error).__name__}", "channel-unreachable") from error
        if not taken:
            raise TryAgain("channel: not taken", "channel-not-taken")


# --- webhooks ---
LONGEST_WISH: Final = timedelta(days=1)


class Hooks:
    """Webhooks, signed; a receiver that has taken an id before answers 2xx and does nothing.

    Each try is signed anew: a receiver refuses what was signed more than minutes ago. Whatever else than 2xx it answers
    may be put right on its side and is tried again; 410 says that there is nobody any more (Standard Webhooks).
    """

    def __init__(self, http: httpx.AsyncClient, now: Now) -> None:
        self._http, self._now = http, now

    async def send(self, outgoing: Outgoing) -> None:
        """Returns once the receiver has answered 2xx. Raises: Refused, TryAgain."""
        message, signed_at = str(outgoing.key), self._now().astimezone(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(signed_at.timestamp())),
            "webhook-signature": Webhook(outgoing.secret).sign(message, signed_at, outgoing.body),
        }
        try:
            async with asyncio.timeout(IN_ALL):
                answer = await self._http.post(
                    outgoing.address, content=outgoing.body.encode(), headers=headers, timeout=SECONDS
                )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Refused("webhook: not an address", "not-an-address") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise TryAgain(f"webhook: {type(error).__name__}", "webhook-unreachable") from error
        if answer.is_success:
            return
        why, code = f"webhook: {answer.status_code}", f"webhook-{answer.status_code}"
        if answer.status_code == HTTPStatus.GONE:
            raise Refused(why, code)
        raise TryAgain(why, code, after=_wish(answer.headers.get("retry-after", "")))


def _wish(retry_after: str) -> timedelta:
    """How long a receiver asks to be left alone; only seconds are understood."""
    if not (retry_after.isascii() and retry_after.isdigit()) or len(retry_after) > len("99999999"):
        return timedelta()
    return min(timedelta(seconds=int(retry_after)), LONGEST_WISH)
