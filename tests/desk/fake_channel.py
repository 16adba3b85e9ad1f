"""A channel without a provider: its payloads are our own words as JSON, its answers a script."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from parley.channels.contract import (
    Account,
    AccountInfo,
    BadUpdate,
    Call,
    Features,
    FetchedMedia,
    JournalPart,
    Limits,
    MediaSource,
    OutgoingMessage,
    Parsed,
    Sent,
)


def encode(*items: Parsed) -> bytes:
    """Return a payload that says these items."""
    return msgspec.json.encode(list(items))


class FakeChannel:
    """An `Adapter`. A text is sent in as many calls as it has lines; ``script`` holds what goes wrong, in order."""

    channel = "telegram"
    limits = Limits(chat_per_second=1000, chat_burst=1000, inbox_per_second=1000, inbox_burst=1000)
    features = Features(
        text_limit=4096, caption_limit=1024, album_limit=10, upload_limit_bytes=10**7, can_edit=True, can_delete=True,
        can_reply=True, has_receipts=True, can_poll=True,
    )  # fmt: skip

    def __init__(self) -> None:
        self.script: deque[Exception | None] = deque()
        self.performed: list[str] = []
        self.bug: Exception | None = None

    def is_authentic(self, account: Account, headers: Mapping[str, str], body: bytes) -> bool:
        return headers.get("x-secret") == account.secrets["webhook_secret"]

    def split(self, body: bytes) -> list[JournalPart]:
        try:
            items = msgspec.json.decode(body, type=list[msgspec.Raw])
        except msgspec.DecodeError as error:
            raise BadUpdate("This is not a list.") from error
        return [JournalPart(lane="chat", body=b"[" + bytes(item) + b"]") for item in items]

    def parse(self, account: Account, body: bytes) -> list[Parsed]:
        if self.bug:
            raise self.bug
        try:
            return msgspec.json.decode(body, type=list[Parsed])
        except msgspec.DecodeError as error:
            raise BadUpdate(str(error)) from error

    def plan(self, account: Account, message: OutgoingMessage) -> list[Call]:
        return [Call(method="send", params={"text": line}) for line in message.text.split("\n")]

    def plan_edit(
        self, account: Account, message: OutgoingMessage, provider_ids: Sequence[str]
    ) -> list[Call]:
        return [Call(method="edit", params={"text": f"{provider_ids[0]}: {message.text}"})]

    def plan_delete(self, account: Account, chat: str, provider_ids: Sequence[str]) -> list[Call]:
        return [Call(method="delete", params={"text": one}) for one in provider_ids]

    async def perform(self, account: Account, call: Call, media: MediaSource) -> Sent:
        problem = self.script.popleft() if self.script else None
        if problem:
            raise problem
        self.performed.append(f"{call.method} {call.params['text']}")
        return Sent([f"p{len(self.performed)}"] if call.method == "send" else [])

    async def fetch_media(self, account: Account, reference: dict[str, Any]) -> FetchedMedia:
        raise NotImplementedError

    async def connect(self, secrets: dict[str, str], config: dict[str, Any]) -> AccountInfo:
        return AccountInfo(address=secrets["token"], name="Fake", config=config)

    async def set_webhook(self, account: Account, url: str) -> None:
        return

    async def disconnect(self, account: Account) -> None:
        return

    async def poll(self, account: Account, cursor: str | None) -> tuple[list[JournalPart], str | None]:
        raise NotImplementedError
