"""Which SMS providers there are: the one place where they are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from parley.channels.sms.contract import SmsAccount, SmsSender
from parley.channels.sms.smsc import Smsc
from parley.channels.sms.smsru import SmsRu
from parley.channels.sms.twilio import Twilio
from parley.infra.http_client import HttpClient

PROVIDERS: Mapping[str, Callable[[HttpClient, SmsAccount], SmsSender]] = {
    SmsRu.provider: SmsRu,
    Smsc.provider: Smsc,
    Twilio.provider: Twilio,
}
"""By the name a setting gives them."""


def build_sender(http: HttpClient, account: SmsAccount) -> SmsSender:
    """Return the client of an account. Raises: KeyError for a provider there is none of."""
    return PROVIDERS[account.provider](http, account)
