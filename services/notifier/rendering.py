"""Letters and alerts from their templates, and the check that each says what it must.

A template is ``<kind>.<language>.txt.j2``; one in ``packs/<pack>/`` goes before the general one. Its first line is the
subject. The HTML form is made from the same text, so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from complaints.errors import RedressError
from notifier.messages import Kind

LANGUAGES: Final = ("zh", "en")

MANDATORY: Final[Mapping[Kind, tuple[str, ...]]] = {
    "acknowledged": ("reference", "desk"),
    "answered": ("reference", "desk"),
    "notice": ("reference", "desk"),
    "assigned": ("reference", "link", "role"),
    "warned": ("reference", "link", "subject", "due"),
    "breached": ("reference", "link", "subject", "due", "clause"),
    "escalated": ("reference", "link", "clause"),
    "broken": ("reference", "link", "clause", "subject"),
    "unassigned": ("reference", "link", "role", "queue"),
    "undelivered": ("reference", "link", "subject"),
    "duty": ("desk", "subject", "period", "clause"),
    "duty-breached": ("desk", "subject", "period", "clause"),
    "report": ("desk", "subject", "period", "link"),
}
"""What each kind must say, by the names in its context. What the context leaves empty need not be said."""


class ContentMissing(RedressError):
    """A template lets out what its kind must say."""

    code = "content-missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as it is read."""

    subject: str
    text: str
    html: str


def render(kind: Kind, language: str, context: Mapping[str, Any], *, pack: str = "") -> Letter:
    """The letter.

    Raises:
        ContentMissing: it would not say what it must.
    """
    language = language if language in LANGUAGES else "en"
    subject, _, text = _template(kind, language, pack).render(**context).strip().partition("\n")
    text = text.strip() + "\n"
    whole = f"{subject}\n{text}"
    missing = [name for name in MANDATORY[kind] if (value := context.get(name)) and str(value) not in whole]
    if missing:
        raise ContentMissing(f"the {language} template for {kind} does not say {', '.join(missing)}", missing=missing)
    html = _html().render(subject=subject, paragraphs=text.strip().split("\n\n"), language=language)
    return Letter(subject=" ".join(subject.split()), text=text, html=html)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("notifier"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@lru_cache(maxsize=256)
def _template(kind: Kind, language: str, pack: str) -> Template:
    name = f"{kind}.{language}.txt.j2"
    return _environment().select_template([f"packs/{pack}/{name}", name] if pack else [name])


def _html() -> Template:
    return _environment().get_template("letter.html.j2")
