"""Live news for open pages: who looks at a chat hears of every change at once."""

import asyncio
from typing import Any

QUEUE_LIMIT = 500


class Watcher:
    """One open page. When it is too slow it is closed; it then opens anew and reads the whole chat."""

    def __init__(self, bot_id: int | None, chat_id: int | None) -> None:
        self.bot_id = bot_id
        self.chat_id = chat_id
        self.news: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._is_closed = False

    def tell(self, event: dict[str, Any] | None) -> None:
        """Pass an event on; None ends the stream."""
        if self._is_closed:
            return
        self._is_closed = event is None or self.news.qsize() >= QUEUE_LIMIT
        self.news.put_nowait(None if self._is_closed else event)


class Watchers:
    """All open pages of this process."""

    def __init__(self) -> None:
        self._all: set[Watcher] = set()

    def open(self, bot_id: int | None, chat_id: int | None) -> Watcher:
        """Hear about one chat; with None about every bot or every chat of the bot."""
        watcher = Watcher(bot_id, chat_id)
        self._all.add(watcher)
        return watcher

    def close(self, watcher: Watcher) -> None:
        self._all.discard(watcher)

    def close_all(self) -> None:
        """End every stream, so that the server can stop."""
        for watcher in self._all:
            watcher.tell(None)

    def tell(self, kind: str, bot_id: int | None = None, chat_id: int | None = None, **facts: Any) -> None:
        """News of a chat; without ids it is for everybody."""
        event = {"kind": kind, "bot_id": bot_id, "chat_id": chat_id, **facts}
        for watcher in self._all:
            is_its_bot = bot_id is None or watcher.bot_id in (None, bot_id)
            if is_its_bot and (chat_id is None or watcher.chat_id in (None, chat_id)):
                watcher.tell(event)
