"""The mailbox: real SMTP in, pages and JSON out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from local_stack.mailbox.pages import create_app
from local_stack.mailbox.smtp import listen
from local_stack.mailbox.store import MailStore
from local_stack.ports import LOOPBACK, free_port

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    return MailStore(tmp_path / "mailbox")


@pytest.fixture
async def smtp_port(store: MailStore) -> AsyncIterator[int]:
    port = free_port()
    async with await listen(store, LOOPBACK, port, now=lambda: NOON):
        yield port


@pytest.fixture
async def browser(store: MailStore) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(store))
    async with httpx.AsyncClient(transport=transport, base_url="http://mailbox") as client:
        yield client


def letter(*, to: str = "customer@example.org", subject: str = "您的投诉 4711", text: str = "已受理。") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "desk@example.org", to, subject
    message.set_content(text)
    return message


async def send(message: EmailMessage, port: int) -> None:
    await aiosmtplib.send(message, hostname=LOOPBACK, port=port)


async def test_a_mail_sent_by_smtp_is_listed_with_its_envelope_and_its_text(
    smtp_port: int, browser: httpx.AsyncClient
) -> None:
    await send(letter(), smtp_port)
    listing = (await browser.get("/api/mails")).json()
    assert listing["total"] == 1
    assert listing["before"] is None
    [mail] = listing["mails"]
    assert (await browser.get(f"/api/mails/{mail['id']}")).json() == mail
    assert mail | {"id": None, "text": mail["text"].strip()} == {
        "id": None,
        "received_at": "2026-03-02T12:00:00+00:00",
        "from": "desk@example.org",
        "to": ["customer@example.org"],
        "subject": "您的投诉 4711",
        "text": "已受理。",
        "html": None,
    }


async def test_mails_are_still_there_for_the_next_process(smtp_port: int, store: MailStore) -> None:
    await send(letter(subject="kept"), smtp_port)
    assert [mail.subject for mail in MailStore(store.folder).newest()] == ["kept"]


async def test_a_mail_cannot_run_anything_in_the_page_that_shows_it(smtp_port: int, browser: httpx.AsyncClient) -> None:
    message = letter(subject="<script>alert(1)</script>", text="</pre><script>alert(2)</script>")
    message.add_alternative('<p onload="alert(3)">hello</p>"><script>alert(4)</script>', subtype="html")
    await send(message, smtp_port)
    [mail] = (await browser.get("/api/mails")).json()["mails"]
    for page in (await browser.get("/"), await browser.get(f"/mails/{mail['id']}")):
        assert page.status_code == 200
        assert "alert(1)" in page.text
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_pages_follow_one_another_from_the_newest_to_the_oldest_without_a_gap(
    store: MailStore, browser: httpx.AsyncClient
) -> None:
    for number in range(5):
        content = letter(subject=str(number)).as_bytes()
        store.add(sender="a@x", recipients=["b@x"], content=content, now=NOON.replace(second=number))
    seen: list[str] = []
    before: str | None = None
    while True:
        listing = (await browser.get("/api/mails", params={"limit": 2} | ({"before": before} if before else {}))).json()
        seen += [mail["subject"] for mail in listing["mails"]]
        before = listing["before"]
        if before is None:
            break
    assert seen == ["4", "3", "2", "1", "0"]


async def test_the_mails_of_one_address_can_be_picked_out(smtp_port: int, browser: httpx.AsyncClient) -> None:
    await send(letter(to="one@example.org", subject="for one"), smtp_port)
    await send(letter(to="two@example.org", subject="for two"), smtp_port)
    found = (await browser.get("/api/mails", params={"to": "TWO@example.org"})).json()["mails"]
    assert [mail["subject"] for mail in found] == ["for two"]


async def test_the_original_can_be_fetched_and_a_name_that_is_none_finds_nothing(
    smtp_port: int, browser: httpx.AsyncClient
) -> None:
    await send(letter(subject="as sent"), smtp_port)
    [mail] = (await browser.get("/api/mails")).json()["mails"]
    original = await browser.get(f"/mails/{mail['id']}.eml")
    assert original.headers["content-type"] == "message/rfc822"
    assert b"Subject: as sent" in original.content
    for name in ("nothing", "..%2f..%2fetc%2fpasswd", "20260302T120000000000Z-00000000"):
        assert (await browser.get(f"/mails/{name}")).status_code == 404
        assert (await browser.get(f"/mails/{name}.eml")).status_code == 404
