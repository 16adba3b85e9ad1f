"""One call of a method: who calls, and its parameters, equal in all four forms in which they may arrive."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from parley.sandbox.forms import Form, Upload, read_multipart
from parley.sandbox.telegram.errors import bad_request
from parley.sandbox.telegram.rows import Bot
from parley.sandbox.telegram.world import World
from parley.sandbox.wire import MalformedBody, Request, int_or, parse_json, parse_urlencoded

UPLOAD_LIMIT_BYTES = 50 * 1024 * 1024
BODY_LIMIT_BYTES = 64 * 1024 * 1024
PLAIN_LIMIT_BYTES = 1024 * 1024
_TRUE = ("true", "yes", "1")


@dataclass(slots=True)
class Call:
    """What a method is given. Values are text; nested objects are JSON within, as in a form."""

    world: World
    bot: Bot
    method: str
    form: Form
    wait_gone: Callable[[], Awaitable[None]]

    def has(self, name: str) -> bool:
        return name in self.form.values

    def text(self, name: str, default: str = "") -> str:
        return self.form.values.get(name, default)

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number of at most 18 digits; anything else counts as not given."""
        return int_or(self.text(name).strip(), default)

    def number(self, name: str) -> float | None:
        """A decimal number, None when there is none."""
        try:
            value = float(self.text(name))
        except ValueError:
            return None
        return value if abs(value) < 1e15 else None

    def is_set(self, name: str) -> bool:
        return self.text(name).lower() in _TRUE

    def json(self, name: str, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
        """A nested value, None when not given. Raises: BotApiError when it is not of that kind."""
        raw = self.text(name)
        if not raw:
            return None
        try:
            value = parse_json(raw.encode())
        except MalformedBody as error:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from error
        if not isinstance(value, kind):
            expected = "an Array" if kind is list else "an Object"
            raise bad_request(f"can't parse {name.replace('_', ' ')}: expected {expected}")
        return value

    @property
    def chat_id(self) -> int | None:
        """The chat that the call names, None when it is absent or no number."""
        return self.integer("chat_id") or None


async def read_form(request: Request, world: World) -> Form:
    """The parameters of a call: query and body as one. Raises: MalformedBody, BodyTooLarge, ClientGone."""
    values = request.query()
    if request.content_type == "multipart/form-data":
        form = await read_multipart(request, world.vault.incoming, BODY_LIMIT_BYTES)
    else:
        body = await request.body(PLAIN_LIMIT_BYTES)
        form = Form(plain_values(request.content_type, body))
    form.values = {**values, **form.values}
    return form


def plain_values(content_type: str, body: bytes) -> dict[str, str]:
    """Parameters of a body without files. Raises: MalformedBody."""
    if not body.strip():
        return {}
    if content_type == "application/json":
        parsed = parse_json(body)
        if not isinstance(parsed, dict):
            raise MalformedBody("object expected")
        return {name: _as_text(value) for name, value in parsed.items() if value is not None}
    return parse_urlencoded(body)


def require_upload_size(upload: Upload) -> Upload:
    """Raises: BotApiError for a file above 50 MB, or an empty one."""
    if upload.size_bytes > UPLOAD_LIMIT_BYTES:
        raise bad_request("file is too big")
    if not upload.size_bytes:
        raise bad_request("file must be non-empty")
    return upload


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
