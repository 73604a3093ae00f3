"""One system for the whole folder: what one failure leaves behind, the next one finds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

pytest.register_assert_rewrite("tests.failures.checks")

from tests.failures.load import open_desk  # noqa: E402 - what asserts is rewritten first
from tests.failures.processes import System, running  # noqa: E402 - as above


@dataclass(frozen=True, slots=True)
class Town:
    """A system with a desk, and the key of those who send to it."""

    system: System
    key: str


@pytest.fixture(scope="package")
async def everything(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """The system, running, with one desk and its people."""
    async with running(tmp_path_factory.mktemp("failures")) as system:
        yield Town(system, await open_desk(system))


@pytest.fixture
async def town(everything: Town) -> Town:
    """The system with every part of it running, whatever the test before has left."""
    await everything.system.revive()
    return everything
