"""The notifier on real servers, among them one for mail and a receiver: each message once, and its result once."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from complaints.adapters.cloudevents import event_id
from complaints.adapters.kafka import Topics
from complaints.adapters.service import utc_now
from complaints.adapters.settings import Http, Mail
from complaints.events import NoticeDelivered, NoticeFailed
from complaints.identity import service_command_id
from complaints.ports import Now
from intake.__main__ import build as intake
from intake.relay import build as relay
from local_stack.kafka import LocalKafka
from local_stack.ports import free_port
from notifier import rendering
from notifier.__main__ import build as notifier
from notifier.quiet import ATTEMPTS
from notifier.sender import LEASE
from tests import servers
from tests.contracts.bus import everything_on, until
from tests.contracts.post_office import MailServer, Receiver, text_of
from tests.contracts.town import Town

STAFF = [
    {"person": "an", "name": "安", "roles": ["agent"], "email": "an@desk.example", "language": "zh"},
    {"person": "lei", "name": "Lei", "roles": ["desk_lead"], "email": "lei@desk.example", "language": "en"},
]
CUSTOMER = "zhang@customers.example"
RECEIPT: dict[str, Any] = {"complainant": "张三", "contact": {"email": CUSTOMER}, "facts": {"content": "漏水"}}


class Office:
    """A town with a post office: one mail server, one receiver of webhooks."""

    def __init__(self, town: Town, mail: MailServer, receiver: Receiver, url: str) -> None:
        self.town, self.mail, self.receiver, self.url = town, mail, receiver, url

    @classmethod
    @asynccontextmanager
    async def laid_out(
        cls, database_url: str, bootstrap_servers: str, prefix: str, data: Path, *, now: Now | None = None
    ) -> AsyncIterator[Office]:
        mail, receiver = MailServer(), Receiver()
        async with (
            mail.serving() as port,
            receiver.serving() as url,
            Town.laid_out(database_url, bootstrap_servers, prefix, data, now=now) as town,
        ):
            town.settings = replace(
                town.settings,
                mail=Mail(port=port, sender="desk@redress.example"),
                http=Http(intake_port=0, relay_port=0, notifier_port=0, public_url="https://redress.example"),
            )
            yield cls(town, mail, receiver, url)

    async def open_desk(self, **more: Any) -> str:
        """A new desk with two people."""
        desk = f"desk-{secrets.token_hex(4)}"
        await self.town.open_desk(desk, **{"people": STAFF, "fallback": "agent", **more})
        return desk

    async def receive(self, desk: str, label: str = "a", **data: Any) -> UUID:
        complaint = await self.town.receive(desk, label, "an/agent", **(data or RECEIPT))
        await self.town.settle()
        return complaint

    async def outcome(self, complaint: UUID) -> list[tuple[str, str | None]]:
        """What the case was told of its notices, with the reason."""
        records = await self.town.sealing.unseal(await self.town.history(complaint))
        told = [record.event for record in records if isinstance(record.event, NoticeDelivered | NoticeFailed)]
        return [(type(event).__name__, event.reason) for event in told if event.alert is None]

    async def notifications(self, complaint: UUID) -> list[dict[str, Any]]:
        """What the topic says of a case's messages, each once: a repeat is the same under the same key."""
        topic = Topics(self.town.settings.kafka.topic_prefix).notifications
        found = [json.loads(record.value) for record in await everything_on(self.town.settings.kafka, topic)]
        about = [record for record in found if record["complaint"] == str(complaint)]
        by_key = {record["key"]: record for record in about}
        assert all(by_key[record["key"]] == record for record in about)
        return list(by_key.values())

    async def deliveries(self, complaint: UUID) -> list[asyncpg.Record]:
        return list(
            await self.town.pool.fetch(
                "SELECT * FROM notifier.delivery WHERE complaint = $1 ORDER BY at, key", str(complaint)
            )
        )

    def letters(self, complaint: UUID) -> list[str]:
        """The subjects of mails about a case, each with whom it went to."""
        return [
            f"{mail['To']}: {mail['Subject']}" for mail in self.mail.mails if str(complaint) in str(mail["Subject"])
        ]


@pytest.fixture(scope="module")
async def office(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    """With intake, relay and two notifiers in one loop, at a time that is moved by hand."""
    data = tmp_path_factory.mktemp("office")
    async with (
        Office.laid_out(database_url, kafka_bootstrap_servers, topic_prefix, data) as office,
        office.town.running(intake, relay, notifier, notifier),
    ):
        yield office


@pytest.fixture
def fresh_database(postgres_url: str, migrated_template: str) -> Any:
    name = f"redress_notifier_{secrets.token_hex(4)}"
    yield servers.create_database(postgres_url, name, template=migrated_template)
    servers.drop_database(postgres_url, name)


# --- what arrives, and who hears of it ---
async def test_a_complainant_hears_that_the_complaint_has_come_and_the_case_knows_that_he_did(office: Office) -> None:
    desk = await office.open_desk(title="修理投诉台")
    complaint = await office.receive(desk)

    (mail,) = office.mail.to(CUSTOMER)[-1:]
    assert mail["Subject"] == f"您的投诉已收到，编号 {complaint}"
    assert "第六条" in text_of(mail)
    assert "修理投诉台" in text_of(mail)
    (told,) = await office.town.happened(complaint, "complaint.acknowledged")
    assert (told.person, told.clause) == ("system", "第六条")
    assert await office.outcome(complaint) == [("NoticeDelivered", None)]


async def test_the_command_that_reports_names_the_event_that_called_for_the_letter(office: Office) -> None:
    complaint = await office.receive(await office.open_desk())

    history = await office.town.history(complaint)
    requested, delivered = (
        next(record for record in history if record.type == f"notice.{name}") for name in ("requested", "delivered")
    )
    (row,) = await office.deliveries(complaint)
    assert delivered.meta.causation_id == event_id(complaint, requested.version)
    assert delivered.meta.correlation_id == requested.meta.correlation_id
    assert delivered.meta.command_id == service_command_id(complaint, "record-delivery", UUID(str(row["key"])))


async def test_the_topic_of_notifications_says_what_became_of_it_and_nothing_of_whom(office: Office) -> None:
    complaint = await office.receive(await office.open_desk())

    (told,) = await office.notifications(complaint)
    assert (told["kind"], told["channel"], told["outcome"], told["step"]) == (
        "acknowledged",
        "email",
        "delivered",
        "acknowledge",
    )
    assert CUSTOMER not in json.dumps(told)
    (row,) = await office.deliveries(complaint)
    assert CUSTOMER not in str(dict(row))
    assert "漏水" not in str(dict(row))


async def test_everybody_is_written_to_in_their_own_language(office: Office) -> None:
    desk = await office.open_desk(locale="en")
    await office.town.change(desk, "desk.alerts-set", people=["an", "lei"])
    chinese = await office.receive(desk, "zh", contact={"email": CUSTOMER, "language": "zh-CN"})
    english = await office.receive(desk, "en", contact={"email": CUSTOMER})
    nobody = await office.receive(desk, "none", complainant="nobody")

    assert office.letters(chinese) == [f"{CUSTOMER}: 您的投诉已收到，编号 {chinese}"]
    assert office.letters(english) == [f"{CUSTOMER}: We have received your complaint {english}"]
    assert sorted(office.letters(nobody)) == [
        f"an@desk.example: 投诉 {nobody} 的通知未能送达",
        f"lei@desk.example: A letter about complaint {nobody} could not be delivered",
    ]


# --- once ---
async def test_what_is_published_and_read_again_is_sent_and_told_once(office: Office) -> None:
    desk = await office.open_desk()
    complaints = [await office.town.receive(desk, f"c{n}", "an/agent", **RECEIPT) for n in range(12)]
    await office.town.settle()
    before = len(office.mail.mails)

    await office.town.published_again()
    await office.town.settle()

    assert len(office.mail.mails) == before
    ids = Counter(mail["Message-ID"] for mail in office.mail.mails)
    assert max(ids.values()) == 1
    for complaint in complaints:
        assert len(office.letters(complaint)) == 1
        assert await office.outcome(complaint) == [("NoticeDelivered", None)]


async def test_a_notifier_that_has_forgotten_where_it_was_sends_nothing_twice(
    fresh_database: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path: Path
) -> None:
    prefix = f"{topic_prefix}{secrets.token_hex(3)}."
    async with Office.laid_out(fresh_database, kafka_bootstrap_servers, prefix, tmp_path) as office:
        town = office.town
        async with town.running(intake, relay):
            async with town.running(notifier):
                complaint = await office.receive(await office.open_desk())
            await town.pool.execute("DELETE FROM notifier.inbox")
            await town.pool.execute("UPDATE notifier.delivery SET reported = false")
            async with town.running(notifier):
                await town.settle()

        assert len(office.letters(complaint)) == 1
        assert await office.outcome(complaint) == [("NoticeDelivered", None)]
        assert len(await office.notifications(complaint)) == 1


async def test_a_sender_that_is_killed_between_sending_and_noting_sends_again_under_the_same_id(
    fresh_database: str,
    kafka_bootstrap_servers: str,
    topic_prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = f"{topic_prefix}{secrets.token_hex(3)}."
    async with Office.laid_out(fresh_database, kafka_bootstrap_servers, prefix, tmp_path, now=utc_now) as office:
        town = office.town
        monkeypatch.setenv("REDRESS_SMTP_PORT", str(town.settings.mail.port))
        monkeypatch.setenv("REDRESS_SMTP_SENDER", town.settings.mail.sender)
        monkeypatch.setenv("REDRESS_NOTIFIER_PORT", "0")
        desk = await office.open_desk()
        async with town.running(intake, relay):
            complaint = await town.receive(desk, "a", "an/agent", **RECEIPT)
            office.mail.gate.clear()  # the mail has come, but nobody says so
            async with town.process("notifier") as process:

                async def has_come() -> bool:
                    return bool(office.mail.mails)

                await until(has_come)
                await process.kill()
            office.mail.gate.set()
            assert [row["state"] for row in await office.deliveries(complaint)] == ["sending"]

            async with town.running(lambda settings, now: notifier(settings, now=lambda: now() + LEASE)):
                await town.settle()

        first, second = office.mail.to(CUSTOMER)
        assert first["Message-ID"] == second["Message-ID"]
        assert text_of(first) == text_of(second)
        assert await office.outcome(complaint) == [("NoticeDelivered", None)]


async def test_a_sender_that_is_stopped_brings_to_an_end_what_it_has_in_hand(
    fresh_database: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path: Path
) -> None:
    prefix = f"{topic_prefix}{secrets.token_hex(3)}."
    async with Office.laid_out(fresh_database, kafka_bootstrap_servers, prefix, tmp_path) as office:
        town = office.town
        desk = await office.open_desk()
        async with town.running(intake, relay):
            office.mail.gate.clear()
            service = notifier(town.settings, now=town.now)
            await service.start()
            complaint = await town.receive(desk, "a", "an/agent", **RECEIPT)

            async def has_come() -> bool:
                return bool(office.mail.mails)

            await until(has_come)
            stopping = asyncio.create_task(service.stop())
            await asyncio.sleep(0.1)
            office.mail.gate.set()
            await stopping
            assert [row["state"] for row in await office.deliveries(complaint)] == ["sent"]
            async with town.running(notifier):
                await town.settle()

        assert len(office.mail.mails) == 1
        assert await office.outcome(complaint) == [("NoticeDelivered", None)]


# --- what does not go out ---
async def test_a_letter_that_nobody_can_get_fails_with_its_reason_and_stays_owed(office: Office) -> None:
    complaint = await office.receive(await office.open_desk(), channel="visit")

    assert await office.outcome(complaint) == [("NoticeFailed", "no e-mail address of the complainant is known")]
    assert await office.town.happened(complaint, "complaint.acknowledged") == []
    assert office.letters(complaint) == [f"an@desk.example: 投诉 {complaint} 的通知未能送达"]


async def test_an_address_that_the_server_refuses_is_not_tried_again(office: Office) -> None:
    office.mail.refuses["gone@customers.example"] = "550 no such mailbox"
    complaint = await office.receive(await office.open_desk(), contact={"email": "gone@customers.example"})

    assert await office.outcome(complaint) == [("NoticeFailed", "smtp: 550")]
    codes = {told["kind"]: told.get("reason") for told in await office.notifications(complaint)}
    assert codes["acknowledged"] == "smtp-550"


async def test_what_somebody_gives_as_address_brings_no_mail_to_others(office: Office) -> None:
    hostile = f"{CUSTOMER}\r\nBcc: everybody@customers.example"
    complaint = await office.receive(await office.open_desk(), contact={"email": hostile})

    assert await office.outcome(complaint) == [("NoticeFailed", "what is given as e-mail address is none")]
    assert office.letters(complaint) == [f"an@desk.example: 投诉 {complaint} 的通知未能送达"]


async def test_a_server_that_is_busy_is_asked_again_and_the_case_hears_only_of_the_end(office: Office) -> None:
    office.mail.refuses["slow@customers.example"] = "451 greylisted"
    complaint = await office.receive(await office.open_desk(), contact={"email": "slow@customers.example"})
    assert await office.outcome(complaint) == []
    assert [(row["state"], row["attempts"]) for row in await office.deliveries(complaint)] == [("waiting", 1)]

    del office.mail.refuses["slow@customers.example"]
    await office.town.later(timedelta(seconds=10))

    assert await office.outcome(complaint) == [("NoticeDelivered", None)]
    assert [(row["state"], row["attempts"]) for row in await office.deliveries(complaint)] == [("sent", 2)]


async def test_what_never_goes_is_given_up_in_the_end(office: Office) -> None:
    office.mail.refuses["never@customers.example"] = "451 greylisted"
    complaint = await office.receive(await office.open_desk(), contact={"email": "never@customers.example"})
    for _ in range(ATTEMPTS - 1):
        assert await office.outcome(complaint) == []
        await office.town.later(timedelta(hours=6))

    assert await office.outcome(complaint) == [("NoticeFailed", f"smtp: 451; given up after {ATTEMPTS} tries")]


async def test_nothing_is_sent_to_somebody_who_has_been_erased_a_moment_ago(office: Office) -> None:
    office.mail.refuses["erased@customers.example"] = "451 greylisted"
    desk = await office.open_desk()
    complaint = await office.receive(desk, complainant="王五", contact={"email": "erased@customers.example"})
    assert [row["state"] for row in await office.deliveries(complaint)] == ["waiting"]

    del office.mail.refuses["erased@customers.example"]
    await office.town.sealing.erase(office.town.sealing.pseudonym(desk, "王五"))
    await office.town.later(timedelta(seconds=10))

    assert office.mail.to("erased@customers.example") == []
    (told,) = [one for one in await office.notifications(complaint) if one["kind"] == "acknowledged"]
    assert (told["outcome"], told["reason"]) == ("failed", "erased")
    (row, *_) = [row for row in await office.deliveries(complaint) if row["kind"] == "acknowledged"]
    assert row["reason"] == "the complainant was erased"


async def test_a_message_that_cannot_be_written_fails_alone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    needs = rendering.MANDATORY
    monkeypatch.setattr(rendering, "MANDATORY", {**needs, "acknowledged": (*needs["acknowledged"], "link")})
    complaint = await office.receive(await office.open_desk())

    assert await office.outcome(complaint) == [("NoticeFailed", "it cannot be written: content-missing")]
    assert office.letters(complaint) == [f"an@desk.example: 投诉 {complaint} 的通知未能送达"]


async def test_what_an_imported_case_brings_from_the_past_is_told_to_nobody(office: Office) -> None:
    desk, town = await office.open_desk(), office.town
    await town.change(desk, "desk.webhook-added", name="all", url=office.url)
    await town.change(desk, "desk.limits-set", oldest_days=30_000)
    before, requests = len(office.mail.mails), len(office.receiver.requests)
    past = town.now() - timedelta(days=400)
    complaint = await town.receive(desk, "a", "an/agent", at=past, imported=True, occurred_at=past, **RECEIPT)
    await town.send(desk, complaint, "fire-timer", "system", at=past + timedelta(days=60))
    await town.settle()

    names = [record.type for record in await town.history(complaint)]
    assert {"notice.requested", "clock.breached"} <= set(names)
    assert await office.deliveries(complaint) == []
    assert (len(office.mail.mails), len(office.receiver.requests)) == (before, requests)


# --- when ---
def shanghai(day: int, clock: str) -> datetime:
    """A day of March 2027, which lies ahead of everything else that happens in the office."""
    return datetime.fromisoformat(f"2027-03-{day:02} {clock}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))


async def test_alerts_wait_for_the_morning_and_letters_do_not(office: Office) -> None:
    desk = await office.open_desk()
    await office.town.change(desk, "desk.quiet-hours-set", begins="22:00", ends="08:00")
    await office.town.later(shanghai(1, "23:00"))
    written = await office.receive(desk, "a")
    silent = await office.receive(desk, "b", channel="visit")
    assert len(office.letters(written)) == 1
    assert office.letters(silent) == []

    await office.town.later(shanghai(2, "07:59:59"))
    assert office.letters(silent) == []
    await office.town.later(shanghai(2, "08:00"))
    assert len(office.letters(silent)) == 1


async def test_an_alert_that_is_not_true_any_more_in_the_morning_is_withheld(office: Office) -> None:
    desk, town = await office.open_desk(), office.town
    await town.change(desk, "desk.quiet-hours-set", begins="22:00", ends="08:00")
    await town.later(shanghai(3, "23:00"))
    complaint = await office.receive(desk)
    for person in ("an", "lei"):
        naming = {"role": "agent", "person": person, "because": "by-name: t"}
        await town.send(desk, complaint, "name-assignee", "system", **naming)
        await town.settle()
    await town.later(shanghai(4, "08:00"))

    (alert,) = office.letters(complaint)[1:]
    assert alert == f"lei@desk.example: Complaint {complaint} is yours to act on as Agent of the complaint desk"
    told = [(one["outcome"], one.get("reason")) for one in await office.notifications(complaint)]
    assert Counter(told) == Counter([("delivered", None), ("withheld", "stale"), ("delivered", None)])


# --- other channels ---
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise looks for it
async def test_a_person_is_told_on_a_channel_of_their_own(office: Office) -> None:
    chat = office.url.replace("http://", "json://")
    desk = await office.open_desk(people=[{**STAFF[0], "channels": {"chat": chat}}])
    await office.town.change(desk, "desk.alerts-set", channels=["chat"])
    complaint = await office.receive(desk, channel="visit")

    (said,) = [json.loads(body) for _, body in office.receiver.requests if str(complaint).encode() in body]
    assert said["title"] == f"投诉 {complaint} 的通知未能送达"
    assert office.letters(complaint) == []


async def test_other_systems_are_told_every_event_once_signed_and_with_nothing_personal(
    fresh_database: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path: Path
) -> None:
    prefix = f"{topic_prefix}{secrets.token_hex(3)}."
    async with Office.laid_out(fresh_database, kafka_bootstrap_servers, prefix, tmp_path, now=utc_now) as office:
        town, desk = office.town, await office.open_desk()
        await town.change(desk, "desk.webhook-added", name="crm", url=office.url)
        office.receiver.answers.append((500, {}))
        secret = town.sealing.webhook_secret(desk, "crm", 1)
        async with town.running(intake, relay, notifier):
            complaint = await office.receive(desk)

            async def all_told() -> bool:
                await town.settle()
                return len(office.receiver.ids) > len(await town.history(complaint))

            await until(all_told)

        wired = [body for body in office.receiver.verified(secret) if body["complaint"] == str(complaint)]
        times = sorted(Counter(office.receiver.ids).values())
        assert times == [1] * (len(times) - 1) + [2]  # the one that was answered with 500 came again
        history = await town.history(complaint)
        assert {body["version"] for body in wired} == {record.version for record in history}
        assert {body["event"] for body in wired} == {record.type for record in history}
        everything = b"".join(body for _, body in office.receiver.requests).decode()
        assert not any(name in everything for name in (CUSTOMER, "漏水", "张三"))


async def test_a_webhook_that_hangs_holds_up_neither_letters_nor_other_webhooks(office: Office) -> None:
    town, gate = office.town, asyncio.Event()
    office.receiver.gates["/in/hangs"] = gate
    slow, quick = await office.open_desk(), await office.open_desk()
    await town.change(slow, "desk.webhook-added", name="crm", url=f"{office.url}/hangs")
    await town.change(quick, "desk.webhook-added", name="crm", url=office.url)
    hanging = [await town.receive(slow, f"s{n}", "an/agent", **RECEIPT) for n in range(6)]
    complaint = await town.receive(quick, "q", "an/agent", **RECEIPT)

    async def others_have_heard() -> bool:
        about = [body for _, body in office.receiver.requests if str(complaint).encode() in body]
        return len(about) >= 3 and all(office.letters(one) for one in (*hanging, complaint))

    await until(others_have_heard)
    assert not gate.is_set()
    gate.set()
    await town.settle()
    states = {row["state"] for one in hanging for row in await office.deliveries(one)}
    assert states == {"sent"}


# --- the broker is away ---
async def test_messages_go_out_while_the_broker_is_away_and_their_results_follow(
    fresh_database: str, tmp_path: Path
) -> None:
    broker = LocalKafka(tmp_path / "kafka", free_port())
    await asyncio.to_thread(broker.start)
    try:
        async with Office.laid_out(fresh_database, broker.bootstrap_servers, "", tmp_path) as office:
            town = office.town
            office.mail.refuses[CUSTOMER] = "451 greylisted"
            async with town.running(intake, relay):
                async with town.running(notifier):
                    desk = await office.open_desk()
                    complaints = [await office.receive(desk, label) for label in "ab"]
                    await asyncio.to_thread(broker.stop)
                    office.mail.refuses.clear()
                    office.mail.answers.extend(["250 taken", "451 busy"])
                    town.time += timedelta(seconds=10)

                    async def one_went() -> bool:
                        return len(office.mail.mails) == 1

                    await until(one_went)
                # and from one that is started while it is away
                service = notifier(town.settings, now=town.now)
                starting = asyncio.create_task(service.start())
                town.time += timedelta(minutes=1)

                async def both_are_noted_as_sent() -> bool:
                    states = [row["state"] for one in complaints for row in await office.deliveries(one)]
                    return states == ["sent", "sent"]

                await until(both_are_noted_as_sent)
                assert len(office.mail.mails) == 2
                assert not starting.done()

                await asyncio.to_thread(broker.start)
                await starting
                town.services.append(service)
                try:
                    await town.settle()
                    for complaint in complaints:
                        assert await office.outcome(complaint) == [("NoticeDelivered", None)]
                finally:
                    town.services.remove(service)
                    await service.stop()
        assert len(office.mail.mails) == 2
    finally:
        await asyncio.to_thread(broker.stop)
