"""What every SMS provider is to Parley: a text taken for a number, or one of the send errors of the channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import msgspec

from parley.channels.contract import Rejected, Temporary, Uncertain
from parley.infra.http_client import Answer, HttpClient, NoAnswer, NotSent

MOST_REFERENCE = 2**31 - 1
"""The largest own id that every provider takes (SMSC: 1 to 2147483647)."""


class Sms(msgspec.Struct, frozen=True):
    """A text for one number in E.164 form. ``reference``: our own id of it, 1 to `MOST_REFERENCE`."""

    to: str
    text: str
    reference: int

    def __repr__(self) -> str:
        return f"Sms({self.reference})"  # neither the number nor the text, which may be a code


class SmsReceipt(msgspec.Struct, frozen=True):
    """The provider took the SMS. ``provider_id`` names it there; that it arrived is not known."""

    provider_id: str


class SmsAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account at a provider. ``key`` is its secret; ``headers`` go along with every request.

    ``account``: Twilio's Account SID, SMSC's login (without one ``key`` is an API key); SMS.ru needs none.
    ``sender``: the name or number SMS come from; empty where the provider has a default.
    ``base_url``: empty for the provider's own address.
    """

    provider: str
    key: str
    account: str = ""
    sender: str = ""
    base_url: str = ""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"SmsAccount({self.provider})"


class SmsSender(Protocol):
    """A provider's client. Keeps no state; may be used by many tasks at once."""

    provider: ClassVar[str]

    async def send(self, sms: Sms) -> SmsReceipt:
        """Hand an SMS to the provider.

        Raises: Temporary (nothing was taken, try again), RecipientGone (this number cannot be reached), Rejected
        (this text would be refused again), AccountBroken (credentials, money or sender are not right), Uncertain
        (it may have been taken). None of them quotes the number, the text or the key.
        """
        ...


class SmsConnection:
    """The one way the clients talk: a form by POST, so that neither key nor text stands in an address."""

    def __init__(self, http: HttpClient, account: SmsAccount, default_url: str) -> None:
        self._http = http
        self._base = (account.base_url or default_url).rstrip("/")
        self._headers = {**account.headers, "content-type": "application/x-www-form-urlencoded"}

    async def post(self, path: str, form: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Return the answer. Raises: Temporary, Uncertain."""
        try:
            answer = await self._http.request(
                "POST", f"{self._base}{path}", headers={**self._headers, **(headers or {})}, content=form
            )
        except NotSent as error:
            raise Temporary("The SMS provider cannot be reached.", scope="inbox") from error
        except NoAnswer as error:
            raise Uncertain("The SMS provider did not answer.") from error
        if answer.status in (429, 503):
            raise Temporary("The SMS provider is busy.", retry_after_seconds=_wait(answer), scope="inbox")
        if answer.status >= 500:
            raise Uncertain("The SMS provider failed.")
        return answer


def read_json(answer: Answer) -> dict[str, Any]:
    """Return the object of an answer. Raises: Uncertain: what was taken cannot be known."""
    try:
        value = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Uncertain("The SMS provider's answer cannot be read.")
    return value


def read_number(value: Any, default: int = 0) -> int:
    """Return a whole number that a provider wrote as one or as a text of digits."""
    if isinstance(value, int):
        return value
    text = value.strip() if isinstance(value, str) else ""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else default


def refused(code: int) -> Rejected:
    """Return the error for a refusal of the text itself."""
    return Rejected(f"The SMS provider refused the text (code {code}).", provider_code=str(code))


def _wait(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
