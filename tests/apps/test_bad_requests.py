"""Whatever is sent, the answer is the one error shape and a 4xx: generated from the OpenAPI document, and by hand."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from parley.apps.openapi import describe_api, list_operations
from parley.apps.rest import BODY_LIMIT_BYTES
from parley.kit.ids import public_id
from parley.kit.pages import encode_cursor
from tests.house import House, Json
from tests.isolation.furnished import Furnished

pytestmark = pytest.mark.anyio

SEED = 20260101
NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, 10**400, -(2**63) - 1, 1.5, 1e308, "", " ", "x",
    "\x00", "a\x00b", "\x1f\x7f", "\u202e", "\ufeff", "\U0001f600" * 50, "x" * 300, "x" * 30_000, "' OR 1=1 --",
    "%s{}$1", "null", "../../etc/passwd", [], [None], [[]], ["\x00"], {}, {"": ""}, {"\x00": "\x00"}, [0] * 2000,
    "2026-13-45T99:99:99Z", "act_" + "z" * 26, "msg_" + "0" * 26,
]  # fmt: skip
IDS = [
    "x",
    "",
    "\x00",
    "msg_",
    "cnv_" + "0" * 25,
    "cnv_" + "0" * 27,
    "cnv_" + "z" * 26,
    "cnv_" + "U" * 26,
    "é",
    "..",
    "%",
    " ",
    "'",
    "a" * 5000,
]
CURSORS = [
    "x", "%", "====", "é", "\x00", "W10", "bnVsbA", "e30", "A" * 5000, "W1tbW1tb", encode_cursor(1), encode_cursor("x"),
    encode_cursor(None), encode_cursor("2026-01-01T00:00:00", "x"), encode_cursor([], {}), encode_cursor(1, 2, 3),
    encode_cursor("2026-01-01T00:00:00", "01234567-89ab-7def-8123-456789abcdef"),
    encode_cursor("0001-01-01T00:00:00+14:00", "01234567-89ab-7def-8123-456789abcdef"),
    encode_cursor("9999-12-31T23:59:59-14:00", "01234567-89ab-7def-8123-456789abcdef"),
    encode_cursor(2**70), encode_cursor(2**63), encode_cursor(-1), encode_cursor("\x00"), encode_cursor(1e300),
]  # fmt: skip


def require_refusal(answer: httpx2.Response, *allowed: int) -> None:
    """The one shape and a 4xx, or a success that the fuzz came upon by luck."""
    asked = f"{answer.request.method} {str(answer.request.url)[:300]} {answer.request.content[:300]!r}"
    assert answer.status_code < 500, f"{asked} -> {answer.status_code} {answer.text[:500]}"
    if answer.status_code >= 400:
        body = answer.json()
        assert set(body) == {"error"}, asked
        assert set(body["error"]) == {"code", "message", "fields"}, asked
        assert isinstance(body["error"]["code"], str), asked
        assert isinstance(body["error"]["message"], str), asked
        assert isinstance(body["error"]["fields"], dict), asked
    if allowed:
        assert answer.status_code in allowed, f"{asked} -> {answer.status_code} {answer.text[:300]}"


Operation = tuple[str, str, Json]


@pytest.fixture
def document(house: House) -> Json:
    """The OpenAPI document."""
    return describe_api(house.rest)


def path_of(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: ids[match[1]], path)


def resolve(schema: Json, document: Json) -> Json:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for kind in ("oneOf", "anyOf"):
        for option in schema.get(kind, ()):
            if option.get("type") != "null":
                return resolve(option, document)
    return schema


def example(schema: Json, document: Json) -> Any:
    """A value that fits a schema, plainly."""
    schema = resolve(schema, document)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(part, document) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {}), document)]
    if kind == "integer":
        return max(1, int(schema.get("minimum", 1)))
    return {"number": 1.0, "boolean": True}.get(str(kind), "x" * max(1, int(schema.get("minLength", 1))))


def body_schema(operation: Json) -> Json | None:
    content = operation.get("requestBody", {}).get("content", {})
    found: Json | None = content.get("application/json", {}).get("schema")
    return found


def spoilt(good: Any, dice: random.Random) -> Iterator[Any]:
    """Bodies beside a good one: each field by each of some nasty values, fields missing, fields too many."""
    yield from NASTY
    if not isinstance(good, dict):
        return
    yield {**good, "surprise": 1}
    for name in good:
        yield {key: value for key, value in good.items() if key != name}
        for nasty in dice.sample(NASTY, 14):
            yield {**good, name: nasty}
            if isinstance(good[name], list):
                yield {**good, name: [nasty]}
                if good[name] and isinstance(good[name][0], dict):
                    for inner in good[name][0]:
                        yield {**good, name: [{**good[name][0], inner: nasty}]}


UNTRIED = {
    "/v1/auth/sign-out": "ends the session that the rest is tried with",
    "/v1/auth/sign-in": "hashes passwords: has a test of its own",
    "/v1/me/password": "hashes passwords: has a test of its own",
    "/v1/inboxes/{inbox_id}/reconnect": "asks the provider",
}


def with_body(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Operations that take JSON: method, path, schema of the body."""
    for method, path, operation in list_operations(document):
        schema = body_schema(operation)
        if schema is not None and path not in UNTRIED:
            yield method.upper(), path, schema


async def require_signed_in(client: httpx2.AsyncClient) -> None:
    """The tries were made by somebody, to the end."""
    assert (await client.get("/v1/me")).status_code == 200


async def test_no_body_makes_a_500(house: House, ours: Furnished, document: Json) -> None:
    dice = random.Random(SEED)
    async with house.client(ours.owner) as client:
        for method, path, schema in with_body(document):
            for body in spoilt(example(schema, document), dice):
                raw = json.dumps(body).encode()
                headers = {"Content-Type": "application/json"}
                require_refusal(
                    await client.request(method, path_of(path, ours.ids), content=raw, headers=headers)
                )
        await require_signed_in(client)


RAW_BODIES = [
    b"", b" ", b"{", b"}", b"[", b'{"a":', b"nul", b"\xff\xfe", b'{"text": "\xed\xa0\x80"}', b'{"text": "\\ud800"}',
    b'{"client_id": "\\ud800x", "text": "a"}', b'{"client_id": "a", "text": "\\udc00\\ud800"}', b"\x00", b"\xef\xbb\xbf{}",
    b"[" * 100_000, b'{"a":' * 20_000, b'{"client_id": ' + b"[" * 50_000, b'{"a":1}{"b":2}', b"NaN", b"Infinity",
    b'{"client_id": "x", "text": NaN}', b"1" * 5000, b'"' + b"x" * 100_000 + b'"', b'{"client_id": "1", "client_id": 2}',
]  # fmt: skip


async def test_no_broken_json_makes_a_500(house: House, ours: Furnished, document: Json) -> None:
    async with house.client(ours.owner) as client:
        for method, path, _ in with_body(document):
            url = path_of(path, ours.ids)
            for raw in RAW_BODIES:
                for kind in (
                    "application/json",
                    "text/plain",
                    "multipart/form-data",
                    "application/x-msgpack",
                    "x",
                ):
                    if kind != "application/json" and raw not in RAW_BODIES[:8]:
                        continue
                    answer = await client.request(method, url, content=raw, headers={"Content-Type": kind})
                    require_refusal(answer)
        await require_signed_in(client)


async def test_a_body_over_the_limit_is_413(house: House, ours: Furnished, document: Json) -> None:
    huge = b'{"client_id": "' + b"x" * BODY_LIMIT_BYTES + b'"}'

    async def trickle() -> Any:
        for start in range(0, len(huge), 50_000):
            yield huge[start : start + 50_000]

    async with house.client(ours.owner) as client:
        for method, path, _ in with_body(document):
            url = path_of(path, ours.ids)
            headers = {"Content-Type": "application/json"}
            for content in (huge, trickle()):
                answer = await client.request(method, url, content=content, headers=headers)
                assert answer.status_code == 413, (method, path, answer.text[:200])
                assert answer.json()["error"]["code"] == "too_large"


async def test_no_id_makes_a_500(house: House, ours: Furnished, document: Json) -> None:
    async with house.client(ours.owner) as client:
        for method, path, operation in list_operations(document):
            for name in re.findall(r"\{(\w+)\}", path):
                for bad in IDS:
                    quoted = "".join(f"%{byte:02X}" for byte in bad.encode())
                    url = path_of(path, ours.ids | {name: quoted})
                    schema = body_schema(operation)
                    body = example(schema, document) if schema else None
                    answer = await client.request(method.upper(), url, json=body)
                    require_refusal(answer)
                    if (
                        name not in ("emoji", "channel")
                        and operation.get("security") != []
                        and bad not in ("", "..")
                    ):
                        assert answer.status_code in (404, 422), (url, answer.text)
        await require_signed_in(client)


async def test_no_query_makes_a_500(house: House, ours: Furnished, document: Json) -> None:
    async with house.client(ours.owner) as client:
        for method, path, operation in list_operations(document):
            for parameter in operation.get("parameters", ()):
                if parameter["in"] != "query":
                    continue
                required = {
                    other["name"]: "0" for other in operation["parameters"]
                    if other["in"] == "query" and other.get("required")
                }  # fmt: skip
                values = CURSORS if parameter["name"] == "cursor" else [*CURSORS, *map(str, NASTY)]
                for value in values:
                    params = required | {parameter["name"]: value[:3000]}
                    url = path_of(path, ours.ids)
                    require_refusal(await client.request(method.upper(), url, params=params))
                raw = await client.request(
                    method.upper(), f"{path_of(path, ours.ids)}?{parameter['name']}=%ED%A0%80%FF&&==&"
                )
                require_refusal(raw)
        await require_signed_in(client)


async def test_a_cursor_of_another_list_is_malformed(house: House, ours: Furnished) -> None:
    async with house.client(ours.owner) as client:
        for url in (
            "/v1/conversations",
            "/v1/desk/conversations",
            "/v1/contacts",
            "/v1/users",
            "/v1/audit",
            "/v1/desk/journal",
        ):
            for cursor in (
                "x",
                encode_cursor({}),
                encode_cursor("2026-01-01T00:00:00", public_id("cnv", ours.group)),
            ):
                answer = await client.get(url, params={"cursor": cursor})
                require_refusal(answer, 422)


async def test_another_method_is_405_and_says_which_are_served(
    house: House, ours: Furnished, document: Json
) -> None:
    served: dict[str, set[str]] = {}
    for method, path, _ in list_operations(document):
        served.setdefault(path, set()).add(method.upper())
    async with house.client(ours.owner) as client:
        for path, methods in served.items():
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - methods:
                answer = await client.request(method, path_of(path, ours.ids))
                require_refusal(answer, 405)
                assert answer.json()["error"]["code"] == "method_not_allowed"
                assert set(answer.headers["allow"].replace(" ", "").split(",")) >= methods


async def test_where_nothing_is_there_is_a_404(house: House, ours: Furnished) -> None:
    async with house.client(ours.owner) as client:
        for path in (
            "/v1/nothing",
            "/v1/",
            "/v1/conversations/",
            "/v1//conversations",
            "/v1/%2e%2e/x",
            "/v1/conversations/a/b/c/d",
            "/v1/\u00e9",
        ):
            answer = await client.get(path)
            assert answer.status_code in (200, 404), path
            require_refusal(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer  "}, {"Authorization": "Basic eDp4"},
        {"Authorization": "Bearer \xff\xfe"}, {"Authorization": "Bearer " + "x" * 20_000}, {"Cookie": "parley_media=\xff; =; ;;"},
        {"Cookie": "parley_refresh=" + "x" * 10_000}, {"Cookie": "=" * 5000},
    ],
)  # fmt: skip
async def test_hostile_credentials_are_401(house: House, ours: Furnished, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    async with house.client() as client:
        for url in ("/v1/me", f"/v1/media/{ours.ids['media_id']}"):
            require_refusal(await client.get(url, headers=raw), 401)
        require_refusal(await client.post("/v1/auth/refresh", headers=raw), 401, 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "\xff"}, {"Accept": "text/html;q=x"}, {"Accept": "application/xml"}, {"Accept-Encoding": "\x00"},
        {"Content-Type": "application/json; charset=nonsense"}, {"Content-Type": "\xff"}, {"Content-Type": ";;;=;"},
        {"Content-Length": "-1"}, {"Content-Length": "abc"}, {"Transfer-Encoding": "nonsense"}, {"Host": "\xff"},
        {"Host": ""}, {"Origin": "\x00"}, {"Range": "bytes=9-1,,--"}, {"If-None-Match": '"' * 1000},
        {"If-Modified-Since": "yesterday"}, {"X-Forwarded-For": "\xff, ::::"}, {"X-HTTP-Method-Override": "DELETE"},
        {"Expect": "100-continue"}, {"Content-Encoding": "gzip"}, {"User-Agent": "\x00\xff" * 500},
    ],
)  # fmt: skip
async def test_hostile_headers_make_no_500(house: House, ours: Furnished, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    url = f"/v1/conversations/{ours.ids['conversation_id']}/messages"
    async with house.client(ours.agent) as client:
        for target in ("/v1/me", url, f"/v1/media/{ours.ids['media_id']}"):
            require_refusal(await client.get(target, headers=raw))
        body = b'{"client_id": "1", "text": "x"}'
        require_refusal(
            await client.post(url, content=body, headers={"Content-Type": "application/json"} | raw)
        )
        require_refusal(await client.post("/v1/auth/sign-in", content=b'{"email": "a@b.org"}', headers=raw))


async def test_text_that_cannot_be_stored_is_cleaned_or_refused(house: House, ours: Furnished) -> None:
    url = f"/v1/conversations/{ours.ids['conversation_id']}/messages"
    async with house.client(ours.agent) as client:
        sent = await client.post(
            url,
            json={
                "client_id": "n",
                "text": "a\x00b\x08c\r\nd\x9f",
                "quote": "\x00co",
                "reply_to": ours.ids["message_id"],
            },
        )
        assert sent.status_code == 201
        assert (sent.json()["text"], sent.json()["reply_to"]["quote"]) == ("abc\nd", "co")
        for field, value in (("client_id", "a\x00"), ("text", "x" * 20_001), ("quote", "x" * 1025), ("kind", "system"),
                             ("entities", [{"kind": "b\x00", "offset": 0, "length": 1}]),
                             ("entities", [{"kind": "link", "offset": 0, "length": 1, "url": "x\x00"}]),
                             ("entities", [{"kind": "pre", "offset": -1, "length": 1}]),
                             ("entities", [{"kind": "pre", "offset": 0, "length": 1, "x": 1}])):  # fmt: skip
            refused = await client.post(url, json={"client_id": "m", "text": "t", field: value})
            require_refusal(refused, 422)
            assert refused.json()["error"]["fields"], field


async def test_passwords_of_any_kind_make_no_500(house: House, ours: Furnished) -> None:
    async with house.client(ours.owner) as client:
        for value in ("\x00", "x" * 100_000, "\ud7ff\uffff", 1, None, []):
            body = {"email": "a@example.org", "password": value}
            require_refusal(await client.post("/v1/auth/sign-in", json=body), 401, 422, 429)
            for email in (value, "a@\x00", "@"):
                require_refusal(
                    await client.post("/v1/auth/sign-in", json={"email": email, "password": "x"}),
                    401,
                    422,
                    429,
                )
            require_refusal(
                await client.post("/v1/me/password", json={"current_password": "x", "new_password": value}),
                401,
                403,
                422,
                429,
            )


async def test_a_bug_says_nothing_of_its_inside(
    house: House, ours: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parley.conversations import chats

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(chats, "list_conversations", broken)
    async with house.client(ours.owner) as client:
        answer = await client.get("/v1/conversations")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "bug"
    assert "42" not in answer.text
