"""``redress``: one command line; each part is loaded when it is called for, and a missing part is missing alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from types import ModuleType

import pytest
import typer
from typer.testing import CliRunner

import redress.__main__ as command_line
from complaints.errors import PackRefused, RedressError
from redress.__main__ import GROUPS, Group, NotInstalled, build, report


def run(*arguments: str) -> str:
    result = CliRunner().invoke(build(arguments), list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("redress.made_up")
    module.__spec__ = None
    monkeypatch.setitem(sys.modules, "redress.made_up", module)
    monkeypatch.setattr(command_line, "GROUPS", (Group("made-up", "redress.made_up", "Made up."), *GROUPS))
    monkeypatch.setattr(command_line, "find_spec", lambda name: name if name != "redress.absent" else None)
    return module


def app_of(*commands: str) -> typer.Typer:
    app = typer.Typer()
    for name in commands:
        app.command(name, help=f"Does {name}.")(lambda name=name: typer.echo(f"did {name}"))
    return app


def test_the_list_shows_what_is_installed() -> None:
    shown = run("--help")
    assert "packs" in shown
    assert "calendar" in shown
    assert "vocabulary" in shown


def test_a_group_with_several_commands_has_them_below_its_name(made_up: ModuleType) -> None:
    made_up.app = app_of("one", "two")  # type: ignore[attr-defined] # a module made for this test
    assert run("made-up", "one") == "did one\n"
    assert run("made-up", "two") == "did two\n"


def test_a_group_with_one_command_is_that_command(made_up: ModuleType) -> None:
    made_up.app = app_of("go")  # type: ignore[attr-defined] # a module made for this test
    assert run("made-up") == "did go\n"
    assert "Does go." in run("made-up", "--help")


def test_only_the_group_that_is_called_for_is_imported() -> None:
    code = (
        "import sys; from redress.__main__ import build; build(['calendar']);"
        "print('redress.calendar' in sys.modules, 'redress.packs' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_a_part_that_is_not_installed_is_missing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "GROUPS", (Group("absent", "redress.absent", "Nothing."), *GROUPS))
    assert "absent" not in run("--help")
    with pytest.raises(NotInstalled) as missing:
        build(["absent", "--json"])
    assert missing.value.why == "redress absent is not part of this installation"


def test_a_part_that_lacks_a_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named 'rare' (for {name})", name="rare")

    monkeypatch.setattr(command_line, "import_module", absent)
    with pytest.raises(NotInstalled, match="redress packs needs rare"):
        build(["packs"])


def told(*arguments: str) -> str:
    refused = PackRefused("a.yaml", 3, 5, "no such role", "第一条")
    refused.data["also"] = [{"file": "a.yaml", "line": 9, "column": 1, "why": "no such step", "clause": None}]
    stream = io.StringIO()
    report(refused, arguments, stream)
    return stream.getvalue()


def test_what_went_wrong_is_said_in_lines() -> None:
    assert told("packs", "lint") == "pack-refused: a.yaml:3:5: no such role\n  also: a.yaml:9:1: no such step\n"


def test_with_json_what_went_wrong_is_an_object() -> None:
    said = json.loads(told("packs", "lint", "--json"))
    assert (said["error"], said["line"], said["column"], said["clause"]) == ("pack-refused", 3, 5, "第一条")
    assert said["also"][0]["why"] == "no such step"


def redress(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "redress", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={"LC_ALL": "C", "PATH": ""},
    )


def test_texts_are_printed_whatever_the_locale_says() -> None:
    done = redress("packs", "coverage", "19")
    assert done.returncode == 0, done.stderr
    assert "19:第十七条(二)  executed" in done.stdout


def test_a_wrong_argument_ends_with_1_and_a_wrong_option_with_2() -> None:
    unknown = redress("packs", "show", "99", "--json")
    assert unknown.returncode == 1
    assert json.loads(unknown.stderr)["error"] == "no-such-pack"
    assert redress("packs", "show", "--nonsense").returncode == 2


def test_errors_of_the_command_line_are_errors_of_the_system() -> None:
    assert issubclass(NotInstalled, RedressError)
