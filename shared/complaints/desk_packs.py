"""The pack that a desk adopts: one that is shipped, by its id, or the text of a pack file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from complaints.desk_requests import AdoptPack
from complaints.desk_view import AdoptedPack
from complaints.errors import Malformed, Rejected
from complaints.procedure.library import packs
from complaints.procedure.loading import load

FILE = "pack.yaml"
"""What messages call a pack that came as a text."""


def pack_of(asked: AdoptPack, answers: Mapping[str, Any]) -> AdoptedPack:
    """The pack file that a request names; a text is read with the answers that it would be adopted with.

    Raises:
        Malformed: neither a pack nor a text is named, or both are.
        Rejected: ``no-such-pack``.
        PackRefused: the text is no pack.
    """
    if (asked.pack is None) == (asked.text is None):
        raise Malformed("pack", "either pack, the id of a shipped pack, or text, a pack file, must be given")
    if asked.pack is not None:
        shipped = packs().get(asked.pack)
        if shipped is None:
            raise Rejected(
                "no-such-pack", None, f"no pack is called {asked.pack}", pack=asked.pack, packs=list(packs())
            )
        return AdoptedPack(
            id=shipped.id,
            version=shipped.version,
            digest=shipped.digest,
            text=shipped.text,
            source=shipped.source if asked.source is None else asked.source,
        )
    text = asked.text or ""
    procedure = load(text, file=FILE, answers=answers, source=asked.source)
    return AdoptedPack(
        id=procedure.id, version=procedure.version, digest=procedure.digest, text=text, source=asked.source
    )
