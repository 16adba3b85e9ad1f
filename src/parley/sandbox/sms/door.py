"""Which provider a path below `/sms/` is of."""

from collections.abc import Awaitable, Callable

from parley.sandbox.sms import smsc, smsru, twilio
from parley.sandbox.sms.box import Box
from parley.sandbox.sms.calls import Call, read_call
from parley.sandbox.wire import Request, send_json

_PROVIDERS: dict[str, tuple[Callable[[Call, str], Awaitable[None]], str]] = {
    "smsru": (smsru.serve, "utf-8"),
    "smsc": (smsc.serve, smsc.CHARSET),
    "twilio": (twilio.serve, "utf-8"),
}


async def serve_sms(box: Box, request: Request) -> None:
    """Answer a call of a provider's API."""
    name, _, rest = request.path.removeprefix("/sms/").partition("/")
    serve, charset = _PROVIDERS.get(name, (None, ""))
    if serve is None:
        await send_json(request.send, 404, {"error": "not found"})
        return
    call = await read_call(box, request, charset=charset)
    if call is not None:
        await serve(call, f"/{rest}")
