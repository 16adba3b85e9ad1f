"""SMS: one contract, a client for each provider. For codes to phones; a conversation by SMS would be a channel."""

from parley.channels.sms.contract import Sms, SmsAccount, SmsReceipt, SmsSender
from parley.channels.sms.providers import PROVIDERS, build_sender

__all__ = ["PROVIDERS", "Sms", "SmsAccount", "SmsReceipt", "SmsSender", "build_sender"]
