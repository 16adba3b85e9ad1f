"""The Bot API's error answers, word for word (source: Telegram Bot API server 10.x, `Client.cpp`)."""

from typing import Any


class BotApiError(Exception):
    """An answer with `ok: false`; the HTTP status equals `status`."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        """The JSON that Telegram answers with."""
        answer: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        return {**answer, "parameters": self.parameters} if self.parameters else answer


def bad_request(text: str, **parameters: int) -> BotApiError:
    """400. `text` begins in lower case unless it is one of Telegram's RAW_CODES."""
    return BotApiError(400, f"Bad Request: {text}", **parameters)


def forbidden(text: str) -> BotApiError:
    """403: the recipient is gone or never was there."""
    return BotApiError(403, f"Forbidden: {text}")


def conflict(text: str) -> BotApiError:
    """409: two readers of one bot's updates."""
    return BotApiError(409, f"Conflict: {text}")


def too_many(retry_after_seconds: int) -> BotApiError:
    """429, with the seconds both in the text and in `parameters`."""
    text = f"Too Many Requests: retry after {retry_after_seconds}"
    return BotApiError(429, text, retry_after=retry_after_seconds)


NOT_FOUND = BotApiError(404, "Not Found")
UNAUTHORIZED = BotApiError(401, "Unauthorized")
INVALID_TOKEN = BotApiError(401, "Unauthorized: invalid token specified")
CHAT_NOT_FOUND = "chat not found"
BLOCKED = "bot was blocked by the user"
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
