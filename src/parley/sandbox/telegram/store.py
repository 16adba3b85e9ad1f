"""Everything the stand-in must remember, in one SQLite file: all of its SQL stands here.

Promise: numbers (bots, customers, updates, messages of a chat, files, albums) never start again, also after a
restart or a kill. Every method is one short statement or stands inside `transaction()`; nothing awaits in between,
so that within the process each is atomic. Another process may add bots to the same file.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parley.sandbox.telegram.rows import (
    Bot,
    Stored,
    StoredFile,
    Update,
    read_bot,
    read_file,
    read_message,
    read_update,
    to_json,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS numbers(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bots(
  id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, name TEXT NOT NULL, username TEXT NOT NULL UNIQUE,
  created_at REAL NOT NULL, allowed_updates TEXT, commands TEXT NOT NULL DEFAULT '[]',
  webhook TEXT, webhook_set_at REAL NOT NULL DEFAULT 0, last_error TEXT);
CREATE TABLE IF NOT EXISTS customers(
  id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, username TEXT NOT NULL,
  language_code TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chats(
  bot_id INTEGER NOT NULL, chat_id INTEGER NOT NULL, last_message_id INTEGER NOT NULL DEFAULT 0,
  is_blocked INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(bot_id, chat_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages(
  bot_id INTEGER NOT NULL, chat_id INTEGER NOT NULL, message_id INTEGER NOT NULL, is_outgoing INTEGER NOT NULL,
  is_deleted INTEGER NOT NULL DEFAULT 0, reply_to INTEGER, body TEXT NOT NULL, reactions TEXT NOT NULL DEFAULT '{}',
  PRIMARY KEY(bot_id, chat_id, message_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files(
  file_id TEXT PRIMARY KEY, bot_id INTEGER NOT NULL, kind TEXT NOT NULL, set_id TEXT NOT NULL,
  file_path TEXT NOT NULL, blob TEXT NOT NULL, shape TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_set ON files(set_id);
CREATE INDEX IF NOT EXISTS files_path ON files(bot_id, file_path);
CREATE TABLE IF NOT EXISTS updates(
  update_id INTEGER PRIMARY KEY, bot_id INTEGER NOT NULL, lane INTEGER NOT NULL, body TEXT NOT NULL,
  created_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due_at REAL NOT NULL DEFAULT 0,
  is_done INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS updates_pending ON updates(bot_id, lane, update_id) WHERE is_done = 0;
CREATE TABLE IF NOT EXISTS callbacks(
  id INTEGER PRIMARY KEY, bot_id INTEGER NOT NULL, chat_id INTEGER NOT NULL, created_at REAL NOT NULL,
  is_answered INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS calls(
  id INTEGER PRIMARY KEY, at REAL NOT NULL, bot_id INTEGER NOT NULL, method TEXT NOT NULL, chat_id INTEGER,
  status INTEGER NOT NULL, is_done INTEGER NOT NULL, description TEXT NOT NULL, params TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS call_counts(
  bot_id INTEGER NOT NULL, method TEXT NOT NULL, arrived INTEGER NOT NULL, accepted INTEGER NOT NULL,
  PRIMARY KEY(bot_id, method)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts(
  id INTEGER PRIMARY KEY, at REAL NOT NULL, bot_id INTEGER NOT NULL, update_id INTEGER NOT NULL, url TEXT NOT NULL,
  status INTEGER NOT NULL, answer TEXT NOT NULL, seconds REAL NOT NULL);
"""
FIRST_NUMBERS = {"bot": 7000000001, "customer": 700100001, "update": 730000001, "album": 13700000000000001}
JOURNAL_ROWS = 5000
DONE_UPDATES = 1000


class Store:
    """The open state file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
        path.chmod(0o600)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; inside another one it joins it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def next_number(self, name: str) -> int:
        """The next number of a series; never given twice."""
        sql = """INSERT INTO numbers VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = value + 1
                 RETURNING value"""
        return int(self._one(sql, name, FIRST_NUMBERS.get(name, 1))["value"])

    # bots

    def add_bot(self, bot_id: int, token: str, name: str, username: str, at: float) -> None:
        """Raises: sqlite3.IntegrityError when the id or the username is taken."""
        sql = "INSERT INTO bots(id, token, name, username, created_at) VALUES (?, ?, ?, ?, ?)"
        self._db.execute(sql, (bot_id, token, name, username, at))

    def find_bot(self, bot_id: int) -> Bot | None:
        row = self._db.execute("SELECT * FROM bots WHERE id = ?", (bot_id,)).fetchone()
        return read_bot(row) if row else None

    def list_bots(self) -> list[Bot]:
        """All bots, the newest last."""
        return [read_bot(row) for row in self._db.execute("SELECT * FROM bots ORDER BY created_at, id")]

    def remove_bot(self, bot_id: int) -> bool:
        """The token is worth nothing afterwards; chats and journal stay."""
        return self._db.execute("DELETE FROM bots WHERE id = ?", (bot_id,)).rowcount > 0

    def set_webhook(self, bot_id: int, webhook: dict[str, Any] | None, at: float) -> None:
        sql = "UPDATE bots SET webhook = ?, webhook_set_at = ?, last_error = NULL WHERE id = ?"
        self._db.execute(sql, (to_json(webhook), at, bot_id))
        self._db.execute("UPDATE updates SET due_at = 0 WHERE bot_id = ? AND is_done = 0", (bot_id,))

    def set_last_error(self, bot_id: int, error: dict[str, Any]) -> None:
        self._db.execute("UPDATE bots SET last_error = ? WHERE id = ?", (to_json(error), bot_id))

    def set_allowed_updates(self, bot_id: int, kinds: list[str]) -> None:
        """An empty list stands for the default kinds."""
        self._db.execute(
            "UPDATE bots SET allowed_updates = ? WHERE id = ?", (to_json(kinds) if kinds else None, bot_id)
        )

    def set_commands(self, bot_id: int, commands: list[Any]) -> None:
        self._db.execute("UPDATE bots SET commands = ? WHERE id = ?", (to_json(commands), bot_id))

    # customers and chats

    def add_customer(self, customer: dict[str, Any]) -> None:
        sql = "INSERT INTO customers VALUES (:id, :first_name, :last_name, :username, :language_code)"
        self._db.execute(sql, customer)

    def find_customer(self, customer_id: int) -> dict[str, Any] | None:
        row = self._db.execute("SELECT * FROM customers WHERE id = ?", (customer_id,)).fetchone()
        return dict(row) if row else None

    def list_customers(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute("SELECT * FROM customers ORDER BY id")]

    def ensure_chat(self, bot_id: int, chat_id: int) -> None:
        self._db.execute("INSERT OR IGNORE INTO chats(bot_id, chat_id) VALUES (?, ?)", (bot_id, chat_id))

    def find_blocked(self, bot_id: int, chat_id: int) -> bool | None:
        """Whether the customer blocked the bot; None when they never spoke."""
        sql = "SELECT is_blocked FROM chats WHERE bot_id = ? AND chat_id = ?"
        row = self._db.execute(sql, (bot_id, chat_id)).fetchone()
        return bool(row["is_blocked"]) if row else None

    def set_blocked(self, bot_id: int, chat_id: int, blocked: bool) -> None:
        sql = "UPDATE chats SET is_blocked = ? WHERE bot_id = ? AND chat_id = ?"
        self._db.execute(sql, (blocked, bot_id, chat_id))

    # messages

    def next_message_id(self, bot_id: int, chat_id: int) -> int:
        """Numbers of one chat are dense and grow; the chat exists."""
        sql = """UPDATE chats SET last_message_id = last_message_id + 1 WHERE bot_id = ? AND chat_id = ?
                 RETURNING last_message_id AS value"""
        return int(self._one(sql, bot_id, chat_id)["value"])

    def add_message(
        self, bot_id: int, chat_id: int, body: dict[str, Any], *, is_outgoing: bool, reply_to: int | None
    ) -> None:
        sql = "INSERT INTO messages(bot_id, chat_id, message_id, is_outgoing, reply_to, body) VALUES (?, ?, ?, ?, ?, ?)"
        values = (bot_id, chat_id, body["message_id"], is_outgoing, reply_to, to_json(body))
        self._db.execute(sql, values)

    def find_message(self, bot_id: int, chat_id: int, message_id: int) -> Stored | None:
        """The message unless it was deleted."""
        sql = "SELECT * FROM messages WHERE bot_id = ? AND chat_id = ? AND message_id = ? AND is_deleted = 0"
        row = self._db.execute(sql, (bot_id, chat_id, message_id)).fetchone()
        return read_message(row) if row else None

    def set_body(self, bot_id: int, chat_id: int, body: dict[str, Any]) -> None:
        sql = "UPDATE messages SET body = ? WHERE bot_id = ? AND chat_id = ? AND message_id = ?"
        self._db.execute(sql, (to_json(body), bot_id, chat_id, body["message_id"]))

    def set_reactions(self, bot_id: int, chat_id: int, message_id: int, reactions: dict[str, str]) -> None:
        sql = "UPDATE messages SET reactions = ? WHERE bot_id = ? AND chat_id = ? AND message_id = ?"
        self._db.execute(sql, (to_json(reactions), bot_id, chat_id, message_id))

    def delete_message(self, bot_id: int, chat_id: int, message_id: int) -> None:
        sql = "UPDATE messages SET is_deleted = 1 WHERE bot_id = ? AND chat_id = ? AND message_id = ?"
        self._db.execute(sql, (bot_id, chat_id, message_id))

    def list_messages(self, bot_id: int, chat_id: int, limit: int) -> list[Stored]:
        """The last messages of a chat that are not deleted, oldest first."""
        sql = """SELECT * FROM (SELECT * FROM messages WHERE bot_id = ? AND chat_id = ? AND is_deleted = 0
                 ORDER BY message_id DESC LIMIT ?) ORDER BY message_id"""
        return [read_message(row) for row in self._db.execute(sql, (bot_id, chat_id, limit))]

    def list_accepted(self, bot_id: int | None, chat_id: int | None, limit: int) -> list[Stored]:
        """The first messages that bots sent, deleted ones too, in the order of bot, chat and number."""
        sql = """SELECT * FROM messages WHERE is_outgoing = 1 AND (?1 IS NULL OR bot_id = ?1)
                 AND (?2 IS NULL OR chat_id = ?2) ORDER BY bot_id, chat_id, message_id LIMIT ?3"""
        return [read_message(row) for row in self._db.execute(sql, (bot_id, chat_id, limit))]

    def count_accepted(self, bot_id: int | None, chat_id: int | None) -> int:
        """How many messages bots sent, deleted ones too."""
        sql = """SELECT COUNT(*) AS value FROM messages WHERE is_outgoing = 1 AND (?1 IS NULL OR bot_id = ?1)
                 AND (?2 IS NULL OR chat_id = ?2)"""
        return int(self._one(sql, bot_id, chat_id)["value"])

    # files

    def add_file(self, bot_id: int, file: StoredFile) -> None:
        values = (
            file.file_id,
            bot_id,
            file.kind,
            file.set_id,
            file.file_path,
            file.blob,
            to_json(file.shape),
        )
        self._db.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def find_file(self, bot_id: int, file_id: str) -> StoredFile | None:
        """A file of this bot: a `file_id` is worth nothing to another one."""
        row = self._db.execute(
            "SELECT * FROM files WHERE file_id = ? AND bot_id = ?", (file_id, bot_id)
        ).fetchone()
        return read_file(row) if row else None

    def find_file_at(self, bot_id: int, file_path: str) -> StoredFile | None:
        sql = "SELECT * FROM files WHERE bot_id = ? AND file_path = ?"
        row = self._db.execute(sql, (bot_id, file_path)).fetchone()
        return read_file(row) if row else None

    def list_file_set(self, set_id: str) -> list[StoredFile]:
        """The sizes of one photo, the largest last."""
        files = [
            read_file(row) for row in self._db.execute("SELECT * FROM files WHERE set_id = ?", (set_id,))
        ]
        return sorted(files, key=lambda file: int(file.shape.get("width", 0)))

    # updates

    def add_update(self, bot_id: int, lane: int, body: dict[str, Any], at: float) -> int:
        """Queue an update for its bot under the next update number."""
        update_id = self.next_number("update")
        sql = "INSERT INTO updates(update_id, bot_id, lane, body, created_at) VALUES (?, ?, ?, ?, ?)"
        self._db.execute(sql, (update_id, bot_id, lane, to_json({"update_id": update_id, **body}), at))
        return update_id

    def list_pending(self, bot_id: int, limit: int) -> list[Update]:
        """The oldest updates that nobody confirmed yet, in order."""
        sql = "SELECT * FROM updates WHERE bot_id = ? AND is_done = 0 ORDER BY update_id LIMIT ?"
        return [read_update(row) for row in self._db.execute(sql, (bot_id, limit))]

    def list_heads(self) -> list[Update]:
        """The oldest unconfirmed update of every chat of every bot that has a webhook, the oldest first."""
        sql = """SELECT u.* FROM updates u JOIN bots b ON b.id = u.bot_id AND b.webhook IS NOT NULL
                 JOIN (SELECT MIN(update_id) AS head FROM updates WHERE is_done = 0 GROUP BY bot_id, lane) h
                 ON h.head = u.update_id ORDER BY u.update_id"""
        return [read_update(row) for row in self._db.execute(sql)]

    def find_update(self, bot_id: int, update_id: int) -> Update | None:
        """An update of this bot, confirmed or not."""
        sql = "SELECT * FROM updates WHERE bot_id = ? AND update_id = ?"
        row = self._db.execute(sql, (bot_id, update_id)).fetchone()
        return read_update(row) if row else None

    def count_pending(self, bot_id: int) -> int:
        sql = "SELECT COUNT(*) AS value FROM updates WHERE bot_id = ? AND is_done = 0"
        return int(self._one(sql, bot_id)["value"])

    def confirm_update(self, update_id: int) -> None:
        self._db.execute("UPDATE updates SET is_done = 1 WHERE update_id = ?", (update_id,))

    def confirm_below(self, bot_id: int, update_id: int) -> None:
        """Everything lower than `update_id` is done; the last done ones are kept so that tests can repeat them."""
        sql = "UPDATE updates SET is_done = 1 WHERE bot_id = ? AND update_id < ? AND is_done = 0"
        if self._db.execute(sql, (bot_id, update_id)).rowcount:
            self.prune_updates(bot_id)

    def prune_updates(self, bot_id: int) -> None:
        sql = """DELETE FROM updates WHERE bot_id = ?1 AND is_done = 1 AND update_id < (
                 SELECT update_id FROM updates WHERE bot_id = ?1 AND is_done = 1
                 ORDER BY update_id DESC LIMIT 1 OFFSET ?2)"""
        self._db.execute(sql, (bot_id, DONE_UPDATES))

    def drop_pending(self, bot_id: int) -> None:
        self._db.execute("UPDATE updates SET is_done = 1 WHERE bot_id = ? AND is_done = 0", (bot_id,))

    def drop_created_before(self, at: float) -> None:
        """Updates that waited too long are lost, as at the provider."""
        self._db.execute("UPDATE updates SET is_done = 1 WHERE created_at < ? AND is_done = 0", (at,))

    def postpone_update(self, update_id: int, due_at: float) -> None:
        sql = "UPDATE updates SET attempts = attempts + 1, due_at = ? WHERE update_id = ?"
        self._db.execute(sql, (due_at, update_id))

    # callbacks

    def add_callback(self, bot_id: int, chat_id: int, at: float) -> int:
        callback_id = self.next_number("callback")
        sql = "INSERT INTO callbacks(id, bot_id, chat_id, created_at) VALUES (?, ?, ?, ?)"
        self._db.execute(sql, (callback_id, bot_id, chat_id, at))
        return callback_id

    def answer_callback(self, bot_id: int, callback_id: int, created_after: float) -> int | None:
        """Mark the query answered and return its chat; None when there is none to answer."""
        sql = """UPDATE callbacks SET is_answered = 1 WHERE id = ? AND bot_id = ? AND is_answered = 0
                 AND created_at > ? RETURNING chat_id"""
        row = self._db.execute(sql, (callback_id, bot_id, created_after)).fetchone()
        return int(row["chat_id"]) if row else None

    # journals

    def add_call(
        self, at: float, bot_id: int, method: str, chat_id: int | None, answer: dict[str, Any]
    ) -> None:
        """Journal a call. `answer` holds status, is_done, description and params."""
        sql = """INSERT INTO calls(at, bot_id, method, chat_id, status, is_done, description, params)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
        values = (answer["status"], answer["is_done"], answer["description"], to_json(answer["params"]))
        row_id = self._db.execute(sql, (at, bot_id, method, chat_id, *values)).lastrowid
        sql = """INSERT INTO call_counts VALUES (?, ?, 1, ?) ON CONFLICT(bot_id, method)
                 DO UPDATE SET arrived = arrived + 1, accepted = accepted + excluded.accepted"""
        self._db.execute(sql, (bot_id, method, answer["is_done"]))
        self._trim("calls", row_id)

    def list_calls(self, bot_id: int | None, limit: int) -> list[dict[str, Any]]:
        """The last calls, newest first."""
        sql = "SELECT * FROM calls WHERE ?1 IS NULL OR bot_id = ?1 ORDER BY id DESC LIMIT ?2"
        rows = [dict(row) for row in self._db.execute(sql, (bot_id, limit))]
        return [{**row, "is_done": bool(row["is_done"]), "params": json.loads(row["params"])} for row in rows]

    def list_call_counts(self, bot_id: int | None) -> dict[str, dict[str, int]]:
        """By method: how many calls arrived, and how many did their work."""
        sql = """SELECT method, SUM(arrived) AS arrived, SUM(accepted) AS accepted FROM call_counts
                 WHERE ?1 IS NULL OR bot_id = ?1 GROUP BY method ORDER BY method"""
        rows = self._db.execute(sql, (bot_id,))
        return {row["method"]: {"arrived": row["arrived"], "accepted": row["accepted"]} for row in rows}

    def add_attempt(self, attempt: dict[str, Any]) -> None:
        """Journal one webhook request: at, bot_id, update_id, url, status (0: no answer), answer, seconds."""
        sql = """INSERT INTO attempts(at, bot_id, update_id, url, status, answer, seconds)
                 VALUES (:at, :bot_id, :update_id, :url, :status, :answer, :seconds)"""
        self._trim("attempts", self._db.execute(sql, attempt).lastrowid)

    def list_attempts(self, bot_id: int | None, limit: int) -> list[dict[str, Any]]:
        """The last webhook requests, newest first."""
        sql = "SELECT * FROM attempts WHERE ?1 IS NULL OR bot_id = ?1 ORDER BY id DESC LIMIT ?2"
        return [dict(row) for row in self._db.execute(sql, (bot_id, limit))]

    def _trim(self, table: str, row_id: int | None) -> None:
        if row_id is not None and row_id % 100 == 0:
            self._db.execute(f"DELETE FROM {table} WHERE id <= ?", (row_id - JOURNAL_ROWS,))

    def _one(self, sql: str, *values: Any) -> sqlite3.Row:
        row: sqlite3.Row = self._db.execute(sql, values).fetchall()[0]
        return row
