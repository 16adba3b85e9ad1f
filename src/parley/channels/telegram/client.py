"""The only I/O of the channel: calls of the Bot API, and files from it.

The token stands in every URL (that is Telegram's way), so no URL may reach a log or an error; the HTTP client
keeps that promise, and what a server echoes of the token is taken out here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

import msgspec

from parley.channels.contract import AccountBroken, FetchedMedia, Rejected, Temporary, Uncertain
from parley.channels.telegram.verdict import read_answer
from parley.infra.http_client import (
    Answer,
    Download,
    HttpClient,
    NoAnswer,
    NotSent,
    Timeouts,
    Upload,
    UploadBroken,
)
from parley.kit.errors import NotFound

DEFAULT_BASE_URL = "https://api.telegram.org"
DOWNLOAD_LIMIT_BYTES = 20 * 1024 * 1024
"""What a bot may download from the cloud (core.telegram.org/bots/api#getfile)."""
REPEATABLE = frozenset(
    {
        "getMe",
        "getUpdates",
        "getFile",
        "setWebhook",
        "deleteWebhook",
        "editMessageText",
        "editMessageCaption",
        "deleteMessage",
    }
)
"""Methods whose second call does no harm; after a lost answer they are simply done again."""
UPLOAD_TIMEOUTS = Timeouts(read=120.0, write=60.0, total=900.0)
"""50 MB through a slow line, and Telegram's own time to take them in."""
DOWNLOAD_TIMEOUTS = Timeouts(total=600.0)

# Bot id, colon, key. The server refuses a leading zero and more than 80 characters before looking anything
# up.
_TOKEN = re.compile(r"[1-9][0-9]{0,18}:[A-Za-z0-9_-]{1,60}")
_FILE_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*")


class AnswerTooLarge(Temporary):
    """Telegram's answer is larger than we take; asked for less at once, it may be had."""

    code = "answer_too_large"


class Address(msgspec.Struct, frozen=True):
    """Where a bot's methods and files are. Holds the token: never show it."""

    token: str
    base_url: str
    file_base_url: str

    def __repr__(self) -> str:
        return "Address(...)"


def parse_address(secrets: dict[str, str], config: dict[str, Any]) -> Address:
    """Return the address of an account. Raises AccountBroken for a malformed token or URL, unquoted."""
    token = secrets.get("token", "")
    if not _TOKEN.fullmatch(token):
        raise AccountBroken(
            "This is not a bot token: it has the form 123456789:AA..., as BotFather gives it."
        )
    base = _base_url(config.get("base_url") or DEFAULT_BASE_URL)
    return Address(token, base, _base_url(config.get("file_base_url") or f"{base}/file"))


class TelegramClient:
    """Calls of the Bot API. Keeps nothing but the connections."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def call(
        self,
        address: Address,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        uploads: Sequence[Upload] = (),
        timeouts: Timeouts | None = None,
    ) -> msgspec.Raw:
        """Do one call and return its result as raw JSON.

        Raises: one of the five SendErrors, or Uncertain when it may have been done (never for REPEATABLE).
        """
        params = params or {}
        is_repeatable = method in REPEATABLE
        url = f"{address.base_url}/bot{address.token}/{method}"
        try:
            if uploads:
                form = {name: _form_value(value) for name, value in params.items()}
                answer = await self._http.request(
                    "POST", url, form=form, uploads=uploads, timeouts=timeouts or UPLOAD_TIMEOUTS
                )
            else:
                answer = await self._http.request("POST", url, json=params, timeouts=timeouts)
        except (NotSent, NoAnswer) as error:
            _raise_unanswered(error, is_repeatable)
        return read_answer(
            _without(answer, address.token), is_repeatable=is_repeatable, has_chat="chat_id" in params
        )

    async def download(self, address: Address, path: str, size_bytes: int | None) -> FetchedMedia:
        """Open a file by getFile's path. Raises Temporary, Rejected (gone, too big), AccountBroken."""
        if size_bytes is not None and size_bytes > DOWNLOAD_LIMIT_BYTES:
            raise too_big()
        if not _FILE_PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise Rejected("Telegram gave a file path that cannot be used.", provider_code="file_path")
        url = f"{address.file_base_url}/bot{address.token}/{quote(path)}"
        try:
            download = await self._http.open(
                "GET", url, timeouts=DOWNLOAD_TIMEOUTS, limit_bytes=DOWNLOAD_LIMIT_BYTES
            )
        except (NotSent, NoAnswer) as error:
            _raise_unanswered(error, is_repeatable=True)
        if download.status != 200:
            await download.aclose()
            raise _no_file(download.status)
        size = download.size_bytes if download.size_bytes is not None else size_bytes
        if size is not None and size > DOWNLOAD_LIMIT_BYTES:
            await download.aclose()
            raise too_big()
        return FetchedMedia(_FileChunks(download), size, download.headers.get("content-type"))


class _FileChunks:
    """The chunks of a download; its errors are ours."""

    def __init__(self, download: Download) -> None:
        self._download = download
        self._chunks = aiter(download)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._chunks)
        except NoAnswer as error:
            if "limit_bytes" in error.fields:
                raise too_big() from None
            raise Temporary("The file broke off on its way.", scope="inbox") from None

    async def aclose(self) -> None:
        await self._download.aclose()


def too_big() -> Rejected:
    """Return the error for a file over Telegram's limit."""
    return Rejected(
        "The file is larger than the 20 MB a Telegram bot may download.",
        provider_code="file_too_big",
        limit_bytes=DOWNLOAD_LIMIT_BYTES,
    )


def _no_file(status: int) -> AccountBroken | Rejected | Temporary:
    if status == 401:
        return AccountBroken("Telegram does not know this bot token.")
    if status == 429 or status >= 500 or status < 400:
        return Temporary(f"The file cannot be had now (HTTP {status}).", scope="inbox")
    return Rejected(f"The file is no longer at Telegram (HTTP {status}).", provider_code="file_gone")


def _raise_unanswered(error: NotSent | NoAnswer, is_repeatable: bool) -> NoReturn:
    """Say what a failed exchange means: only what provably left nothing behind may be sent again."""
    if isinstance(error, UploadBroken):
        if error.source_error is None or isinstance(error.source_error, NotFound):
            raise Rejected("The file to send is no longer there.", provider_code="file_missing") from error
        raise Temporary("The file to send cannot be read now.") from error
    if isinstance(error, NotSent):
        raise Temporary("Telegram cannot be reached.", scope="inbox") from error
    if is_repeatable and "limit_bytes" in error.fields:
        raise AnswerTooLarge(scope="inbox") from error
    if is_repeatable:
        raise Temporary("Telegram did not answer.", scope="inbox") from error
    raise Uncertain("Telegram did not answer; the message may have arrived.") from error


def _without(answer: Answer, token: str) -> Answer:
    """Return a refusal without the token, should a proxy have quoted our URL."""
    if answer.status < 400:
        return answer
    return Answer(answer.status, answer.headers, answer.body.replace(token.encode(), b"(token)"))


def _form_value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _base_url(value: Any) -> str:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_sound = is_sound and not (parts.query or parts.fragment or parts.username) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound:
        raise AccountBroken("The address of the Bot API is not a plain http(s) URL.", field="base_url")
    return str(value).rstrip("/")
