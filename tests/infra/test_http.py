"""REST's edge: each kind of error has its status and the one shape; what nobody foresaw says nothing."""

from __future__ import annotations

from typing import Annotated, Any, cast

import asyncpg
import httpx2
import msgspec
import pytest
from litestar import Litestar, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, JSONBody

from parley.infra.http import EXCEPTION_HANDLERS, error_body
from parley.kit.errors import Kind, ParleyError, TooMany

pytestmark = pytest.mark.anyio


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A body."""

    name: Annotated[str, msgspec.Meta(max_length=3)]


@get("/kind/{name:str}")
async def fail(name: FromPath[str]) -> None:
    error = type(
        "Made", (ParleyError,), {"code": f"made_{name.lower()}", "kind": Kind[name], "__doc__": "It is so."}
    )
    raise error(about=name)


@get("/slow")
async def slow(seconds: FromQuery[float]) -> None:
    raise TooMany(retry_after_seconds=seconds)


@get("/bug/{name:str}")
async def bug(name: FromPath[str]) -> None:
    if name == "recursion":
        raise RecursionError("maximum recursion depth exceeded")
    if name == "unicode":
        b"\xff".decode()
    raise {"key": KeyError, "http": lambda text: HTTPException(text, status_code=502)}[name]("the inside")


PASSING = {
    "deadlock": asyncpg.DeadlockDetectedError,
    "cancelled": asyncpg.QueryCanceledError,
    "serialization": asyncpg.SerializationError,
    "timeout": TimeoutError,
}


@get("/passing/{name:str}")
async def passing(name: FromPath[str]) -> None:
    raise PASSING[name]("the inside")


@post("/body")
async def body(data: JSONBody[Body]) -> str:
    return data.name


def client() -> httpx2.AsyncClient:
    app = Litestar([fail, slow, bug, passing, body], exception_handlers=EXCEPTION_HANDLERS, debug=False)
    transport = httpx2.ASGITransport(app=cast("Any", app), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1")


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_kind_is_a_status(kind: Kind) -> None:
    async with client() as http:
        answer = await http.get(f"/kind/{kind.name}")
    assert answer.status_code == kind.value
    assert answer.json() == error_body(f"made_{kind.name.lower()}", "It is so.", {"about": kind.name})
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(("seconds", "told"), [(0.1, "1"), (1, "1"), (7.9, "8")])
async def test_too_many_says_when_to_come_again(seconds: float, told: str) -> None:
    async with client() as http:
        answer = await http.get("/slow", params={"seconds": seconds})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, told)


@pytest.mark.parametrize(
    ("name", "status"), [("key", 500), ("recursion", 500), ("unicode", 500), ("http", 502)]
)
async def test_a_bug_is_500_and_keeps_its_inside(name: str, status: int) -> None:
    async with client() as http:
        answer = await http.get(f"/bug/{name}")
    assert answer.status_code == status
    assert "inside" not in answer.text
    assert "depth" not in answer.text


@pytest.mark.parametrize("name", PASSING)
async def test_what_passes_by_itself_is_unavailable_and_says_when_to_come_again(name: str) -> None:
    async with client() as http:
        answer = await http.get(f"/passing/{name}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    error = answer.json()["error"]
    assert (error["code"], error["fields"]) == ("unavailable", {"retry_after_seconds": 1})
    assert "inside" not in answer.text


@pytest.mark.parametrize(
    ("content", "field"),
    [(b"{}", None), (b'{"name": 1}', "name"), (b'{"name": "long"}', "name"), (b'{"name": "a", "x": 1}', None),
     (b"{", None), (b"[[[", None), (b'{"name": "\xff"}', None), (b"[" * 50_000, None)],
)  # fmt: skip
async def test_a_body_of_another_shape_is_422_and_names_the_field(content: bytes, field: str | None) -> None:
    async with client() as http:
        answer = await http.post("/body", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "malformed")
    if field:
        assert field in answer.json()["error"]["fields"]


async def test_what_is_not_there_and_what_is_not_served() -> None:
    async with client() as http:
        missing, wrong = await http.get("/nothing"), await http.get("/body")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["allow"]
