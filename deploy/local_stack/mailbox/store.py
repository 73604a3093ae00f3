"""Mails as files: one ``.eml`` each, named so that their order is the order of arrival."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

FROM, TO = "X-Envelope-From", "X-Envelope-To"
_ID = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One received mail. ``sender`` and ``recipients`` are the envelope's; ``html`` is None without such a part."""

    id: str
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str | None


class MailStore:
    """The mails under one folder; what is in it survives a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, *, sender: str, recipients: Sequence[str], content: bytes, now: datetime) -> str:
        """Keeps a mail and returns its id; once it returns, a crash of this process loses nothing."""
        mail = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
        envelope = f"{FROM}: {_one_line(sender)}\r\n{TO}: {', '.join(map(_one_line, recipients))}\r\n"
        unfinished = self.folder / f"{mail}.new"
        unfinished.write_bytes(envelope.encode() + content)
        unfinished.rename(self.folder / f"{mail}.eml")
        return mail

    def count(self) -> int:
        return sum(1 for _ in self.folder.glob("*.eml"))

    def newest(self, *, before: str | None = None, to: str | None = None) -> Iterator[Mail]:
        """Mails from the newest to the oldest: those ``before`` an id, those ``to`` an address, where one is given."""
        for file in sorted(self.folder.glob("*.eml"), reverse=True):
            if before is not None and file.stem >= before:
                continue
            mail = self._read(file)
            if to is None or to.casefold() in (recipient.casefold() for recipient in mail.recipients):
                yield mail

    def get(self, mail: str) -> Mail | None:
        """The mail with that id, None where there is none."""
        file = self.file(mail)
        return self._read(file) if file else None

    def file(self, mail: str) -> Path | None:
        """The ``.eml`` file of the mail with that id, None where there is none."""
        file = self.folder / f"{mail}.eml"
        return file if _ID.fullmatch(mail) and file.is_file() else None

    def _read(self, file: Path) -> Mail:
        with file.open("rb") as source:
            message = BytesParser(_class=EmailMessage, policy=policy.default).parse(source)
        received_at = datetime.strptime(file.stem.partition("Z-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        return Mail(
            id=file.stem,
            received_at=received_at,
            sender=str(message[FROM] or ""),
            recipients=tuple(address.strip() for address in str(message[TO] or "").split(",")),
            subject=str(message["Subject"] or ""),
            text=_part(message, "plain") or "",
            html=_part(message, "html"),
        )


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return None
    payload = part.get_payload(decode=True)
    encoding = part.get_content_charset("utf-8")
    try:
        return payload.decode(encoding, errors="replace") if isinstance(payload, bytes) else None
    except LookupError:  # a charset that nobody knows
        return payload.decode(errors="replace") if isinstance(payload, bytes) else None


def _one_line(address: str) -> str:
    return " ".join(address.split())
