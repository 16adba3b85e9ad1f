"""The examples of docs/embedding.md run, from the first to the last, against a server."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.programs import Server, running

pytestmark = pytest.mark.anyio

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "embedding.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


async def test_the_examples_for_embedding_applications_run_as_they_are_printed(
    tmp_path: Path, database_url: str
) -> None:
    server = Server(tmp_path, DATABASE_URL=database_url)
    async with running(server):
        await server.start()
        made = await server.command(
            "admin", "create-workspace", "--name", "Shop", "--email", "o@example.org",
            "--password", "correct horse battery", "--scopes", "act",
        )  # fmt: skip
        key = re.search(r"pk_\S+", made)
        assert key, made
        script = tmp_path / "example.py"
        blocks = BLOCK.findall(DOCUMENT.read_text("utf-8"))
        script.write_text("\n".join(blocks))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            env=os.environ | {"PARLEY_URL": server.url, "PARLEY_KEY": key[0]},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await process.communicate())[0].decode()
        assert process.returncode == 0, output
    assert len(blocks) >= 5
