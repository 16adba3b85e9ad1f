"""SMS.ru (sms.ru/api/send): one form by POST, ``json=1``.

Quirks: the HTTP status is 200 whatever happens; and there are two verdicts, one of the request and one of each number:
a number may fail inside an answer whose top says OK. Numbers are digits without the plus.
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlencode

from parley.channels.contract import AccountBroken, RecipientGone, SendError, Temporary, Uncertain
from parley.channels.sms.contract import (
    Sms,
    SmsAccount,
    SmsConnection,
    SmsReceipt,
    read_json,
    read_number,
    refused,
)
from parley.infra.http_client import HttpClient

DEFAULT_URL = "https://sms.ru"
TAKEN = 100
# sms.ru/api/status: what is about the number, about the text, and for now; everything else is about the account
# (200 api_id, 201 no money, 204 sender, 206 and 230-233 daily limits, 300-302 log-in)
_NUMBER = frozenset({202, 207, 209})
_TEXT = frozenset({203, 205, 208})
_LATER = frozenset({220, 500})


class SmsRu:
    """Client of SMS.ru. Needs ``key``, the api_id."""

    provider: ClassVar[str] = "smsru"

    def __init__(self, http: HttpClient, account: SmsAccount) -> None:
        self._connection = SmsConnection(http, account, DEFAULT_URL)
        self._account = account

    async def send(self, sms: Sms) -> SmsReceipt:
        """As the contract says."""
        form = {
            "api_id": self._account.key,
            "to": sms.to.removeprefix("+"),
            "msg": sms.text,
            "json": "1",
            **({"from": self._account.sender} if self._account.sender else {}),
        }
        answer = read_json(await self._connection.post("/sms/send", urlencode(form).encode()))
        top = read_number(answer.get("status_code"))
        if top != TAKEN:
            raise _judge(top)
        numbers = answer.get("sms")
        verdict = next(iter(numbers.values()), None) if isinstance(numbers, dict) else None
        if not isinstance(verdict, dict):
            raise Uncertain("The SMS provider's answer cannot be read.")
        code = read_number(verdict.get("status_code"))
        if code != TAKEN:
            raise _judge(code)
        return SmsReceipt(str(verdict.get("sms_id", "")))


def _judge(code: int) -> SendError | Uncertain:
    if code == 0:
        return Uncertain("The SMS provider's answer cannot be read.")
    if code in _LATER:
        return Temporary(f"SMS.ru cannot take it now (code {code}).", scope="inbox")
    if code in _NUMBER:
        return RecipientGone(f"SMS.ru cannot reach this number (code {code}).", provider_code=str(code))
    if code in _TEXT:
        return refused(code)
    return AccountBroken(f"SMS.ru does not send for this account (code {code}).", provider_code=str(code))
