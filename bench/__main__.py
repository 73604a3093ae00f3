"""``python -m bench [NAME …] [--quick]``: every bench in turn, or those named, and how far the targets are met.

JSON lines on stdout and nothing else: the figures as they come, then a line a target. Progress goes to stderr. A bench
is a module here with a ``main``, run as a process of its own, so that none finds what another has left behind. The exit
code says whether all of them ran, not whether the targets are met.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.figures import QUICK, report
from bench.targets import Figure, verdicts

ROOT = Path(__file__).parent.parent
BENCHES = ("business_time", "packs", "engine", "simulate", "append", "accept", "routing", "timers")
"""Those without servers come first."""


class BenchFailed(Exception):
    """A bench ended with an error, or printed what is no figure."""


def main(argv: Sequence[str]) -> int:
    """Runs the benches; 1 when one of them did not run to its end."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="The figures, as JSON lines.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all when none is named")
    parser.add_argument(QUICK, action="store_true", help="smaller sizes: to see that everything runs")
    asked = parser.parse_args(argv)
    if unknown := [name for name in asked.names if name not in BENCHES]:
        parser.error(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    report("machine", cores=os.cpu_count(), architecture=platform.machine(), python=platform.python_version())
    failed: list[str] = []
    judged: list[dict[str, Any]] = []
    for name in asked.names or BENCHES:
        figures: list[Figure] = []
        begun = time.monotonic()
        say(f"{name} … (load {os.getloadavg()[0]:.1f})")
        try:
            for figure in run(name, [QUICK] if asked.quick else []):
                figures.append(figure)
                sys.stdout.write(json.dumps(figure, ensure_ascii=False) + "\n")
                sys.stdout.flush()
        except BenchFailed as error:
            failed.append(name)
            say(f"{name}: {error}")
        say(f"{name}: {time.monotonic() - begun:.0f} s")
        judged += verdicts(name, figures)
    for verdict in judged:
        print(json.dumps({**verdict, **({"quick": True} if asked.quick else {})}))
    return 1 if failed else 0


def run(name: str, argv: Sequence[str]) -> Iterator[Figure]:
    """The figures of a bench, as it prints them. Raises: BenchFailed."""
    command = [sys.executable, "-m", f"bench.{name}", *argv]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own words
        if process.stdout is None:
            raise BenchFailed("its output cannot be read")
        for line in process.stdout:
            try:
                figure = json.loads(line)
            except ValueError as error:
                raise BenchFailed(f"printed what is no JSON: {line[:200]}") from error
            yield figure
    if process.returncode != 0:
        raise BenchFailed(f"ended with {process.returncode}")


def say(what: str) -> None:
    """Progress, for a person."""
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
