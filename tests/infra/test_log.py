"""Logs hold no secrets and nobody's words: by key, inside values, and in what is told of an exception."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import structlog

from parley.infra.log import set_up_logging
from parley.infra.settings import Settings

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-w0rds"
FORMATS = ["json", "console"]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def write(format: str, capsys: pytest.CaptureFixture[str], **entry: Any) -> str:
    set_up_logging(Settings(log_format=format))
    structlog.get_logger().info("something.happened", **entry)
    return capsys.readouterr().err


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "key",
    ["token", "access_token", "Authorization", "cookie", "password", "new_password", "secrets", "api_key", "refresh_token",
     "text", "body", "caption", "webhook_secret"],
)  # fmt: skip
def test_keys_that_name_secrets_are_blanked(
    format: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = write(format, capsys, **{key: SECRET}, harmless="kept")
    assert SECRET not in told
    assert "kept" in told
    assert "something.happened" in told


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "value",
    [{"token": SECRET}, [{"password": SECRET}], {"a": {"b": [{"text": SECRET}]}}, ({"Cookie": SECRET},)],
)
def test_secrets_within_values_are_blanked_too(
    format: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert SECRET not in write(format, capsys, details=value)


@pytest.mark.parametrize("format", FORMATS)
def test_a_traceback_shows_no_variables(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Settings(log_format=format))

    def fail(token: str) -> None:
        password = token + "!"
        raise RuntimeError(f"wrong length {len(password)}")

    try:
        fail(SECRET)
    except RuntimeError:
        structlog.get_logger().exception("it.failed")
    told = capsys.readouterr().err
    assert "wrong length" in told
    assert SECRET not in told


@pytest.mark.parametrize("format", FORMATS)
async def test_what_the_database_says_of_a_row_is_not_logged(
    format: str, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """PostgreSQL's DETAIL quotes the row: a message's text, an address."""
    set_up_logging(Settings(log_format=format))
    insert = "INSERT INTO login (id, email) VALUES (gen_random_uuid(), upper($1))"
    connection = await asyncpg.connect(database_url)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await connection.execute(insert, f"x\n{SECRET}")
    await connection.close()
    assert SECRET.upper() in str(refused.value)  # else this test would test nothing
    structlog.get_logger().error("it.failed", exc_info=refused.value)
    told = capsys.readouterr().err
    assert "login_email_check" in told
    assert SECRET.upper() not in told


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    told = write("json", capsys, count=3)
    entry = json.loads(told)
    assert (entry["event"], entry["count"], entry["level"]) == ("something.happened", 3, "info")
    assert entry["timestamp"].endswith("Z")


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Settings(log_format="json", log_level="warning"))
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    told = capsys.readouterr().err
    assert "quiet" not in told
    assert "loud" in told


@pytest.mark.parametrize("name", ["httpx", "httpx2", "httpcore", "uvicorn.access", "engineio", "socketio"])
def test_libraries_do_not_chat(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Settings(log_format="json"))
    logging.getLogger(name).info("GET https://api.telegram.org/bot%s/getMe", SECRET)
    assert capsys.readouterr().err == ""
