"""What a start makes ready before any service runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from complaints.adapters.master_key import load_master
from local_stack.preparing import prepare_all


async def test_the_master_key_is_there_before_any_service_so_that_none_starts_without_it(
    database_url: str,
    kafka_bootstrap_servers: str,
    topic_prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def prepare() -> None:
        await prepare_all(
            database_url=database_url,
            kafka_bootstrap_servers=kafka_bootstrap_servers,
            kafka_topic_prefix=topic_prefix,
            data_dir=tmp_path / "data",
        )

    await prepare()
    key = load_master(tmp_path / "data" / "seal.key")
    await prepare()
    assert load_master(tmp_path / "data" / "seal.key") == key

    monkeypatch.setenv("REDRESS_SEAL_KEY_FILE", str(tmp_path / "elsewhere.key"))
    await prepare()
    assert load_master(tmp_path / "elsewhere.key") != key
