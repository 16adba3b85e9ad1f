"""Twilio (twilio.com/docs/messaging/api/message-resource): a form by POST with Basic authentication.

Quirks: a messaging service (``MG...``) goes into another parameter than a number; errors have a code of Twilio's own
beside the HTTP status (twilio.com/docs/api/errors), and too many requests are 429 with code 20429.
"""

from __future__ import annotations

import base64
from typing import ClassVar
from urllib.parse import quote, urlencode

from parley.channels.contract import AccountBroken, RecipientGone, SendError, Uncertain
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

DEFAULT_URL = "https://api.twilio.com"
# 21211 no number, 21408 region not enabled, 21610 the person wrote STOP, 21614 cannot take SMS, 21612 no route
_NUMBER = frozenset({21211, 21408, 21610, 21612, 21614})
_TEXT = frozenset({21602, 21617})


class Twilio:
    """Client of Twilio. Needs ``account`` (the Account SID), ``key`` (its auth token) and ``sender``."""

    provider: ClassVar[str] = "twilio"

    def __init__(self, http: HttpClient, account: SmsAccount) -> None:
        self._connection = SmsConnection(http, account, DEFAULT_URL)
        self._account = account
        basic = base64.b64encode(f"{account.account}:{account.key}".encode()).decode()
        self._authorization = {"authorization": f"Basic {basic}"}

    async def send(self, sms: Sms) -> SmsReceipt:
        """As the contract says."""
        sender = self._account.sender
        form = {
            "To": sms.to,
            "Body": sms.text,
            **({"MessagingServiceSid": sender} if sender.startswith("MG") else {"From": sender}),
        }
        path = f"/2010-04-01/Accounts/{quote(self._account.account, safe='')}/Messages.json"
        answer = await self._connection.post(path, urlencode(form).encode(), self._authorization)
        body = read_json(answer)
        if answer.status not in (200, 201):
            raise _judge(read_number(body.get("code")), answer.status)
        if not body.get("sid"):
            raise Uncertain("The SMS provider's answer cannot be read.")
        return SmsReceipt(str(body["sid"]))


def _judge(code: int, status: int) -> SendError:
    shown = str(code or status)
    if code in _NUMBER:
        return RecipientGone(f"Twilio cannot reach this number (code {shown}).", provider_code=shown)
    if code in _TEXT:
        return refused(code)
    return AccountBroken(f"Twilio does not send for this account (code {shown}).", provider_code=shown)
