"""Twilio: `POST /2010-04-01/Accounts/<sid>/Messages.json` and `GET .../Messages/<id>.json`
(twilio.com/docs/messaging/api/message-resource), with Basic authentication and Twilio's error codes.
"""

import base64
import binascii
import re
from email.utils import formatdate
from typing import Any

from parley.sandbox.sms.box import ACCOUNT_SID, plain_phone
from parley.sandbox.sms.calls import Call, meet_fault
from parley.sandbox.wire import send_json

TEXTS = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    21211: "Invalid 'To' Phone Number",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21610: "Attempt to send to unsubscribed recipient",
    21617: "The concatenated message body exceeds the 1600 character limit",
}
STATUSES = {20003: 401, 20404: 404, 20429: 429}
MOST_TEXT = 1600
_MESSAGES = re.compile(r"/2010-04-01/Accounts/([^/]+)/Messages\.json")
_MESSAGE = re.compile(r"/2010-04-01/Accounts/([^/]+)/Messages/([^/]+)\.json")


async def serve(call: Call, path: str) -> None:
    """Answer one call."""
    if not _is_known(call):
        return await _refuse(call, 20003)
    if (match := _MESSAGES.fullmatch(path)) and call.request.method == "POST" and match[1] == ACCOUNT_SID:
        return await _send(call)
    if (match := _MESSAGE.fullmatch(path)) and call.request.method == "GET" and match[1] == ACCOUNT_SID:
        found = call.box.find("twilio", match[2])
        if found is not None:
            return await send_json(call.request.send, 200, _resource(found, "delivered"))
    return await _refuse(call, 20404)


def _is_known(call: Call) -> bool:
    scheme, _, value = call.request.headers.get("authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and name == ACCOUNT_SID and call.box.is_key(password)


async def _send(call: Call) -> None:
    phone, text = plain_phone(call.given.get("To", "")), call.given.get("Body", "")
    sender = call.given.get("From") or call.given.get("MessagingServiceSid", "")
    fault = call.box.take_fault("twilio", phone)
    if fault is not None and fault.kind != "code":
        return await meet_fault(call, fault, lambda: call.box.add("twilio", phone, text, sender))
    code = fault.value if fault is not None else _code(call, phone, text, sender)
    if code:
        return await _refuse(call, code)
    found = call.box.find("twilio", call.box.add("twilio", phone, text, sender))
    return await send_json(call.request.send, 201, _resource(found or {}, "queued"))


def _code(call: Call, phone: str, text: str, sender: str) -> int:
    if not phone or not call.given.get("To", "").startswith("+"):
        return 21211
    if not sender:
        return 21603
    if not text:
        return 21602
    if len(text) > MOST_TEXT:
        return 21617
    return 21610 if phone in call.box.stopped() else 0


def _resource(row: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        "sid": row["provider_id"],
        "account_sid": ACCOUNT_SID,
        "status": status,
        "to": row["phone"],
        "from": row["sender"],
        "body": row["text"],
        "num_segments": "1",
        "price": None,
        "error_code": None,
        "error_message": None,
        "date_created": formatdate(row["at"]),
    }


async def _refuse(call: Call, code: int) -> None:
    status = STATUSES.get(code, 400)
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": TEXTS.get(code, "Error"), "more_info": more, "status": status}
    await send_json(call.request.send, status, body)
