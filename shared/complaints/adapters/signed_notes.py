"""Text signed with Ed25519, in the signed-note format that transparency logs use.

A note is text that ends in a line feed, an empty line, and signature lines: an em dash, the key's name, and in base64
the key's id (4 bytes) and the signature over the text. So any tool that reads such notes can check ours.

Source: C2SP signed-note.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY"
_SIGNED_BY = "— "


class NotSigned(ValueError):
    """The note bears no valid signature of a key that is known, or one of a known key that is not valid."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A named public key. ``str`` writes it as others exchange it: ``name+id+key``."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or any(character.isspace() for character in self.name):
            raise ValueError(f"{self.name!r} cannot name a key")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what ``str`` wrote. Raises ValueError."""
        name, key_id, key = _three(text)
        verifier = cls(name, _ed25519(key))
        if verifier.key_id.hex() != key_id:
            raise ValueError(f"the key of {name} does not have the id {key_id}")
        return verifier

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.public_key).decode()}"

    def accepts(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Signer:
    """A named private key."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = Verifier(name, key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> Self:
        """A new key."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what ``secret`` gave. Raises ValueError."""
        if not text.startswith(f"{_PRIVATE}+"):
            raise ValueError("not a signing key")
        name, key_id, key = _three(text.removeprefix(f"{_PRIVATE}+"))
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(_ed25519(key)))
        if signer.verifier.key_id.hex() != key_id:
            raise ValueError(f"the key of {name} does not have the id {key_id}")
        return signer

    @property
    def name(self) -> str:
        return self.verifier.name

    def secret(self) -> str:
        """The key as text, to be kept where nobody else reads it."""
        seed = b64encode(_ED25519 + self._key.private_bytes_raw()).decode()
        return f"{_PRIVATE}+{self.name}+{self.verifier.key_id.hex()}+{seed}"

    def sign(self, text: str) -> str:
        """The text as a note. Raises ValueError where it does not end in a line feed."""
        if not text.endswith("\n"):
            raise ValueError("the text of a note ends in a line feed")
        signature = b64encode(self.verifier.key_id + self._key.sign(text.encode())).decode()
        return f"{text}\n{_SIGNED_BY}{self.name} {signature}\n"


def open_note(note: str, verifiers: Iterable[Verifier]) -> str:
    """The text of a note that one of the verifiers signed; signatures by unknown keys are passed over.

    Raises: NotSigned.
    """
    text, separator, block = note.rpartition("\n\n")
    lines = block.split("\n")
    if not separator or lines.pop() or not lines:
        raise NotSigned("not a signed note")
    text += "\n"
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    accepted = False
    for line in lines:
        name, _, encoded = line.removeprefix(_SIGNED_BY).partition(" ")
        try:
            blob = b64decode(encoded, validate=True)
        except ValueError:
            blob = b""
        if not line.startswith(_SIGNED_BY) or not name or len(blob) <= 4:
            raise NotSigned(f"not a signature: {line!r}")
        verifier = known.get((name, blob[:4]))
        if verifier is None:
            continue
        if not verifier.accepts(text, blob[4:]):
            raise NotSigned(f"the signature of {name} does not fit the text")
        accepted = True
    if not accepted:
        raise NotSigned("no signature of a known key")
    return text


def load_signer(file: Path, *, create_as: str | None = None) -> Signer:
    """The key that the file holds; where there is no file, a new one of the name ``create_as``. Two at once make one.

    Raises: OSError; ValueError where the file holds no key.
    """
    if create_as is not None and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
            opened.write(Signer.generate(create_as).secret() + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        with suppress(FileExistsError):  # another process was first: its key counts
            os.link(draft, file)
        draft.unlink()
    return Signer.parse(file.read_text(encoding="utf-8").strip())


def _three(text: str) -> tuple[str, str, bytes]:
    """Name, id and key bytes; the base64 of the key may itself hold a plus sign."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise ValueError("a key is written name+id+key")
    return parts[0], parts[1], b64decode(parts[2], validate=True)


def _ed25519(key: bytes) -> bytes:
    if key[:1] != _ED25519 or len(key) != 33:
        raise ValueError("not an Ed25519 key")
    return key[1:]
