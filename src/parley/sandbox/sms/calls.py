"""What the three stand-ins share: a request read as a form, and faults."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from parley.sandbox.sms.box import Box, Fault
from parley.sandbox.wire import (
    BodyTooLarge,
    MalformedBody,
    Request,
    parse_urlencoded,
    reset_connection,
    send_bytes,
    send_json,
)

BODY_LIMIT_BYTES = 64 * 1024


@dataclass(slots=True)
class Call:
    """One call of a provider's method: `given` are its parameters, of the address or the body."""

    box: Box
    request: Request
    given: dict[str, str]


async def read_call(box: Box, request: Request, *, charset: str = "utf-8") -> Call | None:
    """The call, or None after it was answered as one that cannot be read.

    `charset` is what the body's escapes stand for unless it says another by a parameter `charset`.
    """
    try:
        raw = await request.body(BODY_LIMIT_BYTES)
        query = request.scope.get("query_string", b"")
        given = {**_pairs(query, charset), **_pairs(raw, charset)}
    except BodyTooLarge:
        await send_bytes(request.send, 413, b"Too large\n", "text/plain")
        return None
    except MalformedBody:
        await send_bytes(request.send, 400, b"Bad request\n", "text/plain")
        return None
    return Call(box, request, given)


async def meet_fault(call: Call, fault: Fault, keep: Callable[[], object]) -> None:
    """Fail as told by HTTP: a status, or a message taken and no answer."""
    if fault.kind == "drop":
        keep()
        await reset_connection(call.request)
    else:
        await send_json(call.request.send, fault.value, {"error": "fault"}, [("retry-after", "1")])


def _pairs(raw: bytes, charset: str) -> dict[str, str]:
    if charset == "utf-8":
        return parse_urlencoded(raw)
    try:
        text = raw.decode("ascii")
        said = dict(parse_qsl(text, max_num_fields=500)).get("charset", charset).lower()
        if said not in ("utf-8", "windows-1251", "koi8-r"):
            said = charset
        return dict(
            parse_qsl(text, keep_blank_values=True, encoding=said, errors="replace", max_num_fields=500)
        )
    except ValueError as error:
        raise MalformedBody("this is no form") from error
