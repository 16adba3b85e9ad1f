"""Who sends codes to phones in this process: the provider that the settings name, else the sandbox."""

from __future__ import annotations

from parley.channels.sms import SmsAccount, SmsSender, build_sender
from parley.infra.crypto import Keys
from parley.infra.runtime import Runtime
from parley.infra.settings import Settings


def make_sms_sender(runtime: Runtime) -> SmsSender | None:
    """Return the client of the SMS account; None where no SMS can be sent."""
    settings = runtime.settings
    if settings.sms_provider:
        account = SmsAccount(
            provider=settings.sms_provider,
            key=settings.sms_key,
            account=settings.sms_account,
            sender=settings.sms_sender,
            base_url=settings.sms_api_url,
        )
        return build_sender(runtime.http, account)
    if not settings.is_sandbox_on:
        return None
    base_url = f"{local_origin(settings)}/sandbox/sms/smsru"
    account = SmsAccount(provider="smsru", key=make_sandbox_sms_key(runtime.keys), base_url=base_url)
    return build_sender(runtime.http, account)


def make_sandbox_sms_key(keys: Keys) -> str:
    """Return the secret of the sandbox's SMS account: the same in every process of the installation."""
    return keys.sign("sandbox", "sms")


def local_origin(settings: Settings) -> str:
    """Return the address at which this machine reaches the server."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
