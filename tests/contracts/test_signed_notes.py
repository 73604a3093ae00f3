"""Signed notes: those of the format's first implementation are read, and nothing altered passes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaints.adapters.signed_notes import NotSigned, Signer, Verifier, load_signer, open_note

# The example of the format's first implementation (golang.org/x/mod/sumdb/note).
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = (
    TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_known_key_signs_the_known_text_to_the_known_note() -> None:
    signer = Signer.parse(SECRET)
    assert signer.secret() == SECRET
    assert str(signer.verifier) == PUBLIC
    assert signer.sign(TEXT) == NOTE


def test_the_known_note_is_opened_with_the_public_key_alone() -> None:
    assert open_note(NOTE, [Verifier.parse(PUBLIC)]) == TEXT


def test_signatures_of_unknown_keys_are_passed_over_but_do_not_suffice() -> None:
    other = Signer.generate("Other")
    both = NOTE + other.sign(TEXT).rpartition("\n\n")[2]
    assert open_note(both, [Verifier.parse(PUBLIC)]) == TEXT
    assert open_note(both, [other.verifier]) == TEXT
    with pytest.raises(NotSigned, match="no signature of a known key"):
        open_note(NOTE, [other.verifier])
    namesake = Signer.generate("PeterNeumann")
    with pytest.raises(NotSigned, match="no signature of a known key"):
        open_note(NOTE, [namesake.verifier])


@given(st.integers(0, len(NOTE) - 2), st.characters(codec="utf-8"))
def test_a_note_that_differs_in_one_character_is_not_accepted(place: int, character: str) -> None:
    altered = NOTE[:place] + character + NOTE[place + 1 :]
    if altered != NOTE:
        with pytest.raises(NotSigned):
            open_note(altered, [Verifier.parse(PUBLIC)])


@given(st.text(st.characters(codec="utf-8"), max_size=40).map(lambda text: text + "\n"))
def test_whatever_is_signed_is_opened(text: str) -> None:
    signer = Signer.parse(SECRET)
    assert open_note(signer.sign(text), [signer.verifier]) == text


@pytest.mark.parametrize("broken", ["", "text", TEXT, TEXT + "\n", NOTE[:-1], NOTE + "more", TEXT + "\n— Peter ***\n"])
def test_what_is_no_note_is_refused(broken: str) -> None:
    with pytest.raises(NotSigned):
        open_note(broken, [Verifier.parse(PUBLIC)])


@pytest.mark.parametrize(
    "text", ["", "name", "name+00000000", PUBLIC.replace("c74f20a3", "c74f20a4"), "a b+00000000+AQ==", "n+0+AQ=="]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Verifier.parse(text)
    with pytest.raises(ValueError, match=r".+"):
        Signer.parse(f"PRIVATE+KEY+{text}")
    with pytest.raises(ValueError, match="not a signing key"):
        Signer.parse(PUBLIC)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nfeed"])
def test_a_name_that_would_be_misread_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a key"):
        Signer.generate(name)


def test_a_text_that_does_not_end_its_last_line_is_not_signed() -> None:
    with pytest.raises(ValueError, match="line feed"):
        Signer.parse(SECRET).sign("text")


def test_a_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "checkpoint.key"
    with pytest.raises(FileNotFoundError):
        load_signer(file)
    first = load_signer(file, create_as="redress.example/log")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_signer(file, create_as="another").secret() == load_signer(file).secret() == first.secret()
    assert first.name == "redress.example/log"
    assert list(file.parent.iterdir()) == [file]
