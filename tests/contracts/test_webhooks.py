"""Webhooks and staff channels against a real receiver: signed so that it can check, tried again until it takes them."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from standardwebhooks import WebhookVerificationError

from complaints.adapters.service import utc_now
from local_stack.ports import free_port
from notifier.channels import LONGEST_WISH, Hooks, NotSent, Outgoing, Refused, Staff, TryAgain
from notifier.rendering import Letter
from tests.contracts.post_office import Receiver

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise looks for it

KEY = UUID("a7d3c1f0-1111-5222-8333-944455556666")
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
BODY = '{"event":"clock.breached","data":{"clock":"答复"}}'
LETTER = Letter(subject="答复 is late", text="It was due.\n", html="<p>It was due.</p>")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
        yield client


@pytest.fixture
async def receiver() -> Receiver:
    return Receiver()


def outgoing(url: str, **more: Any) -> Outgoing:
    return Outgoing(**{"key": KEY, "address": url, "body": BODY, "secret": SECRET, **more})


async def failure(channel: Hooks | Staff, message: Outgoing) -> NotSent:
    with pytest.raises(NotSent) as caught:
        await channel.send(message)
    return caught.value


async def test_a_receiver_can_check_who_sent_it_and_that_nothing_was_changed(
    http: httpx.AsyncClient, receiver: Receiver
) -> None:
    async with receiver.serving() as url:
        await Hooks(http, utc_now).send(outgoing(url))

    assert receiver.verified(SECRET) == [json.loads(BODY)]
    ((headers, body),) = receiver.requests
    assert headers["content-type"] == "application/json"
    for changed in ({**headers, "webhook-id": "another"}, {**headers, "webhook-timestamp": "1"}):
        receiver.requests[:] = [(changed, body)]
        with pytest.raises(WebhookVerificationError):
            receiver.verified(SECRET)
    receiver.requests[:] = [(headers, body.replace(b"breached", b"started!"))]
    with pytest.raises(WebhookVerificationError):
        receiver.verified(SECRET)


async def test_what_is_tried_again_keeps_its_id_and_is_signed_anew(http: httpx.AsyncClient, receiver: Receiver) -> None:
    now = utc_now() - timedelta(hours=2)  # the first try, which a receiver would refuse by now
    receiver.answers.append((503, {}))
    async with receiver.serving() as url:
        first = await failure(Hooks(http, lambda: now), outgoing(url))
        await Hooks(http, utc_now).send(outgoing(url))

    assert type(first) is TryAgain
    assert receiver.ids == [str(KEY)] * 2
    with pytest.raises(WebhookVerificationError, match="too old"):
        receiver.verified(SECRET)
    del receiver.requests[0]
    assert receiver.verified(SECRET) == [json.loads(BODY)]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_taken_for_one(http: httpx.AsyncClient, receiver: Receiver, status: int) -> None:
    receiver.answers.append((status, {}))
    async with receiver.serving() as url:
        await Hooks(http, utc_now).send(outgoing(url))

    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504])
async def test_what_a_receiver_may_put_right_is_tried_again(
    http: httpx.AsyncClient, receiver: Receiver, status: int
) -> None:
    receiver.answers.append((status, {"location": "/elsewhere"} if status == 302 else {}))
    async with receiver.serving() as url:
        failed = await failure(Hooks(http, utc_now), outgoing(url))

    assert (type(failed), failed.code) == (TryAgain, f"webhook-{status}")
    assert len(receiver.requests) == 1  # and a redirection is followed nowhere


async def test_a_receiver_that_is_gone_is_not_asked_again(http: httpx.AsyncClient, receiver: Receiver) -> None:
    receiver.answers.append((410, {}))
    async with receiver.serving() as url:
        failed = await failure(Hooks(http, utc_now), outgoing(url))

    assert (type(failed), failed.code) == (Refused, "webhook-410")


@pytest.mark.parametrize(
    ("asked", "left_alone"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta()),
        ("99999999", LONGEST_WISH),
        ("9" * 400, timedelta()),
        ("-5", timedelta()),
        ("soon", timedelta()),
        ("²", timedelta()),
        ("Wed, 21 Oct 2026 07:28:00 GMT", timedelta()),
    ],
)
async def test_a_receiver_may_ask_to_be_left_alone_for_a_while(
    http: httpx.AsyncClient, receiver: Receiver, asked: str, left_alone: timedelta
) -> None:
    receiver.answers.append((429, {"retry-after": asked}))
    async with receiver.serving() as url:
        failed = await failure(Hooks(http, utc_now), outgoing(url))

    assert isinstance(failed, TryAgain)
    assert failed.after == left_alone


async def test_a_receiver_that_is_away_is_tried_again(http: httpx.AsyncClient) -> None:
    failed = await failure(Hooks(http, utc_now), outgoing(f"http://127.0.0.1:{free_port()}/in"))

    assert (type(failed), failed.code) == (TryAgain, "webhook-unreachable")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/in", "http://[::1", "in"])
async def test_an_address_that_is_none_is_refused(http: httpx.AsyncClient, url: str) -> None:
    failed = await failure(Hooks(http, utc_now), outgoing(url))

    assert (type(failed), failed.code) == (Refused, "not-an-address")


# --- staff channels ---
def alert(url: str) -> Outgoing:
    return Outgoing(key=KEY, address=url.replace("http://", "json://"), letter=LETTER)


async def test_a_persons_own_channel_gets_subject_and_text(receiver: Receiver) -> None:
    async with receiver.serving() as url:
        await Staff().send(alert(url))

    (_, body), *_ = receiver.requests
    said = json.loads(body)
    assert (said["title"], said["message"].strip()) == (LETTER.subject, LETTER.text.strip())


async def test_a_channel_that_does_not_take_it_is_tried_again_and_its_address_stays_out_of_the_log(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers.append((500, {}))
    with caplog.at_level(logging.DEBUG):
        async with receiver.serving() as url:
            failed = await failure(Staff(), alert(url.replace("http://", "http://tok3n:s3cret@")))

    assert (type(failed), failed.code) == (TryAgain, "channel-not-taken")
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    assert not any("tok3n" in line or "s3cret" in line for line in ours)


async def test_what_is_no_channel_is_refused() -> None:
    for address in ("", "chen", "nothing-like-it://x"):
        failed = await failure(Staff(), Outgoing(key=KEY, address=address, letter=LETTER))
        assert (type(failed), failed.code) == (Refused, "not-a-channel")
