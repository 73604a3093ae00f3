"""The first start of a demonstration: an empty database, no key, and nobody who could be asked for one."""

from __future__ import annotations

from pathlib import Path

import msgspec

from complaints.adapters.database import pool
from complaints.adapters.event_store import PostgresEventStore
from complaints.adapters.service import serving
from local_stack.settings import StackSettings
from local_stack.supervisor import Running
from redress.demo import load, read_keys
from redress.demo_desks import demo_desks
from tests.services.intake.deployment import Deployment


async def test_the_first_key_comes_straight_from_the_database_and_opens_the_demo_desks(
    database_url: str, tmp_path: Path
) -> None:
    async with await pool(database_url, max_size=4) as connections, PostgresEventStore(connections) as store:
        deployment = Deployment(store=store)
        async with serving(deployment.app, "127.0.0.1", 0) as port:
            settings = StackSettings(data_dir=tmp_path, intake_port=port)
            running = Running(settings=settings, database_url=database_url, kafka_bootstrap_servers="")

            await load(running)
            first = msgspec.json.encode(read_keys(tmp_path))
            await load(running)

        assert msgspec.json.encode(read_keys(tmp_path)) == first
        views = {view.desk: view for view in await deployment.desks.list()}
        assert set(views) == {desk.open.desk for desk in demo_desks()}
        operator = await deployment.desks.authenticate(read_keys(tmp_path).operator or "")
        assert operator.desk == "*"
        assert operator.may("operate")
