"""The deployment's master key: 32 random bytes in a file, base64. Whoever loses it has lost every personal value."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from contextlib import suppress
from pathlib import Path

KEY_BYTES = 32


def load_master(file: Path, *, create: bool = False) -> bytes:
    """The key that the file holds; with ``create`` one is made where there is no file. Two at once make one.

    Raises: OSError; ValueError where the file holds no key.
    """
    if create and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _make(file)
    try:
        key = b64decode(file.read_bytes().strip(), validate=True)
    except NotBase64 as error:
        raise ValueError(f"{file} holds no key in base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"{file} holds {len(key)} bytes, a master key has {KEY_BYTES}")
    return key


def _make(file: Path) -> None:
    """Writes the key beside its place, then links it there, so that nobody reads half a key."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(b64encode(os.urandom(KEY_BYTES)) + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
    with suppress(FileExistsError):  # another process was first: its key counts
        os.link(draft, file)
    draft.unlink()
