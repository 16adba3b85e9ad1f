"""What the contract suite must know of each provider; a new channel adds its case here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parley.channels.contract import Account
from tests.scripted_http import Behaviour, answers

TOKEN = "555:AAcontract-suite_token"


@dataclass(frozen=True, kw_only=True)
class ProviderCase:
    """A provider's dialect, in samples.

    ``good_body`` is a text message "привет" in chat ``chat``; ``foreign_body`` something to be ignored.
    ``file_answers`` are the answers that lead to the bytes of ``file_reference``.
    """

    chat: str
    account: Callable[[str], Account]
    good_headers: dict[str, str]
    good_body: bytes
    foreign_body: bytes
    bad_bodies: list[bytes]
    sent: Behaviour
    sent_ids: list[str]
    too_many: Behaviour
    retry_after_seconds: float
    gone: Behaviour
    rejected: Behaviour
    broken: Behaviour
    malformed_secrets: dict[str, str]
    known: Behaviour
    file_reference: dict[str, Any]
    file_answers: Callable[[bytes], list[Behaviour]]
    polled: Callable[[list[bytes]], Behaviour]


def _refusal(code: int, description: str, **parameters: int) -> Behaviour:
    body = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return answers(code, body)


def _result(value: Any) -> Behaviour:
    return answers(200, {"ok": True, "result": value})


def _telegram_account(base_url: str) -> Account:
    return Account(
        inbox_id="inb_1",
        secrets={"token": TOKEN, "webhook_secret": "contract_Secret-1"},
        config={"base_url": base_url},
    )


def _telegram_body(text: str) -> bytes:
    person = {"id": 700100, "is_bot": False, "first_name": "Ира"}
    chat = {"id": 700100, "type": "private", "first_name": "Ира"}
    message = {"message_id": 41, "date": 1_790_000_000, "chat": chat, "from": person, "text": text}
    return json.dumps({"update_id": 730_001, "message": message}, ensure_ascii=False).encode()


TELEGRAM = ProviderCase(
    chat="700100",
    account=_telegram_account,
    good_headers={"x-telegram-bot-api-secret-token": "contract_Secret-1"},
    good_body=_telegram_body("привет"),
    foreign_body=b'{"update_id":1,"teleportation":{"to":"Mars"}}',
    bad_bodies=[b"", b"null", b"{}", b'{"update_id":1,"message":{"chat":"x"}}', b"\xff", b"<html>"],
    sent=_result({"message_id": 77, "date": 1, "chat": {"id": 700100, "type": "private"}}),
    sent_ids=["77"],
    too_many=_refusal(429, "Too Many Requests: retry after 7", retry_after=7),
    retry_after_seconds=7.0,
    gone=_refusal(403, "Forbidden: bot was blocked by the user"),
    rejected=_refusal(400, "Bad Request: message is too long"),
    broken=_refusal(401, "Unauthorized"),
    malformed_secrets={"token": "not a token"},
    known=_result({"id": 555, "is_bot": True, "first_name": "Поддержка", "username": "help_bot"}),
    file_reference={"file_id": "AgAC-1"},
    file_answers=lambda content: [_result({"file_path": "photos/1.jpg"}), answers(200, content)],
    polled=lambda bodies: _result([json.loads(body) for body in bodies]),
)

PROVIDERS: dict[str, ProviderCase] = {"telegram": TELEGRAM}
