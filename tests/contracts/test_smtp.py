"""E-mail against a real SMTP server: what arrives, what is final, what is tried again, and what never leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from complaints.adapters.settings import Mail
from local_stack.ports import free_port
from notifier import channels
from notifier.channels import Email, NotSent, Outgoing, Refused, TryAgain, mailbox
from notifier.rendering import Letter
from tests.contracts.post_office import MailServer, text_of

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
KEY = UUID("a7d3c1f0-1111-5222-8333-944455556666")
LETTER = Letter(
    subject="您的投诉已收到，编号 7", text="内容：漏水。\n\nRegards\n", html="<p>内容：漏水。</p><p>Regards</p>"
)


@pytest.fixture
async def server() -> MailServer:
    return MailServer()


def email(port: int, **settings: Any) -> Email:
    return Email(Mail(port=port, sender="desk@redress.example", **settings), lambda: NOW)


def outgoing(address: str = "zhang@example.org", **more: Any) -> Outgoing:
    return Outgoing(**{"key": KEY, "address": address, "letter": LETTER, **more})


async def failure(channel: Email, message: Outgoing) -> NotSent:
    with pytest.raises(NotSent) as caught:
        await channel.send(message)
    return caught.value


async def test_a_mail_arrives_in_both_forms_with_what_identifies_it(server: MailServer) -> None:
    async with server.serving() as port:
        await email(port).send(outgoing())

    (mail,) = server.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == ("desk@redress.example", "zhang@example.org", LETTER.subject)
    assert mail["Message-ID"] == f"<{KEY}@redress.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOW
    assert text_of(mail).replace("\r\n", "\n") == LETTER.text
    assert text_of(mail, "html").strip() == LETTER.html


async def test_the_same_message_sent_twice_is_known_by_its_id(server: MailServer) -> None:
    async with server.serving() as port:
        for _ in range(2):
            await email(port).send(outgoing())
        await email(port).send(outgoing(key=UUID(int=7)))

    first, again, other = (mail["Message-ID"] for mail in server.mails)
    assert first == again != other


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ("550 no such mailbox", Refused, "smtp-550"),
        ("553 not allowed", Refused, "smtp-553"),
        ("450 greylisted", TryAgain, "smtp-450"),
        ("452 full", TryAgain, "smtp-452"),
    ],
)
async def test_what_the_server_says_of_a_recipient_is_final_or_passing(
    server: MailServer, answer: str, kind: type[NotSent], code: str
) -> None:
    server.refuses["zhang@example.org"] = answer
    async with server.serving() as port:
        failed = await failure(email(port), outgoing())

    assert (type(failed), failed.code) == (kind, code)
    assert "zhang" not in f"{failed.why}{failed.code}"


@pytest.mark.parametrize(("answer", "kind"), [("554 spam", Refused), ("451 later", TryAgain)])
async def test_what_the_server_says_of_a_mail_is_final_or_passing(
    server: MailServer, answer: str, kind: type[NotSent]
) -> None:
    server.answers.append(answer)
    async with server.serving() as port:
        assert type(await failure(email(port), outgoing())) is kind
        await email(port).send(outgoing())

    assert len(server.mails) == 1


async def test_a_server_that_is_away_is_tried_again() -> None:
    failed = await failure(email(free_port()), outgoing())

    assert (type(failed), failed.code) == (TryAgain, "smtp-unreachable")


async def test_a_server_that_says_nothing_is_tried_again(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "IN_ALL", 0.2)
    monkeypatch.setattr(channels, "SECONDS", 0.2)
    server.gate.clear()
    async with server.serving() as port:
        failed = await failure(email(port), outgoing())
        server.gate.set()

    assert type(failed) is TryAgain


HOSTILE = [
    "",
    "zhang",
    "@example.org",
    "zhang@",
    "zhang@example.org, li@example.org",
    "zhang@example.org;li@example.org",
    "zhang@example.org\r\nBcc: li@example.org",
    "zhang@example.org\nRCPT TO:<li@example.org>",
    "Zhang <zhang@example.org>",
    "zhang@example.org\x00",
    "zhang li@example.org",
    "a@b@example.org",
    "张@example.org",
    f"{'x' * 65}@example.org",
    f"zhang@{'x' * 300}.org",
    f"zhang@{'x' * 64}.org",
    "zhang@例..org",
    '"zhang li"@example.org',
]


@pytest.mark.parametrize("address", HOSTILE)
async def test_what_is_no_single_plain_address_gets_no_mail_and_neither_does_anybody_else(
    server: MailServer, address: str
) -> None:
    async with server.serving() as port:
        failed = await failure(email(port), outgoing(address))

    assert (type(failed), failed.code) == (Refused, "not-an-address")
    assert server.mails == []


def test_a_domain_of_other_scripts_is_spelled_as_servers_spell_it() -> None:
    assert mailbox("zhang@例子.中国") == "zhang@xn--fsqu00a.xn--fiqs8s"
    assert mailbox("o'neil+tag@example.org") == "o'neil+tag@example.org"


# --- encryption ---
class Certificates:
    """A certificate for 127.0.0.1 that signs itself."""

    def __init__(self, folder: Path) -> None:
        import ssl

        key, name = (
            ec.generate_private_key(ec.SECP256R1()),
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")]),
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.file, key_file = folder / "certificate.pem", folder / "key.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(self.file, key_file)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


async def test_mail_goes_over_an_encrypted_connection_to_a_server_that_is_trusted(
    server: MailServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.file))
    async with server.serving(starttls=certificates.server, require_starttls=True) as port:
        await email(port, tls="starttls").send(outgoing())
    async with server.serving(tls=certificates.server) as port:
        await email(port, tls="tls").send(outgoing())

    assert server.encrypted[0] is True
    assert len(server.mails) == 2


async def test_nothing_leaves_in_the_clear_where_encryption_was_asked_for(server: MailServer) -> None:
    async with server.serving() as port:
        failed = await failure(email(port, tls="starttls"), outgoing())

    assert type(failed) is TryAgain
    assert server.mails == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_nothing_goes_to_a_server_that_nobody_vouches_for(server: MailServer, certificates: Certificates) -> None:
    async with server.serving(starttls=certificates.server, require_starttls=True) as port:
        failed = await failure(email(port, tls="starttls"), outgoing())

    assert type(failed) is TryAgain
    assert server.mails == []


@pytest.mark.filterwarnings("ignore:Session.login_data is deprecated:DeprecationWarning")  # aiosmtpd sets it itself
async def test_a_wrong_password_is_the_operators_matter_and_loses_no_mail(
    server: MailServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.file))
    async with server.serving(starttls=certificates.server, auth_required=True) as port:
        wrong = await failure(email(port, tls="starttls", username="desk", password="guess"), outgoing())
        assert (type(wrong), wrong.code) == (TryAgain, "smtp-535")
        await email(port, tls="starttls", username="desk", password=server.password).send(outgoing())

    assert len(server.mails) == 1
