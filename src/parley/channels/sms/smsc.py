"""SMSC (smsc.ru/api/http/send/): one form by POST, ``fmt=3`` for JSON.

Quirks: text is taken for windows-1251 unless ``charset=utf-8`` is said; errors come with HTTP 200 as ``error_code``;
the same text to the same number twice within a minute is error 9, for which waiting helps.
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

DEFAULT_URL = "https://smsc.ru"
REPEAT_SECONDS = 60.0
"""After error 9 (smsc.ru/api/http/send/, "more than one identical request within a minute")."""
_NUMBER = frozenset({7, 8})
_TEXT = frozenset({1, 5, 6})
_REPEAT = 9


class Smsc:
    """Client of SMSC. Needs ``key``: the password of the login in ``account``, or without a login an API key."""

    provider: ClassVar[str] = "smsc"

    def __init__(self, http: HttpClient, account: SmsAccount) -> None:
        self._connection = SmsConnection(http, account, DEFAULT_URL)
        self._account = account

    async def send(self, sms: Sms) -> SmsReceipt:
        """As the contract says."""
        who = {"login": self._account.account, "psw": self._account.key}
        form = {
            **(who if self._account.account else {"apikey": self._account.key}),
            "phones": sms.to,
            "mes": sms.text,
            "charset": "utf-8",
            "fmt": "3",
            "id": str(sms.reference),
            **({"sender": self._account.sender} if self._account.sender else {}),
        }
        answer = read_json(await self._connection.post("/sys/send.php", urlencode(form).encode()))
        if "error_code" in answer or "error" in answer:
            raise _judge(read_number(answer.get("error_code")))
        if "id" not in answer:
            raise Uncertain("The SMS provider's answer cannot be read.")
        return SmsReceipt(str(answer["id"]))


def _judge(code: int) -> SendError | Uncertain:
    if code == 0:
        return Uncertain("The SMS provider's answer cannot be read.")
    if code == _REPEAT:
        return Temporary(
            "SMSC takes the same text once a minute.", retry_after_seconds=REPEAT_SECONDS, scope="chat"
        )
    if code in _NUMBER:
        return RecipientGone(f"SMSC cannot reach this number (code {code}).", provider_code=str(code))
    if code in _TEXT:
        return refused(code)
    return AccountBroken(f"SMSC does not send for this account (code {code}).", provider_code=str(code))
