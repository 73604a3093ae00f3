"""A deployment of its own for every test."""

from __future__ import annotations

import pytest_asyncio

from tests.services.intake.deployment import Api, Deployment


@pytest_asyncio.fixture
async def deployment() -> Deployment:
    """Two desks and their keys."""
    return await Deployment().opened()


@pytest_asyncio.fixture
async def api(deployment: Deployment) -> Api:
    """A frontend of the desk `plain`."""
    return deployment.api("web")
