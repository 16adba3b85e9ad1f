"""A Bot API that hands on whatever updates a test made up, checked by nobody, and refuses sends in words of the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from tests.scripted_http import ScriptedServer, answers, scripted_server


class LooseBotApi:
    """``updates`` wait for the next poll; ``refusal`` is what sends are answered with."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.refusal = "no"
        self.server = ScriptedServer()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the request that came last."""
        seen = self.server.seen[-1]
        method = seen.target.rsplit("/", 1)[-1]
        status, body = 200, {"ok": True, "result": True}
        if method == "getMe":
            body["result"] = {"id": 555, "is_bot": True, "first_name": "Shop", "username": "shop_bot"}
        elif method == "getUpdates":
            offset = json.loads(seen.body).get("offset", 0)
            found = [one for one in self.updates if one["update_id"] >= offset][:100]
            if not found:
                await asyncio.sleep(0.3)
            body["result"] = found
        elif method.startswith("send"):
            status, body = 400, {"ok": False, "error_code": 400, "description": self.refusal}
        elif method == "getFile":
            body["result"] = {"file_id": "x", "file_path": "documents/file_1"}
        elif "/file/" in seen.target:
            await answers(200, b"<script>window.__ran=1</script>")(reader, writer)
            return
        await answers(status, body)(reader, writer)


@contextlib.asynccontextmanager
async def loose_bot_api() -> AsyncIterator[LooseBotApi]:
    """Run it on a free port of the loopback."""
    api = LooseBotApi()
    async with scripted_server(api.answer) as server:
        api.server = server
        yield api
