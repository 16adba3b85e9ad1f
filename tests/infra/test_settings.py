"""Settings: every variable read, checked and told of; what cannot be used is refused by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from parley.infra.settings import BadSetting, Settings, describe_settings, load_settings


def test_nothing_set_is_the_defaults() -> None:
    settings = load_settings({})
    assert dataclasses.replace(settings, data_dir=Path("data")) == Settings()
    assert settings.data_dir.is_absolute()
    assert settings.origin == "http://127.0.0.1:8000"
    assert not settings.is_secure


WORKSPACE = "ws_01jd5c0000e0080000000000g0"
GOOD = {
    "PARLEY_HOST": ("0.0.0.0", "host", "0.0.0.0"),
    "PARLEY_PORT": ("9000", "port", 9000),
    "PARLEY_DATA_DIR": ("/srv/x", "data_dir", Path("/srv/x")),
    "PARLEY_PUBLIC_URL": ("https://desk.example.org/", "public_url", "https://desk.example.org"),
    "DATABASE_URL": ("postgresql://h/d", "database_url", "postgresql://h/d"),
    "DATABASE_DIRECT_URL": ("postgresql://direct/d", "database_direct_url", "postgresql://direct/d"),
    "PARLEY_DATABASE_STATEMENTS": ("1", "database_statements", True),
    "REDIS_URL": ("redis://h:1/0", "redis_url", "redis://h:1/0"),
    "S3_URL": ("http://k:s@h:1/b", "s3_url", "http://k:s@h:1/b"),
    "PARLEY_BUS": ("notify", "bus", "notify"),
    "AMQP_URL": ("amqps://u:p@h/v", "amqp_url", "amqps://u:p@h/v"),
    "PARLEY_AMQP_UPDATES": ("all", "amqp_updates", "all"),
    "PARLEY_DATABASE_POOL": ("20", "database_pool", 20),
    "PARLEY_SANDBOX": ("off", "sandbox", False),
    "PARLEY_TELEGRAM_API_URL": ("http://10.0.0.1:8081/", "telegram_api_url", "http://10.0.0.1:8081"),
    "PARLEY_LOG_FORMAT": ("json", "log_format", "json"),
    "PARLEY_LOG_LEVEL": ("debug", "log_level", "debug"),
    "PARLEY_METRICS_TOKEN": (" t ", "metrics_token", "t"),
    "PARLEY_WORKER_CONCURRENCY": ("4", "worker_concurrency", 4),
    "PARLEY_WORK_LEASE_SECONDS": ("60", "work_lease_seconds", 60),
    "PARLEY_UPLOAD_LIMIT_BYTES": ("1000", "upload_limit_bytes", 1000),
    "PARLEY_EVENT_DAYS": ("7", "event_days", 7),
    "PARLEY_PROVIDER_TIMEOUT_SECONDS": ("12", "provider_timeout_seconds", 12),
    "PARLEY_SMS_PROVIDER": ("twilio", "sms_provider", "twilio"),
    "PARLEY_SMS_KEY": ("k", "sms_key", "k"),
    "PARLEY_SMS_ACCOUNT": ("AC1", "sms_account", "AC1"),
    "PARLEY_SMS_SENDER": ("+15550100", "sms_sender", "+15550100"),
    "PARLEY_SMS_API_URL": ("https://sms.example.org/", "sms_api_url", "https://sms.example.org"),
    "PARLEY_SMS_HOURLY_LIMIT": ("10", "sms_hourly_limit", 10),
    "PARLEY_CODE_DIGITS": ("4", "code_digits", 4),
    "PARLEY_PHONE_REGION": ("ru", "phone_region", "RU"),
    "PARLEY_PHONE_WORKSPACE": (WORKSPACE, "phone_workspace", WORKSPACE),
    "PARLEY_STOCK_FANOUT": ("1", "stock_fanout", True),
    "PARLEY_CHATAPP": ("1", "chatapp", True),
    "PARLEY_CHATAPP_WORKSPACE": (WORKSPACE, "chatapp_workspace", WORKSPACE),
    "PARLEY_CHATAPP_ORIGINS": (
        "http://a.example, https://b.example",
        "chatapp_origins",
        "http://a.example, https://b.example",
    ),
    "PARLEY_CHATAPP_TELLS_NUMBERS": ("1", "chatapp_tells_numbers", True),
    "PARLEY_TRUSTED_PROXIES": ("10.0.0.1", "trusted_proxies", "10.0.0.1"),
}


def test_every_variable_is_read() -> None:
    variables = {row["variable"] for row in describe_settings()}
    assert variables == set(GOOD), "put a new setting into GOOD"
    settings = load_settings({variable: text for variable, (text, _, _) in GOOD.items()})
    for variable, (_, name, value) in GOOD.items():
        assert getattr(settings, name) == value, variable


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PARLEY_SMS_PROVIDER", "pigeon"), ("PARLEY_SMS_API_URL", "sms.ru"),
        ("PARLEY_SMS_HOURLY_LIMIT", "0"), ("PARLEY_CODE_DIGITS", "3"), ("PARLEY_CODE_DIGITS", "9"),
        ("PARLEY_PHONE_REGION", "RUS"), ("PARLEY_PHONE_WORKSPACE", "acme"),
        ("PARLEY_CHATAPP_WORKSPACE", "acme"), ("PARLEY_CHATAPP_ORIGINS", "chat.example"),
        ("PARLEY_CHATAPP_ORIGINS", "https://chat.example/x"), ("PARLEY_CHATAPP_ORIGINS", "https://chat.example, *"),
        ("PARLEY_PORT", "0"), ("PARLEY_PORT", "65536"), ("PARLEY_PORT", "-1"), ("PARLEY_PORT", "x"), ("PARLEY_PORT", "8000.0"),
        ("PARLEY_PORT", "9" * 30), ("PARLEY_DATABASE_POOL", "3"), ("PARLEY_SANDBOX", "maybe"), ("PARLEY_STOCK_FANOUT", "2"),
        ("PARLEY_LOG_LEVEL", "loud"), ("PARLEY_LOG_FORMAT", "xml"), ("PARLEY_PUBLIC_URL", "desk.example.org"),
        ("PARLEY_PUBLIC_URL", "ftp://x"), ("PARLEY_PUBLIC_URL", "https://"), ("PARLEY_PUBLIC_URL", "https://x/?a=1"),
        ("PARLEY_PUBLIC_URL", "https://x/#a"), ("PARLEY_TELEGRAM_API_URL", "x"), ("DATABASE_URL", "mysql://x"),
        ("REDIS_URL", "http://x"), ("S3_URL", "https://h/bucket"), ("S3_URL", "https://k:s@h"), ("PARLEY_BUS", "redis"), ("PARLEY_BUS", "smoke"),
        ("DATABASE_DIRECT_URL", "postgresql://x"),
        ("AMQP_URL", "h:5672"), ("AMQP_URL", "amqp://"), ("AMQP_URL", "amqp://h:x"), ("PARLEY_AMQP_UPDATES", "some"),
        ("PARLEY_WORK_LEASE_SECONDS", "1"), ("PARLEY_WORK_LEASE_SECONDS", "601"), ("PARLEY_WORKER_CONCURRENCY", "0"),
        ("PARLEY_EVENT_DAYS", "0"), ("PARLEY_UPLOAD_LIMIT_BYTES", "0"), ("PARLEY_PUBLIC_URL", "https://[x"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_its_name(variable: str, text: str) -> None:
    with pytest.raises(BadSetting) as refused:
        load_settings({variable: text})
    assert variable in refused.value.message
    assert refused.value.fields["variable"] == variable


def test_a_broker_address_that_cannot_be_used_is_not_repeated() -> None:
    with pytest.raises(BadSetting) as refused:
        load_settings({"AMQP_URL": "http://user:hunter2@h/"})
    assert "hunter2" not in f"{refused.value} {refused.value.as_dict()}"


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert load_settings(dict.fromkeys(GOOD, " ")) == load_settings({})


def test_settings_are_frozen_and_told_of_in_a_sentence_each() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
    for row in describe_settings():
        assert row["about"].endswith("."), row


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("10.1.2.3", "http://10.1.2.3:8000"),
    ],
)
def test_the_local_address_can_be_opened(host: str, origin: str) -> None:
    assert Settings(host=host).origin == origin


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"PARLEY_SMS_PROVIDER": "smsru"}, "PARLEY_SMS_KEY"),
        ({"PARLEY_SMS_PROVIDER": "smsc"}, "PARLEY_SMS_KEY"),
        ({"PARLEY_SMS_PROVIDER": "twilio", "PARLEY_SMS_KEY": "k"}, "PARLEY_SMS_ACCOUNT"),
        (
            {"PARLEY_SMS_PROVIDER": "twilio", "PARLEY_SMS_KEY": "k", "PARLEY_SMS_ACCOUNT": "AC1"},
            "PARLEY_SMS_SENDER",
        ),
    ],
)
def test_what_an_sms_provider_needs_is_asked_for(given: dict[str, str], missing: str) -> None:
    with pytest.raises(BadSetting) as caught:
        load_settings(given)
    assert caught.value.fields["variable"] == missing


def test_the_chat_application_needs_its_workspace() -> None:
    with pytest.raises(BadSetting) as caught:
        load_settings({"PARLEY_CHATAPP": "1"})
    assert caught.value.fields["variable"] == "PARLEY_CHATAPP_WORKSPACE"


def test_secrets_are_not_shown() -> None:
    settings = load_settings(
        {"PARLEY_SMS_PROVIDER": "smsru", "PARLEY_SMS_KEY": "hush", "PARLEY_METRICS_TOKEN": "hush"}
    )
    assert "hush" not in repr(settings)
