"""Letters and alerts from their templates, and the check that each says what it must.

A template is ``<kind>.<language>.txt.j2``; one in ``packs/<pack>/`` goes before the general one. Its first line is the
subject. The HTML form is made from the same text, so that the two cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, TemplateError, select_autoescape

from complaints.errors import RedressError
from notifier.messages import Kind

LANGUAGES: Final = ("zh", "en")

LETTER: Final = ("reference", "desk", "received", "clause", "procedure", "contact")
ALERT: Final = ("reference", "desk", "clause", "link")
DUTY: Final = ("subject", "desk", "period", "clause", "link")

MANDATORY: Final[Mapping[Kind, tuple[str, ...]]] = {
    "acknowledged": (*LETTER, "answer_due"),
    "answered": (*LETTER, "answer"),
    "notice": (*LETTER, "says", "our_translation"),
    "assigned": (*ALERT, "role", "subject", "due", "says", "our_translation"),
    "warned": (*ALERT, "subject", "due", "says", "our_translation"),
    "breached": (*ALERT, "subject", "due", "says", "our_translation"),
    "escalated": (*ALERT, "role", "says", "our_translation"),
    "broken": (*ALERT, "subject", "by", "says", "our_translation"),
    "unassigned": (*ALERT, "role", "queue"),
    "undelivered": (*ALERT, "subject"),
    "duty": (*DUTY, "due", "says", "our_translation"),
    "duty-breached": (*DUTY, "due", "says", "our_translation"),
    "report": DUTY,
}
"""What each kind must say, by the names in its context: which case, what happened, under which clause, by when, and
where to turn next. What the context leaves empty need not be said."""


class ContentMissing(RedressError):
    """A template lets out what its kind must say."""

    code = "content-missing"


class TemplateBroken(RedressError):
    """There is no such template, or it cannot be filled in."""

    code = "template-broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as it is read."""

    subject: str
    text: str
    html: str


def language_of(tag: str) -> str:
    """The language of ours that fits a language tag (``zh-CN``), English where none does."""
    primary = re.split("[-_]", tag.strip().lower())[0]
    return primary if primary in LANGUAGES else "en"


def render(kind: Kind, language: str, context: Mapping[str, str], *, pack: str = "") -> Letter:
    """The letter.

    Raises:
        ContentMissing: it would not say what it must.
        TemplateBroken: it cannot be written at all.
    """
    try:
        subject, _, text = _template(kind, language, pack).render(**context).strip().partition("\n")
        text = re.sub(r"\n\s*\n", "\n\n", text.strip()) + "\n"
        html = _html().render(subject=subject, paragraphs=text.strip().split("\n\n"), language=language)
    except TemplateError as error:
        raise TemplateBroken(f"the {language} template for {kind}: {type(error).__name__}") from error
    whole = _one_line(f"{subject}\n{text}")
    missing = [name for name in MANDATORY[kind] if (value := _one_line(context.get(name, ""))) and value not in whole]
    if missing:
        raise ContentMissing(f"the {language} template for {kind} does not say {', '.join(missing)}", missing=missing)
    return Letter(subject=_one_line(subject), text=text, html=html)


def _one_line(text: str) -> str:
    return " ".join(text.split())


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
