"""The ledger on a real log and a real broker: what it shows is what was recorded, to whom it may be shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contracts.ledger_world import World, world


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(
    database_url: str, kafka_bootstrap_servers: str, topic_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    data: Path = tmp_path_factory.mktemp("ledger")
    async with world(database_url, kafka_bootstrap_servers, topic_prefix, data) as found:
        yield found


async def test_a_complaint_stands_in_the_register_once_it_was_received(deployed: World) -> None:
    case = await deployed.receive()
    await deployed.settled()
    page = await deployed.got("/v1/desks/plain/register")
    row = next(entry for entry in page["entries"] if entry["complaint"] == case)
    assert (row["status"], row["channel"], row["holder"]) == ("open", "web", "customer")
    assert row["facts"] == {"subject": "repair"}
    assert "Zhang" not in str(row)
