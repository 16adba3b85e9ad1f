"""Every answer of the Bot API becomes its result, one of the five errors, or Uncertain."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.channels.contract import (
    AccountBroken,
    RecipientGone,
    Rejected,
    SendError,
    Temporary,
    Uncertain,
)
from parley.channels.telegram.verdict import read_answer
from parley.infra.http_client import Answer

FRONT_PAGE = b"<html><head><title>502 Bad Gateway</title></head></html>"


def answer(status: int, body: bytes | dict[str, Any], **headers: str) -> Answer:
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def refusal(code: int, description: str, **parameters: Any) -> Answer:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return answer(code, {**body, "parameters": parameters} if parameters else body)


RETRY = "Too Many Requests: retry after 7"

TABLE: list[tuple[Answer, type[Exception], type[Exception], dict[str, Any]]] = [
    (refusal(429, RETRY, retry_after=7), Temporary, Temporary, {"retry_after_seconds": 7.0}),
    (answer(429, {"ok": False}, **{"retry-after": "9"}), Temporary, Temporary, {"retry_after_seconds": 9.0}),
    (refusal(429, RETRY, retry_after="x"), Temporary, Temporary, {"retry_after_seconds": 5.0}),
    (refusal(429, RETRY, retry_after=-7), Temporary, Temporary, {"retry_after_seconds": 0.0}),
    (refusal(429, RETRY, retry_after=1e12), Temporary, Temporary, {"retry_after_seconds": 86400.0}),
    (answer(429, b"slow down"), Temporary, Temporary, {"retry_after_seconds": 5.0}),
    (refusal(500, "Internal Server Error"), Temporary, Temporary, {}),
    (refusal(502, "Bad Gateway"), Temporary, Temporary, {}),
    (refusal(500, "Internal Server Error: restart"), Uncertain, Temporary, {}),
    (refusal(500, "Internal Server Error: Request aborted"), Uncertain, Temporary, {}),
    (answer(500, b""), Uncertain, Temporary, {}),
    (answer(502, FRONT_PAGE), Uncertain, Temporary, {}),
    (answer(503, FRONT_PAGE), Uncertain, Temporary, {}),
    (answer(504, b"\xff\x00"), Uncertain, Temporary, {}),
    (answer(200, b""), Uncertain, Temporary, {}),
    (answer(200, FRONT_PAGE), Uncertain, Temporary, {}),
    (answer(200, b"[" * 100_000), Uncertain, Temporary, {}),
    (answer(200, {"ok": "yes"}), Uncertain, Temporary, {}),
    (answer(302, b""), Uncertain, Temporary, {}),
    (answer(502, {"ok": True, "result": True}), Uncertain, Temporary, {}),
    (refusal(401, "Unauthorized"), AccountBroken, AccountBroken, {}),
    (refusal(404, "Not Found"), AccountBroken, AccountBroken, {}),
    (answer(404, b"nothing here"), AccountBroken, AccountBroken, {}),
    (refusal(403, "Forbidden: bot was blocked by the user"), RecipientGone, RecipientGone, {}),
    (refusal(403, "Forbidden: user is deactivated"), RecipientGone, RecipientGone, {}),
    (
        refusal(403, "Forbidden: bot can't initiate conversation with a user"),
        RecipientGone,
        RecipientGone,
        {},
    ),
    (refusal(403, "Forbidden: bot was kicked from the supergroup chat"), RecipientGone, RecipientGone, {}),
    (
        refusal(403, "Forbidden: bots can't send messages to bots"),
        Rejected,
        Rejected,
        {"provider_code": "403"},
    ),
    (refusal(400, "Bad Request: chat not found"), RecipientGone, RecipientGone, {}),
    (
        refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001),
        Rejected,
        Rejected,
        {"provider_code": "400", "migrate_to_chat_id": "-1001"},
    ),
    (refusal(400, "Bad Request: message text is empty"), Rejected, Rejected, {"provider_code": "400"}),
    (refusal(413, "Request Entity Too Large"), Rejected, Rejected, {"provider_code": "413"}),
    (refusal(418, ""), Rejected, Rejected, {"provider_code": "418"}),
    (answer(413, FRONT_PAGE), Rejected, Rejected, {"provider_code": "413"}),
]


@pytest.mark.parametrize(("given_answer", "on_send", "on_repeatable", "fields"), TABLE)
def test_an_answer_becomes_its_error(
    given_answer: Answer,
    on_send: type[Exception],
    on_repeatable: type[Exception],
    fields: dict[str, Any],
) -> None:
    for is_repeatable, expected in ((False, on_send), (True, on_repeatable)):
        with pytest.raises((SendError, Uncertain)) as caught:
            read_answer(given_answer, is_repeatable=is_repeatable)
        assert type(caught.value) is expected
        assert fields.items() <= caught.value.fields.items()


def test_the_providers_words_are_kept() -> None:
    with pytest.raises(Rejected, match="Bad Request: message is too long"):
        read_answer(refusal(400, "Bad Request: message is too long"), is_repeatable=False)


def test_a_flood_limit_is_the_chats_when_the_call_had_one() -> None:
    for has_chat, scope in ((True, "chat"), (False, "inbox")):
        with pytest.raises(Temporary) as caught:
            read_answer(refusal(429, RETRY, retry_after=7), is_repeatable=False, has_chat=has_chat)
        assert caught.value.scope == scope


def test_a_result_is_returned_as_it_came() -> None:
    raw = read_answer(answer(200, {"ok": True, "result": {"message_id": 5}}), is_repeatable=False)
    assert json.loads(bytes(raw)) == {"message_id": 5}


@given(st.integers(100, 599), st.binary(max_size=60) | st.from_regex(rb'\{"ok":(true|false|1),.{0,40}\}'))
def test_any_answer_is_a_result_or_one_of_the_known_errors(status: int, body: bytes) -> None:
    try:
        read_answer(Answer(status, {}, body), is_repeatable=False)
    except (SendError, Uncertain):
        return
    assert 200 <= status < 300
