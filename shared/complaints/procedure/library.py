"""The packs that are shipped, and packs by path: each with its text, the procedure's own words, and its digest.

Read through ``importlib.resources``, so that an installed wheel has them too. Pack files are content-addressed: a desk
names the digest that it adopted, and what it opens is that very text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from complaints.errors import PackRefused, Unknown
from complaints.procedure import document
from complaints.procedure.loading import NO_ANSWERS, load
from complaints.procedure.model import Procedure

PACKAGE: Final = "complaints"
FOLDER: Final = "packs"
TEXTS: Final = "texts"
CLAUSES: Final = "clauses"


@dataclass(frozen=True, slots=True)
class PackFile:
    """A pack file as it lies there, not yet checked; ``source``: the procedure's own text, None where there is none."""

    id: str
    version: int
    file: str
    text: str
    source: str | None

    @property
    def digest(self) -> str:
        """SHA-256 of the file, hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def load(self, answers: Mapping[str, Any] = NO_ANSWERS) -> Procedure:
        """The procedure, compiled with a desk's answers; the same answers give the same object.

        Raises:
            PackRefused: see ``loading.load``.
        """
        return _load(self.text, self.file, self.source, json.dumps(answers, sort_keys=True, default=str))


@lru_cache(maxsize=256)
def _load(text: str, file: str, source: str | None, answers: str) -> Procedure:
    return load(text, file=file, answers=json.loads(answers), source=source)


@cache
def packs() -> Mapping[str, PackFile]:
    """The shipped packs by id, in the order of their ids; of each the latest version."""
    latest: dict[str, PackFile] = {}
    for pack in sorted(editions(), key=lambda p: (p.id, p.version)):
        latest[pack.id] = pack
    return MappingProxyType(latest)


@cache
def editions() -> tuple[PackFile, ...]:
    """Every shipped version of every pack."""
    folder = _folder()
    found = [f for f in folder.iterdir() if f.name.endswith(".yaml")] if folder.is_dir() else []
    return tuple(_pack_file(f.name, f.read_text(encoding="utf-8"), [folder / TEXTS]) for f in found)


def by_digest(digest: str) -> PackFile | None:
    """The shipped pack with that content, whatever its version."""
    return next((pack for pack in editions() if pack.digest == digest), None)


def find_pack(name: str | Path) -> PackFile:
    """A shipped pack by id (``19-dongwu-futures``), by its number (``19``), or any pack by path.

    Raises:
        Unknown: ``no-such-pack``.
        PackRefused: a file whose head cannot be read.
    """
    shipped = packs()
    text = str(name)
    if text in shipped:
        return shipped[text]
    path = Path(name)
    if path.is_file():
        around: list[Traversable] = [path.parent, path.parent / TEXTS, _folder() / TEXTS]
        return _pack_file(path.name, path.read_text(encoding="utf-8"), around)
    numbered = [pack for id_, pack in shipped.items() if id_.partition("-")[0] == text or f"{id_}.yaml" == text]
    if len(numbered) == 1:
        return numbered[0]
    raise Unknown("no-such-pack", f"no pack and no file {text}; shipped are {', '.join(shipped)}", pack=text)


def open_pack(name: str | Path, answers: Mapping[str, Any] = NO_ANSWERS) -> Procedure:
    """The procedure of a pack by id, number or path, compiled with a desk's answers.

    Raises:
        Unknown: ``no-such-pack``.
        PackRefused: see ``loading.load``.
    """
    return find_pack(name).load(answers)


def clauses_of(pack: str) -> str | None:
    """The shipped list of all clauses of a pack's procedure (tab-separated: clause, kind), None where there is none."""
    file = _folder() / CLAUSES / f"{pack}.tsv"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _folder() -> Traversable:
    return files(PACKAGE) / FOLDER


def _pack_file(file: str, text: str, around: list[Traversable]) -> PackFile:
    """A pack file with its id, its version and, where one of the folders has it, its source text."""
    head = document.read(_head(text), file).get("pack")
    if (
        not isinstance(head, document.Row)
        or not isinstance(head.get("id"), str)
        or not isinstance(head.get("version"), int)
    ):
        raise PackRefused(file, 1, 1, "a pack begins with its section pack: id, version, title")
    source = head.get("source")
    texts = [folder / source for folder in around] if isinstance(source, str) else []
    found = next((t for t in texts if t.is_file()), None)
    return PackFile(head["id"], head["version"], file, text, found.read_text(encoding="utf-8") if found else None)


def _head(text: str) -> str:
    """The section ``pack``, without reading the rest."""
    lines = text.splitlines(keepends=True)
    tops = [n for n, line in enumerate(lines) if line.strip() and line[0] not in " #-\t"]
    first = next((i for i, n in enumerate(tops) if lines[n].startswith("pack:")), None)
    if first is None:
        return text
    end = tops[first + 1] if first + 1 < len(tops) else len(lines)
    return "".join(lines[tops[first] : end])
