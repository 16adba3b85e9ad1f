"""The one application of a process: what stands beside the API, and the headers that guard it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from parley.apps.dispatch import Dispatcher
from parley.apps.pages import CONTENT_POLICY, Pages
from parley.infra.metrics import Metrics
from parley.infra.settings import Settings
from parley.realtime import Gateway
from tests.house import House

pytestmark = pytest.mark.anyio

INDEX = "<!doctype html><title>The application</title>" + " " * 2000


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A built front end."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    (folder / "assets" / "main-1a2b.js").write_text("console.log(1)")
    (folder / "assets" / "main-1a2b.js.map").write_text("{}")
    return folder


def dispatcher(house: House, web: Path, *, sandbox: Any = None, **settings: Any) -> Dispatcher:
    return Dispatcher(
        settings=dataclasses.replace(house.runtime.settings, **settings), db=house.db, metrics=Metrics(),
        rest=house.rest, api=cast("Any", house.rest), gateway=cast("Gateway", None), pages=Pages(web), sandbox=sandbox,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def browser(app: Any, address: str = "127.0.0.1") -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, client=(address, 4000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


def require_guarded(answer: httpx2.Response) -> None:
    assert answer.headers["content-security-policy"] == CONTENT_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_content_policy_lets_no_inline_script_run() -> None:
    policy = dict(part.strip().split(" ", 1) for part in CONTENT_POLICY.split(";"))
    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert "unsafe" not in CONTENT_POLICY
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"


async def test_health_is_told_at_once_and_readiness_when_it_is_there(house: House, web: Path) -> None:
    app = dispatcher(house, web)
    async with browser(app) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        starting = await client.get("/readyz")
        assert (starting.status_code, starting.json()["error"]["code"]) == (503, "not_ready")
        app.is_ready = True
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        await house.db.pool.close()
        away = await client.get("/readyz")
        assert (away.status_code, away.json()["error"]["code"]) == (503, "not_ready")
        assert (await client.get("/healthz")).status_code == 200


async def test_metrics_without_a_token_are_for_this_machine_alone(house: House, web: Path) -> None:
    app = dispatcher(house, web)
    for address, headers, status in (
        ("127.0.0.1", {}, 200), ("::1", {}, 200), ("10.0.0.5", {}, 403), ("", {}, 403), ("testclient", {}, 403),
        # a proxy on this machine stands for somebody elsewhere
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.5"}, 403), ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.5"}, 403),
        ("10.0.0.5", {"Authorization": "Bearer "}, 403), ("10.0.0.5", {"Authorization": "Bearer x"}, 403),
    ):  # fmt: skip
        async with browser(app, address) as client:
            answer = await client.get("/metrics", headers=cast("dict[str, str]", headers))
        assert answer.status_code == status, (address, headers)
        assert ("parley_work_claimed" in answer.text) == (status == 200)


async def test_metrics_with_a_token_are_for_who_has_it(house: House, web: Path) -> None:
    app = dispatcher(house, web, metrics_token="m-secret")
    for address, token, status in (
        ("10.0.0.5", "m-secret", 200), ("127.0.0.1", None, 403), ("127.0.0.1", "m-secre", 403),
        ("127.0.0.1", "m-secret ", 403), ("10.0.0.5", "", 403), ("10.0.0.5", "\xff", 403),
    ):  # fmt: skip
        headers = [(b"authorization", f"Bearer {token}".encode("latin-1"))] if token is not None else []
        status_seen = await raw_status(app, "/metrics", headers, address)
        assert status_seen == status, (address, token)


async def raw_status(app: Any, path: str, headers: list[tuple[bytes, bytes]], address: str) -> int:
    seen: list[Any] = []

    async def send(message: Any) -> None:
        seen.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "client": (address, 1)}
    await app(scope, None, send)
    return int(seen[0]["status"])


async def test_every_path_of_the_application_is_its_page(house: House, web: Path) -> None:
    async with browser(dispatcher(house, web)) as client:
        for path in ("/", "/inbox", "/c/cnv_x", "/v1", "/invite", "/sandboxes", "/socket.io"):
            answer = await client.get(path)
            assert (answer.status_code, answer.text) == (200, INDEX), path
            require_guarded(answer)
            assert answer.headers["cache-control"] == "no-cache"
        head = await client.head("/")
        assert (head.status_code, head.text) == (200, "")
        known = await client.get("/", headers={"If-None-Match": answer.headers["etag"]})
        assert known.status_code == 304
        assert (await client.post("/inbox")).status_code == 405


async def test_built_files_are_kept_for_ever_and_missing_ones_are_missing(house: House, web: Path) -> None:
    async with browser(dispatcher(house, web)) as client:
        script = await client.get("/assets/main-1a2b.js")
        assert script.status_code == 200
        assert "immutable" in script.headers["cache-control"]
        assert "javascript" in script.headers["content-type"]
        require_guarded(script)
        for path in (
            "/assets/main-0000.js",
            "/assets/main-1a2b.js.map",
            "/assets/../../secret.key",
            "/assets/%2e%2e/x",
        ):
            assert (await client.get(path)).text in ("", INDEX)
        assert (await client.get("/assets/main-0000.js")).status_code == 404


async def test_without_a_build_the_page_says_so(house: House, tmp_path: Path) -> None:
    async with browser(dispatcher(house, tmp_path / "none")) as client:
        answer = await client.get("/")
    assert answer.status_code == 503
    assert "has not been built" in answer.text


async def test_the_documents_of_the_api_are_served(house: House, web: Path) -> None:
    async with browser(dispatcher(house, web)) as client:
        for answer in (page := await client.get("/docs"), style := await client.get("/docs/api.css")):
            assert answer.status_code == 200
            require_guarded(answer)
        document = await client.get("/openapi.json")
    assert "/v1/conversations/{conversation_id}/messages" in page.text
    assert "<script" not in page.text
    assert style.headers["content-type"].startswith("text/css")
    assert document.json()["openapi"].startswith("3.1")


async def test_answers_of_the_api_are_not_stored_and_not_sniffed(house: House, web: Path) -> None:
    async with browser(dispatcher(house, web)) as client:
        for url in ("/v1/me", "/v1/nothing", "/openapi.json"):
            answer = await client.get(url)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"


async def test_the_sandbox_is_off_unless_it_is_on(house: House, web: Path) -> None:
    async with browser(dispatcher(house, web)) as client:
        for path in ("/sandbox", "/sandbox/", "/sandbox/telegram/bot1:x/getMe", "/sandbox/../v1/me"):
            answer = await client.get(path)
            assert answer.status_code in (401, 404), path
        assert (await client.get("/sandbox/")).json()["error"]["code"] == "sandbox_off"

    async def stand_in(scope: Any, _: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    async with browser(dispatcher(house, web, sandbox=stand_in)) as client:
        assert (await client.get("/sandbox/telegram/x")).text == "/telegram/x"
        assert (await client.get("/sandboxed")).text == INDEX


async def test_a_socket_to_nowhere_is_closed(house: House, web: Path) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await dispatcher(house, web)({"type": "websocket", "path": "/elsewhere"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 4404}]


def test_the_sandbox_is_on_locally_and_off_in_public_unless_asked_for() -> None:
    assert Settings().is_sandbox_on
    assert not Settings(public_url="https://x.example").is_sandbox_on
    assert Settings(public_url="https://x.example", sandbox=True).is_sandbox_on
    assert not Settings(sandbox=False).is_sandbox_on
