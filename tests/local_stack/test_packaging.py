"""The pinned packages are those that the project asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]


def pinned(lock: str) -> dict[str, str]:
    lines = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (TOP / lock).read_text(), flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def asked(*extras: str) -> list[Requirement]:
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return [
        requirement
        for group in groups
        for requirement in map(Requirement, group)
        if requirement.name != PROJECT["name"]  # an extra that stands for another one
    ]


@pytest.mark.parametrize(
    ("lock", "extras"), [("requirements.lock", ("build",)), ("requirements-dev.lock", ("build", "dev"))]
)
def test_every_package_that_is_asked_for_is_pinned_to_a_version_that_will_do(
    lock: str, extras: tuple[str, ...]
) -> None:
    pins = pinned(lock)
    unmet = [
        str(requirement)
        for requirement in asked(*extras)
        if pins.get(canonicalize_name(requirement.name), "") not in requirement.specifier
    ]
    assert unmet == [], "run `make lock`"


def test_what_a_run_uses_is_what_the_tests_ran_with() -> None:
    tested = pinned("requirements-dev.lock")
    assert {name: tested.get(name) for name in pinned("requirements.lock")} == pinned("requirements.lock")


def test_the_pinned_packages_carry_their_checksums_and_no_address() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (TOP / lock).read_text()
        assert "://" not in text
        without = re.findall(r"^\S.*(?<!\\)\n(?!    --hash)", text, flags=re.MULTILINE)
        assert without == []
