"""What the rows of the state file mean, read from and written to SQLite."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Bot:
    """A registered bot and how it receives its updates."""

    id: int
    token: str
    name: str
    username: str
    allowed_updates: tuple[str, ...] | None
    webhook: dict[str, Any] | None
    webhook_set_at: float
    last_error: dict[str, Any] | None
    commands: list[Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as its bot sees it, without the message that it answers."""

    message_id: int
    is_outgoing: bool
    is_deleted: bool
    reply_to: int | None
    body: dict[str, Any]
    reactions: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One downloadable file; the sizes of one photo share a `set_id`."""

    file_id: str
    kind: str
    set_id: str
    file_path: str
    blob: str
    shape: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    """One update waiting for its bot, or handed over already."""

    update_id: int
    bot_id: int
    lane: int
    body: dict[str, Any]
    created_at: float
    attempts: int
    due_at: float


def to_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _load(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def read_bot(row: sqlite3.Row) -> Bot:
    kinds = _load(row["allowed_updates"])
    return Bot(
        row["id"], row["token"], row["name"], row["username"], None if kinds is None else tuple(kinds),
        _load(row["webhook"]), row["webhook_set_at"], _load(row["last_error"]), _load(row["commands"]),
    )  # fmt: skip


def read_message(row: sqlite3.Row) -> Stored:
    return Stored(
        row["message_id"], bool(row["is_outgoing"]), bool(row["is_deleted"]), row["reply_to"],
        json.loads(row["body"]), json.loads(row["reactions"]),
    )  # fmt: skip


def read_file(row: sqlite3.Row) -> StoredFile:
    shape = json.loads(row["shape"])
    return StoredFile(row["file_id"], row["kind"], row["set_id"], row["file_path"], row["blob"], shape)


def read_update(row: sqlite3.Row) -> Update:
    return Update(
        row["update_id"], row["bot_id"], row["lane"], json.loads(row["body"]), row["created_at"], row["attempts"],
        row["due_at"],
    )  # fmt: skip
