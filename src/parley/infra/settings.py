"""Settings: one frozen class read from the environment once, at the start of a process.

Every field says what it does, its default and its variable; `docs/reference/settings.md` is generated from it.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from parley.kit.errors import Malformed, ParleyError
from parley.kit.ids import parse_id


class BadSetting(ParleyError):
    """A setting has a value that cannot be used."""

    code = "bad_setting"


def _setting(variable: str, default: Any, about: str, *, is_secret: bool = False) -> Any:
    return dataclasses.field(
        default=default, repr=not is_secret, metadata={"variable": variable, "about": about}
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What an operator may set."""

    host: str = _setting("PARLEY_HOST", "127.0.0.1", "Address to listen on.")
    port: int = _setting("PARLEY_PORT", 8000, "Port to listen on.")
    data_dir: Path = _setting(  # noqa: RUF009 - it makes a field
        "PARLEY_DATA_DIR", Path("data"), "Folder of everything kept on disk: database, files, keys."
    )
    public_url: str = _setting(
        "PARLEY_PUBLIC_URL",
        "",
        "Address under which the outside reaches this server, such as `https://desk.example.org`. "
        "Set: providers call webhooks. Empty: channels are polled, and the sandbox is on.",
    )
    database_url: str = _setting(
        "DATABASE_URL", "", "PostgreSQL to use (15 or newer). Empty: an embedded one in the data directory."
    )
    database_direct_url: str = _setting(
        "DATABASE_DIRECT_URL",
        "",
        "The same PostgreSQL past a pooler. Set: `DATABASE_URL` leads through one in transaction mode, such as pgbouncer, "
        "and what needs a session of its own (migrations, LISTEN, `parley doctor`) goes here.",
    )
    database_statements: bool | None = _setting(
        "PARLEY_DATABASE_STATEMENTS",
        None,
        "`1` or `0`: keep prepared statements. Empty: not behind a pooler. pgbouncer from 1.21 on carries them when its "
        "`max_prepared_statements` is set: then `1` saves a round trip a statement.",
    )
    redis_url: str = _setting(
        "REDIS_URL",
        "",
        "Redis for several processes: `redis://`, `rediss://` or `unix://`. It may be emptied or away at any time.",
    )
    s3_url: str = _setting(
        "S3_URL",
        "",
        "Bucket for files instead of the data directory: `https://<key>:<secret>@<host>/<bucket>?region=<region>`, any server "
        "that speaks S3. Processes on several machines need it.",
    )
    bus: str = _setting(
        "PARLEY_BUS",
        "auto",
        "What processes tell each other news by: `redis`, `notify` (PostgreSQL's NOTIFY), `memory` (there is one process), "
        "or `auto`: Redis where `REDIS_URL` is set, else `notify` for `parley api`, `gateway` and `worker`, `memory` for "
        "`parley serve`.",
    )
    amqp_url: str = _setting(
        "AMQP_URL",
        "",
        "RabbitMQ to publish to, such as `amqp://user:password@host/vhost` (`amqps://` for TLS). Empty: nothing is "
        "published. [What is](../rabbitmq.md).",
    )
    amqp_updates: str = _setting(
        "PARLEY_AMQP_UPDATES",
        "integrations",
        "Whose updates are published: `integrations`, of users with an enabled integration, or `all`.",
    )
    database_pool: int = _setting("PARLEY_DATABASE_POOL", 12, "Connections to PostgreSQL at the most.")
    sandbox: bool | None = _setting(
        "PARLEY_SANDBOX",
        None,
        "`1` or `0`: the stand-ins to try channels with. Empty: on without a public URL.",
    )
    telegram_api_url: str = _setting(
        "PARLEY_TELEGRAM_API_URL", "", "Bot API server to use instead of Telegram's own, such as a local one."
    )
    sms_provider: str = _setting(
        "PARLEY_SMS_PROVIDER",
        "",
        "Who sends codes to phones: `smsru`, `smsc` or `twilio`. "
        "Empty: the sandbox's SMS page while the sandbox is on, else nobody, and there is no sign-in by phone.",
    )
    sms_key: str = _setting(
        "PARLEY_SMS_KEY",
        "",
        "The provider's secret: SMS.ru's `api_id`, SMSC's API key (or the password of PARLEY_SMS_ACCOUNT), "
        "Twilio's auth token.",
        is_secret=True,
    )
    sms_account: str = _setting("PARLEY_SMS_ACCOUNT", "", "Twilio's Account SID, or SMSC's login.")
    sms_sender: str = _setting(
        "PARLEY_SMS_SENDER",
        "",
        "Name or number that SMS come from, as the provider has approved it. Twilio needs one; `MG...` is a "
        "messaging service.",
    )
    sms_api_url: str = _setting(
        "PARLEY_SMS_API_URL", "", "Address to use instead of the SMS provider's own, such as its second one."
    )
    sms_hourly_limit: int = _setting(
        "PARLEY_SMS_HOURLY_LIMIT", 300, "Codes by SMS that are sent for a workspace in an hour at the most."
    )
    code_digits: int = _setting("PARLEY_CODE_DIGITS", 6, "Digits of a code by SMS, 4 to 8.")
    phone_region: str = _setting(
        "PARLEY_PHONE_REGION",
        "",
        "Country of phone numbers written without `+`, such as `RU`. Empty: they must be written with it.",
    )
    phone_workspace: str = _setting(
        "PARLEY_PHONE_WORKSPACE",
        "",
        "Workspace (`ws_...`) that a phone number nobody has yet joins, as a member, by signing in. "
        "Empty: unknown numbers get no code, and are not told so.",
    )
    provider_timeout_seconds: int = _setting(
        "PARLEY_PROVIDER_TIMEOUT_SECONDS",
        30,
        "Seconds a provider may take to answer. What it was asked is then not certain: it may have been done.",
    )
    log_format: str = _setting(
        "PARLEY_LOG_FORMAT", "auto", "`console`, `json`, or `auto`: console on a terminal."
    )
    log_level: str = _setting("PARLEY_LOG_LEVEL", "info", "`debug`, `info`, `warning` or `error`.")
    metrics_token: str = _setting(
        "PARLEY_METRICS_TOKEN",
        "",
        "Bearer token for `/metrics`. Empty: only requests from this machine are answered.",
        is_secret=True,
    )
    worker_concurrency: int = _setting(
        "PARLEY_WORKER_CONCURRENCY", 16, "Lanes worked on at the same time, for each kind of work."
    )
    work_lease_seconds: int = _setting(
        "PARLEY_WORK_LEASE_SECONDS",
        30,
        "Seconds after which the work of a process that went silent is taken over by another, or after a restart.",
    )
    upload_limit_bytes: int = _setting(
        "PARLEY_UPLOAD_LIMIT_BYTES", 50 * 1024 * 1024, "Largest file that may be uploaded, in bytes."
    )
    event_days: int = _setting(
        "PARLEY_EVENT_DAYS", 30, "Days for which events are kept for readers that were away."
    )
    stock_fanout: bool = _setting(
        "PARLEY_STOCK_FANOUT", False, "`1`: Socket.IO's own way to send to rooms instead of ready frames."
    )
    chatapp: bool = _setting(
        "PARLEY_CHATAPP",
        False,
        "`1`: the routes and Socket.IO events of the chat application (docs/chatapp.md). Needs "
        "PARLEY_CHATAPP_WORKSPACE.",
    )
    chatapp_workspace: str = _setting(
        "PARLEY_CHATAPP_WORKSPACE",
        "",
        "Workspace (`ws_...`) that a phone number joins by signing in to the chat application.",
    )
    chatapp_origins: str = _setting(
        "PARLEY_CHATAPP_ORIGINS",
        "",
        "Origins, with commas, of pages that may use the chat application's routes and sockets from elsewhere, "
        "such as `https://chat.example.org`.",
    )
    chatapp_tells_numbers: bool = _setting(
        "PARLEY_CHATAPP_TELLS_NUMBERS",
        False,
        "`1`: the chat application's door says whether a phone number is known, as its own backend does: "
        "`isNewUser`, and newcomers must give a name at once.",
    )
    trusted_proxies: str = _setting(
        "PARLEY_TRUSTED_PROXIES",
        "127.0.0.1,::1",
        "Addresses of reverse proxies whose `X-Forwarded-For` is believed, with commas.",
    )

    @property
    def direct_url(self) -> str:
        """The database past any pooler; empty: the embedded one."""
        return self.database_direct_url or self.database_url

    @property
    def keeps_statements(self) -> bool:
        """Whether prepared statements outlive a transaction."""
        return not self.database_direct_url if self.database_statements is None else self.database_statements

    @property
    def is_sandbox_on(self) -> bool:
        """Whether the stand-ins are served."""
        return self.sandbox if self.sandbox is not None else not self.public_url

    @property
    def is_sms_on(self) -> bool:
        """Whether codes can be sent to phones: by a provider, or to the sandbox's page."""
        return bool(self.sms_provider) or self.is_sandbox_on

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach us by TLS, so that cookies may say so."""
        return self.public_url.startswith("https://")

    @property
    def origin(self) -> str:
        """The address people open: the public one, else the local one."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises: BadSetting, naming the variable and what is expected of it.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        text = environ.get(field.metadata["variable"], "").strip()
        if text:
            values[field.name] = _read_value(field, text)
    settings = Settings(**values)
    _check(settings)
    return dataclasses.replace(
        settings,
        data_dir=settings.data_dir.expanduser().absolute(),
        public_url=settings.public_url.rstrip("/"),
        telegram_api_url=settings.telegram_api_url.rstrip("/"),
        sms_api_url=settings.sms_api_url.rstrip("/"),
        phone_region=settings.phone_region.upper(),
    )


def _read_value(field: dataclasses.Field[Any], text: str) -> Any:
    variable = field.metadata["variable"]
    kind = str(field.type)
    if kind.startswith("bool"):
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise BadSetting(f"{variable} must be 1 or 0.", variable=variable)
    if kind == "int":
        if not re.fullmatch(r"\d{1,12}", text):
            raise BadSetting(f"{variable} must be a whole number.", variable=variable)
        return int(text)
    return Path(text) if kind == "Path" else text


def _check(settings: Settings) -> None:
    if not 1 <= settings.port <= 65535:
        raise BadSetting("PARLEY_PORT must be from 1 to 65535.", variable="PARLEY_PORT")
    for variable, value, least in (
        ("PARLEY_DATABASE_POOL", settings.database_pool, 4),
        ("PARLEY_WORKER_CONCURRENCY", settings.worker_concurrency, 1),
        ("PARLEY_UPLOAD_LIMIT_BYTES", settings.upload_limit_bytes, 1),
        ("PARLEY_EVENT_DAYS", settings.event_days, 1),
        ("PARLEY_PROVIDER_TIMEOUT_SECONDS", settings.provider_timeout_seconds, 1),
        ("PARLEY_SMS_HOURLY_LIMIT", settings.sms_hourly_limit, 1),
    ):
        if value < least:
            raise BadSetting(f"{variable} must be {least} or more.", variable=variable)
    if not 2 <= settings.work_lease_seconds <= 600:
        raise BadSetting(
            "PARLEY_WORK_LEASE_SECONDS must be from 2 to 600.", variable="PARLEY_WORK_LEASE_SECONDS"
        )
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise BadSetting(
            "PARLEY_LOG_LEVEL must be debug, info, warning or error.", variable="PARLEY_LOG_LEVEL"
        )
    if settings.log_format not in ("auto", "console", "json"):
        raise BadSetting("PARLEY_LOG_FORMAT must be auto, console or json.", variable="PARLEY_LOG_FORMAT")
    for variable, url in (
        ("PARLEY_PUBLIC_URL", settings.public_url),
        ("PARLEY_TELEGRAM_API_URL", settings.telegram_api_url),
        ("PARLEY_SMS_API_URL", settings.sms_api_url),
    ):
        if url and not _is_http(url):
            raise BadSetting(f"{variable} must be an http(s) address.", variable=variable)
    _check_phones(settings)
    _check_engines(settings)
    _check_chatapp(settings)


def _check_phones(settings: Settings) -> None:
    needed = {
        "": (),
        "smsru": ("PARLEY_SMS_KEY",),
        "smsc": ("PARLEY_SMS_KEY",),
        "twilio": ("PARLEY_SMS_KEY", "PARLEY_SMS_ACCOUNT", "PARLEY_SMS_SENDER"),
    }
    if settings.sms_provider not in needed:
        raise BadSetting("PARLEY_SMS_PROVIDER must be smsru, smsc or twilio.", variable="PARLEY_SMS_PROVIDER")
    given = {
        "PARLEY_SMS_KEY": settings.sms_key,
        "PARLEY_SMS_ACCOUNT": settings.sms_account,
        "PARLEY_SMS_SENDER": settings.sms_sender,
    }
    for variable in needed[settings.sms_provider]:
        if not given[variable]:
            raise BadSetting(f"{settings.sms_provider} needs {variable}.", variable=variable)
    if not 4 <= settings.code_digits <= 8:
        raise BadSetting("PARLEY_CODE_DIGITS must be from 4 to 8.", variable="PARLEY_CODE_DIGITS")
    if not re.fullmatch("([A-Za-z]{2})?", settings.phone_region):
        raise BadSetting("PARLEY_PHONE_REGION must be two letters.", variable="PARLEY_PHONE_REGION")
    if settings.phone_workspace:
        try:
            parse_id("ws", settings.phone_workspace)
        except Malformed:
            raise BadSetting(
                "PARLEY_PHONE_WORKSPACE must be a workspace's id, ws_...", variable="PARLEY_PHONE_WORKSPACE"
            ) from None


def _check_engines(settings: Settings) -> None:
    for variable, url in (
        ("DATABASE_URL", settings.database_url),
        ("DATABASE_DIRECT_URL", settings.database_direct_url),
    ):
        if url and not url.startswith(("postgres://", "postgresql://")):
            raise BadSetting(f"{variable} must begin with postgresql://.", variable=variable)
    if settings.database_direct_url and not settings.database_url:
        raise BadSetting("DATABASE_DIRECT_URL needs DATABASE_URL beside it.", variable="DATABASE_DIRECT_URL")
    if settings.redis_url and not settings.redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise BadSetting("REDIS_URL must begin with redis://, rediss:// or unix://.", variable="REDIS_URL")
    if settings.s3_url and not _is_bucket(settings.s3_url):
        raise BadSetting("S3_URL must be https://<key>:<secret>@<host>/<bucket>.", variable="S3_URL")
    if settings.bus == "redis" and not settings.redis_url:
        raise BadSetting("PARLEY_BUS=redis needs REDIS_URL.", variable="PARLEY_BUS")
    if settings.bus not in ("auto", "memory", "notify", "redis"):
        raise BadSetting("PARLEY_BUS must be auto, memory, notify or redis.", variable="PARLEY_BUS")
    if settings.amqp_url and not _is_amqp(settings.amqp_url):
        # without the value: it holds a password
        raise BadSetting(
            "AMQP_URL must be an address such as amqp://user:password@host/vhost.", variable="AMQP_URL"
        )
    if settings.amqp_updates not in ("integrations", "all"):
        raise BadSetting("PARLEY_AMQP_UPDATES must be integrations or all.", variable="PARLEY_AMQP_UPDATES")


def _check_chatapp(settings: Settings) -> None:
    try:
        if settings.chatapp or settings.chatapp_workspace:
            parse_id("ws", settings.chatapp_workspace)
    except Malformed:
        raise BadSetting(
            "PARLEY_CHATAPP_WORKSPACE must be a workspace's id, ws_...", variable="PARLEY_CHATAPP_WORKSPACE"
        ) from None
    for origin in filter(None, map(str.strip, settings.chatapp_origins.split(","))):
        if not _is_http(origin) or urlsplit(origin).path.strip("/"):
            raise BadSetting(
                "PARLEY_CHATAPP_ORIGINS must be http(s) origins, with commas.",
                variable="PARLEY_CHATAPP_ORIGINS",
            )


def _is_bucket(url: str) -> bool:
    try:
        parts = urlsplit(url)
        bucket = parts.path.strip("/")
        return parts.scheme in ("http", "https") and bool(
            parts.username and parts.password and bucket and parts.hostname
        )
    except ValueError:
        return False


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.query and not parts.fragment


def _is_amqp(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("amqp", "amqps") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def describe_settings() -> list[dict[str, str]]:
    """Return variable, default and meaning of every setting, in the order of the class."""
    return [
        {
            "variable": field.metadata["variable"],
            "default": "" if field.default in (None, "") else str(field.default),
            "about": field.metadata["about"],
        }
        for field in dataclasses.fields(Settings)
    ]


def is_terminal() -> bool:
    """Whether a person reads our output."""
    return sys.stderr.isatty()
