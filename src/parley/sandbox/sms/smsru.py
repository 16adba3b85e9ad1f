"""SMS.ru: `/sms/send`, `/sms/status`, `/my/balance` (sms.ru/api). HTTP 200 always; a verdict for the request and one
for each number. Only answers with `json=1` are served, the plain text form is not.
"""

from functools import partial
from typing import Any

from parley.sandbox.sms.box import plain_phone
from parley.sandbox.sms.calls import Call, meet_fault
from parley.sandbox.wire import send_json

TEXTS = {
    200: "Неправильный api_id",
    202: "Неправильно указан номер телефона получателя",
    203: "Нет текста сообщения",
    205: "Сообщение слишком длинное",
    207: "На этот номер нет пути для доставки сообщения",
    209: "Номер в стоп-листе",
    211: "Метод не найден",
    220: "Сервис временно недоступен",
}
MOST_NUMBERS = 100
MOST_TEXT = 1000
BALANCE = 412.5


async def serve(call: Call, path: str) -> None:
    """Answer one call."""
    if not call.box.is_key(call.given.get("api_id", "")):
        return await _answer(call, _refusal(200))
    if path == "/sms/send":
        return await _send(call)
    if path == "/sms/status":
        found = {
            one: _status(call, one) for one in call.given.get("sms_id", "").split(",")[:MOST_NUMBERS] if one
        }
        return await _answer(call, {**_fine(), "sms": found, "balance": BALANCE})
    if path == "/my/balance":
        return await _answer(call, {**_fine(), "balance": BALANCE})
    return await _answer(call, _refusal(211))


async def _send(call: Call) -> None:
    pairs = {
        name[3:-1]: text for name, text in call.given.items() if name.startswith("to[") and name[-1] == "]"
    }
    for number in call.given.get("to", "").split(",")[:MOST_NUMBERS]:
        if number:
            pairs[number] = call.given.get("msg", "")
    if not pairs:
        return await _answer(call, _refusal(202))
    verdicts: dict[str, Any] = {}
    for number, text in pairs.items():
        phone = plain_phone(number)
        fault = call.box.take_fault("smsru", phone)
        if fault is not None and fault.kind != "code":
            return await meet_fault(call, fault, partial(_take, call, phone, text))
        code = fault.value if fault is not None else _code(call, phone, text)
        verdicts[number] = _take(call, phone, text) if code == 100 else _refusal(code)
    return await _answer(call, {**_fine(), "sms": verdicts, "balance": BALANCE})


def _code(call: Call, phone: str, text: str) -> int:
    if not phone:
        return 202
    if not text:
        return 203
    if len(text) > MOST_TEXT:
        return 205
    return 209 if phone in call.box.stopped() else 100


def _take(call: Call, phone: str, text: str) -> dict[str, Any]:
    if call.given.get("test") == "1":
        return {**_fine(), "sms_id": "000000-10000000"}
    return {**_fine(), "sms_id": call.box.add("smsru", phone, text, call.given.get("from", ""))}


def _status(call: Call, sms_id: str) -> dict[str, Any]:
    is_known = call.box.find("smsru", sms_id) is not None
    return {**_fine(), "status_code": 103, "cost": 2.9} if is_known else _refusal(-1)


def _fine() -> dict[str, Any]:
    return {"status": "OK", "status_code": 100}


def _refusal(code: int) -> dict[str, Any]:
    return {"status": "ERROR", "status_code": code, "status_text": TEXTS.get(code, "Ошибка")}


async def _answer(call: Call, value: dict[str, Any]) -> None:
    await send_json(call.request.send, 200, value)
