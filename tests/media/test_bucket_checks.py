"""What the doctor finds of files that lie in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from parley.apps.doctor import examine
from parley.infra.settings import Settings
from tests.house import open_house
from tests.infra.test_bucket import S3Server, server

__all__ = ["server"]

pytestmark = pytest.mark.anyio


async def test_a_lost_thumbnail_and_lost_bytes_are_found_in_a_bucket(
    server: S3Server,
    database_url: str,
    tmp_path: Path,
) -> None:
    async def look() -> list[str]:
        settings = Settings(data_dir=tmp_path, s3_url=server.url)
        [result] = await examine(settings, database_url, only=["media.files"], patience=0.01)
        assert result.unseen is None
        return result.findings

    async with open_house(database_url, tmp_path, s3_url=server.url) as house:
        place = await house.workspace()
        key = await place.media(await place.user("Anna"))
        folder = f"{place.id}/{key}"
        assert await look() == []
        await house.sql("UPDATE media SET thumbnail_width = 1, thumbnail_height = 1")
        assert await look() == [f"file {key}: {folder}/thumbnail is missing"]
        await house.runtime.blobs.delete(f"{folder}/content")
        assert await look() == [f"file {key}: {folder}/content is missing"]
