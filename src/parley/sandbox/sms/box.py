"""Every SMS that a stand-in took, in one SQLite file; and how the stand-ins were told to misbehave.

All three providers fill one box, for one account: its `key` is SMS.ru's api_id, SMSC's API key and the password of its
login `sandbox`, and the auth token of Twilio's account `AC` + 32 zeros. A number in the stop list is refused by all.
"""

import hmac
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS sms(
  id INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, provider_id TEXT NOT NULL, phone TEXT NOT NULL,
  sender TEXT NOT NULL, text TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS sms_phone ON sms(phone, id);
CREATE INDEX IF NOT EXISTS sms_provider ON sms(provider, provider_id);
CREATE TABLE IF NOT EXISTS stopped(phone TEXT PRIMARY KEY) WITHOUT ROWID;
"""
KEPT = 2000
"""Messages kept; the oldest go."""
LOGIN = "sandbox"
ACCOUNT_SID = "AC" + "0" * 32
MOST_FAULTS = 50


@dataclass(slots=True)
class Fault:
    """The next `times` sends to `phone` (empty: any) at `provider` (empty: any) fail.

    `kind` `code`: the provider's own error of this number; `status`: this HTTP status; `drop`: taken, and the
    connection is broken before the answer.
    """

    kind: str
    value: int = 0
    provider: str = ""
    phone: str = ""
    times: int = 1


@dataclass(slots=True)
class Box:
    """The open file, and the faults to come."""

    path: Path
    key: str
    clock: Callable[[], float]
    faults: list[Fault] = field(default_factory=list)
    _db: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.path, isolation_level=None, timeout=10, check_same_thread=False)
        self.path.chmod(0o600)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def is_key(self, given: str) -> bool:
        """Whether this is the account's key."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.key.encode())

    def add(self, provider: str, phone: str, text: str, sender: str, provider_id: str = "") -> str:
        """Take a message; its id at the provider, made when none is given."""
        sql = "INSERT INTO sms(provider, provider_id, phone, sender, text, at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id"
        number = self._db.execute(sql, (provider, provider_id, phone, sender, text, self.clock())).fetchone()[
            0
        ]
        if not provider_id:
            provider_id = {"smsru": f"202647-{1000000 + number}", "twilio": f"SM{number:032x}"}.get(
                provider, str(number)
            )
            self._db.execute("UPDATE sms SET provider_id = ? WHERE id = ?", (provider_id, number))
        self._db.execute("DELETE FROM sms WHERE id <= ?", (number - KEPT,))
        return provider_id

    def find(self, provider: str, provider_id: str) -> dict[str, Any] | None:
        """The message of an id at a provider."""
        sql = "SELECT * FROM sms WHERE provider = ? AND provider_id = ? ORDER BY id DESC"
        row = self._db.execute(sql, (provider, provider_id)).fetchone()
        return dict(row) if row else None

    def messages(self, phone: str, limit: int) -> list[dict[str, Any]]:
        """The newest messages first, of one number or (empty) of all."""
        sql = "SELECT * FROM sms WHERE ? IN ('', phone) ORDER BY id DESC LIMIT ?"
        return [dict(row) for row in self._db.execute(sql, (phone, limit))]

    def has_repeat(self, provider: str, phone: str, text: str, seconds: float) -> bool:
        """Whether this text went to this number so lately."""
        sql = "SELECT 1 FROM sms WHERE provider = ? AND phone = ? AND text = ? AND at > ?"
        return bool(self._db.execute(sql, (provider, phone, text, self.clock() - seconds)).fetchone())

    def clear(self) -> None:
        self._db.execute("DELETE FROM sms")

    def stop(self, phone: str, *, is_stopped: bool) -> None:
        """Put a number into the stop list, or take it out."""
        sql = (
            "INSERT OR IGNORE INTO stopped VALUES (?)"
            if is_stopped
            else "DELETE FROM stopped WHERE phone = ?"
        )
        self._db.execute(sql, (phone,))

    def stopped(self) -> list[str]:
        return [row["phone"] for row in self._db.execute("SELECT phone FROM stopped ORDER BY phone")]

    def take_fault(self, provider: str, phone: str) -> Fault | None:
        """The fault that this send meets, counted down."""
        for fault in self.faults:
            if fault.provider in ("", provider) and fault.phone in ("", phone):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None


def plain_phone(text: str) -> str:
    """A number as the box keeps it: a plus and digits; empty when it is none."""
    digits = "".join(char for char in text if char not in " +-()")
    return f"+{digits}" if digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15 else ""
