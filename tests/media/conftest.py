"""A process's resources over a fresh database, and a caller in a workspace of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from parley.accounts import Caller
from parley.infra.runtime import Runtime, open_runtime
from parley.infra.settings import Settings
from parley.kit.ids import uuid7
from parley.media import Pictures, open_pictures


@pytest.fixture
async def runtime(database_url: str, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with open_runtime(
        Settings(data_dir=tmp_path, upload_limit_bytes=3_000_000), database_url
    ) as runtime:
        yield runtime


@pytest.fixture
async def pictures() -> AsyncIterator[Pictures]:
    async with open_pictures() as pictures:
        yield pictures


@pytest.fixture
async def workspace_id(runtime: Runtime) -> UUID:
    workspace_id = uuid7()
    async with runtime.db.system() as tx:
        await tx.execute("INSERT INTO workspace (id, name) VALUES ($1, 'Acme')", workspace_id)
    return workspace_id


@pytest.fixture
def caller(workspace_id: UUID) -> Caller:
    return make_caller(workspace_id)


def make_caller(workspace_id: UUID) -> Caller:
    return Caller(workspace_id, uuid7(), "user", "agent", frozenset(), None, "Ann")
