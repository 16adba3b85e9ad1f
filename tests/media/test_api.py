"""The routes of files: who may see them, under which headers they go out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import UUID

import httpx2
import pytest
from litestar import Litestar, Request
from litestar.di import Provide

from parley.accounts import Caller
from parley.infra.db import Tx
from parley.infra.http import EXCEPTION_HANDLERS
from parley.infra.runtime import Runtime
from parley.kit.ids import parse_id, public_id, uuid7
from parley.media import Pictures, create_pending
from parley.media.api import routes
from tests.files import files_under
from tests.media import samples
from tests.media.conftest import make_caller

pytestmark = pytest.mark.anyio


class House:
    """An application with two callers, and files that the second may see."""

    def __init__(self, runtime: Runtime, pictures: Pictures, caller: Caller) -> None:
        self.callers = {"ann": caller, "bob": make_caller(caller.workspace_id), "eve": make_caller(uuid7())}
        self.shared: set[UUID] = set()

        async def may_see(tx: Tx, who: Caller, media_id: UUID) -> bool:
            return media_id in self.shared

        async def provide_caller(request: Request[Any, Any, Any]) -> Caller:
            return self.callers[request.headers.get("x-who", "ann")]

        self.app = Litestar(
            routes,
            exception_handlers=EXCEPTION_HANDLERS,
            openapi_config=None,
            dependencies={
                "runtime": Provide(lambda: runtime, sync_to_thread=False),
                "pictures": Provide(lambda: pictures, sync_to_thread=False),
                "media_access": Provide(lambda: may_see, sync_to_thread=False),
                "caller": Provide(provide_caller),
            },
        )
        transport = httpx2.ASGITransport(app=cast("Any", self.app))
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://parley.test")

    async def upload(self, data: bytes, name: str = "a", **headers: str) -> dict[str, Any]:
        answer = await self.client.post("/v1/media", params={"name": name}, content=data, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def get(self, media: dict[str, Any], rest: str = "", **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(f"/v1/media/{media['id']}{rest}", headers=named)


@pytest.fixture
async def house(runtime: Runtime, pictures: Pictures, caller: Caller) -> AsyncIterator[House]:
    house = House(runtime, pictures, caller)
    async with house.client:
        yield house


async def test_an_upload_answers_what_it_is(house: House) -> None:
    media = await house.upload(samples.picture(size=(960, 480)), "me.jpg", content_type="text/html")
    assert media.pop("id").startswith("med_")
    assert media.pop("size_bytes") > 1000
    assert media == {
        "kind": "image",
        "name": "me.jpg",
        "content_type": "image/jpeg",
        "width": 960,
        "height": 480,
        "duration_seconds": None,
        "waveform": None,
        "state": "ready",
        "thumbnail": {"width": 480, "height": 240},
    }


async def test_a_file_comes_back_as_an_attachment_that_can_do_nothing(house: House) -> None:
    media = await house.upload(samples.SVG, 'evil"\r\nX-Evil: 1;.svg')
    for rest in ("/content", "/content?inline=1"):
        answer = await house.get(media, rest)
        assert answer.status_code == 200
        assert answer.content == samples.SVG
        assert answer.headers["content-type"] == "application/octet-stream"
        assert (
            answer.headers["content-disposition"] == "attachment; filename*=UTF-8''evil_%20X-Evil_%201%3B.svg"
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["content-length"] == str(len(samples.SVG))
        assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    ("data", "disposition"),
    [
        (samples.picture(), "inline"),
        (samples.MP4, "inline"),
        (samples.OGG, "inline"),
        (samples.animation(), "attachment"),
        (samples.PDF, "attachment"),
        (samples.HEIC, "attachment"),
        (samples.HTML, "attachment"),
        (samples.GIF_SCRIPT, "attachment"),
        (samples.png_of(50_000, 50_000), "attachment"),
    ],
)
async def test_only_what_is_safe_is_shown_in_place(house: House, data: bytes, disposition: str) -> None:
    media = await house.upload(data)
    assert (
        (await house.get(media, "/content?inline=1")).headers["content-disposition"].startswith(disposition)
    )
    assert (await house.get(media, "/content")).headers["content-disposition"].startswith("attachment")


async def test_a_part_is_given_and_the_whole_when_the_file_is_another(house: House) -> None:
    data = bytes(range(256)) * 4000
    media = await house.upload(data)
    part = await house.get(media, "/content", range="bytes=100000-100009")
    assert (part.status_code, part.content) == (206, data[100_000:100_010])
    assert part.headers["content-range"] == f"bytes 100000-100009/{len(data)}"
    assert part.headers["content-length"] == "10"
    assert (await house.get(media, "/content", range="bytes=-5")).content == data[-5:]
    tag = part.headers["etag"]
    assert (await house.get(media, "/content", range="bytes=0-0", if_range=tag)).status_code == 206
    assert (await house.get(media, "/content", range="bytes=0-0", if_range='"other"')).status_code == 200
    beyond = await house.get(media, "/content", range=f"bytes={len(data)}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")
    assert beyond.json()["error"]["code"] == "range_not_satisfiable"


async def test_what_the_client_has_is_not_sent_again(house: House) -> None:
    media = await house.upload(b"x" * 1000)
    first = await house.get(media, "/content")
    again = await house.get(media, "/content", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert "no-cache" in first.headers["cache-control"]


async def test_an_empty_file_is_a_file(house: House) -> None:
    media = await house.upload(b"", "empty.txt")
    answer = await house.get(media, "/content")
    assert (answer.status_code, answer.content, media["size_bytes"]) == (200, b"", 0)
    assert (await house.get(media, "/content", range="bytes=0-")).status_code == 416


async def test_a_thumbnail_is_kept_by_the_browser_for_good(house: House) -> None:
    media = await house.upload(samples.picture("PNG"))
    answer = await house.get(media, "/thumbnail")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.content[8:12] == b"WEBP"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await house.get(await house.upload(b"text"), "/thumbnail")).status_code == 404


async def test_a_file_is_seen_by_who_uploaded_it_and_where_it_is_attached(house: House) -> None:
    media = await house.upload(samples.picture())
    for rest in ("", "/content", "/thumbnail"):
        assert (await house.get(media, rest)).status_code == 200
        assert (await house.get(media, rest, x_who="bob")).status_code == 404
        assert (await house.get(media, rest, x_who="eve")).status_code == 404
    house.shared.add(parse_id("med", media["id"]))
    for rest in ("", "/content", "/thumbnail"):
        assert (await house.get(media, rest, x_who="bob")).status_code == 200
        assert (await house.get(media, rest, x_who="eve")).status_code == 404


async def test_a_file_that_is_not_here_yet_says_so(
    house: House, runtime: Runtime, workspace_id: UUID
) -> None:
    async with runtime.db.transaction(workspace_id) as tx:
        media_id = await create_pending(
            tx,
            workspace_id,
            kind="image",
            name="a.jpg",
            content_type=None,
            size_bytes=9,
            source={"reference": {}},
        )
    house.shared.add(media_id)
    media = {"id": public_id("med", media_id)}
    assert (await house.get(media)).json()["state"] == "pending"
    answer = await house.get(media, "/content")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "media_not_ready")


async def test_what_is_no_id_or_no_file_is_refused(house: House) -> None:
    assert (await house.get({"id": "msg_1"})).status_code == 422
    answer = await house.get({"id": public_id("med", uuid7())})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "media_not_found")


async def test_too_large_an_upload_is_refused(house: House, runtime: Runtime) -> None:
    answer = await house.client.post("/v1/media", content=bytes(runtime.settings.upload_limit_bytes + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    counted = await house.client.post("/v1/media", content=samples.pieces(bytes(3_000_001)))
    assert (counted.status_code, counted.json()["error"]["code"]) == (413, "too_large")


async def test_a_client_that_goes_away_leaves_nothing(
    house: House, runtime: Runtime, workspace_id: UUID
) -> None:
    given = [{"type": "http.request", "body": bytes(500_000), "more_body": True}, {"type": "http.disconnect"}]
    answered: list[Any] = []

    async def receive() -> Any:
        return given.pop(0) if given else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        answered.append(message)

    scope: Any = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/v1/media",
        "raw_path": b"/v1/media", "query_string": b"name=a", "headers": [], "scheme": "http", "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("parley.test", 80),
    }  # fmt: skip
    await house.app(scope, receive, send)
    assert answered[0]["status"] == 422
    assert not files_under(runtime.settings.data_dir / "files")
    async with runtime.db.transaction(workspace_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM media") == 0
