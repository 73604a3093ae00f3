"""Settings come from REDRESS_ variables, and docs/settings.md says all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from complaints.adapters.settings import GROUPS, Settings, table, variables

ROOT = Path(__file__).parents[2]


def test_the_table_in_docs_is_current() -> None:
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == table(), (
        "run `python -m complaints.adapters.settings > docs/settings.md`"
    )


def test_every_variable_has_the_prefix_a_meaning_and_a_name_of_its_own() -> None:
    names = [name for name, _ in variables()]
    assert all(name.startswith("REDRESS_") for name in names)
    assert len(names) == len(set(names))
    assert all(info.description for _, info in variables())


def test_settings_hold_one_of_each_concern() -> None:
    held = [type(getattr(Settings(), name)) for name in Settings.__slots__]
    assert held == list(GROUPS)


def test_a_variable_of_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDRESS_DATABASE_URL", "postgresql://elsewhere/db")
    monkeypatch.setenv("REDRESS_KAFKA_BOOTSTRAP_SERVERS", "one:9092,two:9092")
    monkeypatch.setenv("REDRESS_INTAKE_PORT", "9999")
    settings = Settings.read()
    assert settings.database.url == "postgresql://elsewhere/db"
    assert settings.kafka.bootstrap_servers == "one:9092,two:9092"
    assert settings.http.intake_port == 9999


def test_a_password_is_never_shown() -> None:
    from complaints.adapters.settings import Kafka, Mail

    assert "hunter2" not in repr(Kafka(sasl_password="hunter2")) + repr(Mail(password="hunter2"))


def test_a_process_with_a_setting_that_cannot_be_read_says_which_and_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "intake.relay"],
        env={"REDRESS_RELAY_PORT": "eighty"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "relay_port: Input should be a valid integer" in done.stderr
    assert "eighty" not in done.stderr
