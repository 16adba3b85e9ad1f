"""Fixtures of every test: the event loop's kind and a fresh database."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.database import TestDatabases
from tests.rabbitmq import rabbit
from tests.report import figures, pytest_runtest_logreport, pytest_sessionfinish
from tests.unfiltered import VARIABLE, remove_filters

settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
"""The same examples in every run, and none fails for the time it takes on a busy machine."""
settings.register_profile("searching", parent=settings.get_profile("steady"), derandomize=False)
"""Others each time: `pytest --hypothesis-profile=searching`."""
settings.load_profile("steady")

__all__ = ["figures", "pytest_runtest_logreport", "pytest_sessionfinish", "rabbit"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as Parley does."""
    return "asyncio"


@pytest.fixture(scope="session")
def databases() -> Iterator[TestDatabases]:
    """The cluster of this run."""
    databases = TestDatabases()
    databases.open()
    yield databases
    databases.close()


@pytest.fixture
def database_url(databases: TestDatabases) -> Iterator[str]:
    """The DSN of a fresh, migrated database, dropped after the test."""
    with databases.fresh() as dsn:
        yield dsn


@pytest.fixture(autouse=True, scope="session")
def filters_as_asked() -> Iterator[None]:
    """The application's own workspace filter, unless the environment asks to do without it (tests/unfiltered.py)."""
    with pytest.MonkeyPatch.context() as patch:
        if os.environ.get(VARIABLE):
            remove_filters(patch)
        yield
