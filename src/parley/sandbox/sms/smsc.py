"""SMSC: `/sys/send.php`, `/sys/status.php`, `/sys/balance.php` (smsc.ru/api/http). With `fmt=3`, JSON; other forms of
answers are not served. Text is windows-1251 unless `charset` says otherwise, and what is not shows so; the same text to
the same number twice within a minute is error 9.
"""

import hashlib
from typing import Any

from parley.sandbox.sms.box import LOGIN, plain_phone
from parley.sandbox.sms.calls import Call, meet_fault
from parley.sandbox.wire import int_or, send_json

CHARSET = "windows-1251"
TEXTS = {
    1: "parameters error",
    2: "authorise error",
    5: "invalid date",
    6: "message is denied",
    7: "invalid number",
    8: "message cannot be delivered",
    9: "duplicate request, wait a minute",
}
REPEAT_SECONDS = 60.0
MOST_TEXT = 1000
MOST_ID = 2147483647


async def serve(call: Call, path: str) -> None:
    """Answer one call."""
    if not _is_known(call):
        return await _answer(call, _refusal(2))
    if path == "/sys/send.php":
        return await _send(call)
    if path == "/sys/status.php":
        found = call.box.find("smsc", call.given.get("id", ""))
        if found is None:
            return await _answer(call, {"status": -3})
        return await _answer(call, {"status": 1, "last_timestamp": int(found["at"])})
    if path == "/sys/balance.php":
        return await _answer(call, {"balance": "97.1"})
    return await _answer(call, _refusal(1))


def _is_known(call: Call) -> bool:
    if call.given.get("apikey"):
        return call.box.is_key(call.given["apikey"])
    password = call.given.get("psw", "")
    hashed = hashlib.md5(call.box.key.encode(), usedforsecurity=False).hexdigest()
    return call.given.get("login") == LOGIN and (call.box.is_key(password) or password == hashed)


async def _send(call: Call) -> None:
    phones = [plain_phone(one) for one in call.given.get("phones", "").replace(";", ",").split(",") if one]
    text = call.given.get("mes", "")
    fault = call.box.take_fault("smsc", phones[0] if phones else "")
    if fault is not None and fault.kind != "code":
        return await meet_fault(call, fault, lambda: _take(call, phones, text))
    code = fault.value if fault is not None else _code(call, phones, text)
    if code:
        return await _answer(call, _refusal(code))
    return await _answer(call, {"id": _take(call, phones, text), "cnt": len(phones)})


def _code(call: Call, phones: list[str], text: str) -> int:
    own = call.given.get("id")
    if not phones or not text or len(text) > MOST_TEXT or (own and not 1 <= int_or(own, 0) <= MOST_ID):
        return 1
    if not all(phones):
        return 7
    if any(phone in call.box.stopped() for phone in phones):
        return 8
    return 9 if any(call.box.has_repeat("smsc", phone, text, REPEAT_SECONDS) for phone in phones) else 0


def _take(call: Call, phones: list[str], text: str) -> int:
    own = call.given.get("id", "")
    taken = [call.box.add("smsc", phone, text, call.given.get("sender", ""), own) for phone in phones]
    return int(taken[0])


def _refusal(code: int) -> dict[str, Any]:
    return {"error": TEXTS.get(code, "error"), "error_code": code}


async def _answer(call: Call, value: dict[str, Any]) -> None:
    await send_json(call.request.send, 200, value)
