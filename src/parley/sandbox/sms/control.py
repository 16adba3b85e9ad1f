"""The control API of the SMS box, JSON in and out; an error is `{"error": {"code", "message", "fields"}}`.

| request | does |
|---|---|
| GET `/control/sms` ?phone&limit | {messages, newest first; stopped; faults} |
| DELETE `/control/sms` | empties the box |
| POST `/control/sms/stopped` {phone, is_stopped} | the stop list |
| POST `/control/sms/faults` {kind, value?, provider?, phone?, times?} | as `box.Fault` |
| DELETE `/control/sms/faults` | takes all faults away |
"""

from typing import Annotated, Any, Literal

import msgspec

from parley.sandbox.sms.box import MOST_FAULTS, Box, Fault, plain_phone
from parley.sandbox.sms.calls import BODY_LIMIT_BYTES
from parley.sandbox.wire import BodyTooLarge, Request, int_or, send_json

SHOWN = 200


class NewFault(msgspec.Struct, forbid_unknown_fields=True):
    """A fault as it is asked for."""

    kind: Literal["code", "status", "drop"]
    value: Annotated[int, msgspec.Meta(ge=-1000, le=100_000)] = 0
    provider: Literal["", "smsru", "smsc", "twilio"] = ""
    phone: str = ""
    times: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1


class Stop(msgspec.Struct, forbid_unknown_fields=True):
    """A number for the stop list."""

    phone: str
    is_stopped: bool = True


async def serve_sms_control(box: Box, request: Request) -> None:
    """Answer one control request."""
    try:
        found = await _act(box, request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return await _refuse(request, 422, "malformed", str(error))
    except BodyTooLarge:
        return await _refuse(request, 413, "too_large", "The request is too large.")
    if found is None:
        return await _refuse(request, 404, "not_found", "There is no such path.")
    return await send_json(request.send, 200, found, [("cache-control", "no-store")])


async def _act(box: Box, request: Request) -> Any:
    match request.method, request.path:
        case "GET", "/control/sms":
            query = request.query()
            limit = min(max(int_or(query.get("limit"), SHOWN), 1), SHOWN)
            phone = query.get("phone", "")
            messages = box.messages(plain_phone(phone) if phone else "", limit) if _is_phone(phone) else []
            return {
                "messages": messages,
                "stopped": box.stopped(),
                "faults": [msgspec.to_builtins(fault) for fault in box.faults],
            }
        case "DELETE", "/control/sms":
            box.clear()
        case "POST", "/control/sms/stopped":
            stop = msgspec.json.decode(await request.body(BODY_LIMIT_BYTES), type=Stop)
            box.stop(_require_phone(stop.phone), is_stopped=stop.is_stopped)
        case "POST", "/control/sms/faults":
            asked = msgspec.json.decode(await request.body(BODY_LIMIT_BYTES), type=NewFault)
            if asked.kind == "status" and not 400 <= asked.value <= 599:
                raise ValueError("value must be an HTTP status from 400 to 599")
            phone = _require_phone(asked.phone) if asked.phone else ""
            if len(box.faults) >= MOST_FAULTS:
                raise ValueError("there are enough faults")
            box.faults.append(Fault(asked.kind, asked.value, asked.provider, phone, asked.times))
        case "DELETE", "/control/sms/faults":
            box.faults.clear()
        case _:
            return None
    return {}


def _is_phone(text: str) -> bool:
    return not text or bool(plain_phone(text))


def _require_phone(text: str) -> str:
    phone = plain_phone(text)
    if not phone:
        raise ValueError("this is no phone number")
    return phone


async def _refuse(request: Request, status: int, code: str, message: str) -> None:
    await send_json(request.send, status, {"error": {"code": code, "message": message, "fields": {}}})
