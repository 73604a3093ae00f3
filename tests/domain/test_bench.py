"""How figures are judged, and that every target is about something that is measured."""

from __future__ import annotations

import pytest

from bench.__main__ import BENCHES, ROOT
from bench.targets import TARGETS, Target, verdicts

FASTER = Target(bench="append", figure="append", value="ratio", bound="at_least", limit=8)
FOLDER = ROOT / "bench"
SOONER = Target(bench="timers", figure="timers", value="p99_ms", bound="at_most", limit=1000)


@pytest.mark.parametrize(("measured", "met"), [(8.0, True), (7.99, False)])
def test_a_ratio_is_met_from_its_limit_on(measured: float, met: bool) -> None:
    verdict = FASTER.verdict([{"figure": "other", "ratio": 99}, {"figure": "append", "ratio": measured}])
    assert verdict == {"target": "append.ratio", "at_least": 8, "measured": measured, "met": met}


@pytest.mark.parametrize(("measured", "met"), [(1000, True), (1001, False)])
def test_a_wait_is_met_up_to_its_limit(measured: float, met: bool) -> None:
    verdict = SOONER.verdict([{"figure": "timers", "p99_ms": measured}])
    assert verdict == {"target": "timers.p99_ms", "at_most": 1000, "measured": measured, "met": met}


def test_of_a_figure_that_comes_more_than_once_the_worst_counts() -> None:
    assert SOONER.verdict([{"figure": "timers", "p99_ms": ms} for ms in (5, 2000, 7)])["measured"] == 2000
    assert FASTER.verdict([{"figure": "append", "ratio": ratio} for ratio in (9, 3, 10)])["measured"] == 3


def test_what_was_not_measured_is_not_met() -> None:
    assert FASTER.verdict([])["measured"] is None
    assert FASTER.verdict([])["met"] is False


def test_a_bench_is_judged_by_its_own_targets() -> None:
    assert [verdict["target"] for verdict in verdicts("accept", [{"figure": "accept", "ratio": 0.4}])] == [
        "accept.ratio"
    ]
    assert list(verdicts("business_time", [])) == []


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.figure}.{target.value}")
def test_every_target_names_a_figure_that_its_bench_prints(target: Target) -> None:
    text = (FOLDER / f"{target.bench}.py").read_text(encoding="utf-8")
    assert f'"{target.figure}"' in text
    assert target.value in text


def test_every_bench_is_run_that_can_be() -> None:
    able = {path.stem for path in FOLDER.glob("*.py") if "\ndef main(" in path.read_text(encoding="utf-8")}
    assert able - {"__main__"} == set(BENCHES)
