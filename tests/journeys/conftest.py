"""The whole system, started for a module of journeys at an instant of its choice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import pytest

from tests.journeys.live import Live, running

Start = Callable[[datetime], AbstractAsyncContextManager[Live]]


@pytest.fixture(scope="module")
def system(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> Start:
    """Starts the system, once a module, at an instant from which only the test moves on."""

    def start(at: datetime) -> AbstractAsyncContextManager[Live]:
        return running(
            database_url=database_url,
            kafka_bootstrap_servers=kafka_bootstrap_servers,
            topic_prefix=topic_prefix,
            data_dir=tmp_path_factory.mktemp("journeys"),
            start=at,
        )

    return start
