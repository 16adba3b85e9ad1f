"""The HTTP client: above all, whether a failed request can have arrived."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest

from parley.infra.http_client import HttpClient, NoAnswer, NotSent, Timeouts, Upload, UploadBroken
from parley.kit.errors import NotFound
from tests.ports import free_port
from tests.scripted_http import (
    Behaviour,
    answers,
    drips,
    hangs,
    resets,
    resets_after,
    scripted_server,
    sends_raw,
)

pytestmark = pytest.mark.anyio

QUICK = Timeouts(connect=3.0, read=0.8, write=3.0, pool=0.2, total=5.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient(timeouts=QUICK) as client:
        yield client


def upload(*chunks: bytes, size: int | None = None, error: Exception | None = None) -> Upload:
    async def read() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if error:
            raise error

    total = sum(map(len, chunks)) if size is None else size
    return Upload("file0", 'кот "1".jpg', "image/jpeg", total, read)


async def test_json_goes_out_and_the_answer_comes_back_whole(client: HttpClient) -> None:
    async with scripted_server(answers(201, {"a": 1}, X_Thing="yes")) as server:
        answer = await client.request("POST", f"{server.url}/x?y=1", json={"привет": "мир"})
        assert (answer.status, answer.body, answer.headers["x-thing"]) == (201, b'{"a": 1}', "yes")
        assert server.seen[0].target == "/x?y=1"
        assert server.seen[0].json == {"привет": "мир"}
        assert server.seen[0].headers["content-type"] == "application/json"


async def test_a_connection_is_used_again(client: HttpClient) -> None:
    ports = set()

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ports.add(writer.get_extra_info("peername")[1])
        await answers(200, b"ok")(_, writer)

    async with scripted_server(note) as server:
        for _ in range(3):
            await client.request("GET", server.url)
    assert len(ports) == 1


async def test_redirects_and_cookies_are_left_to_the_caller(client: HttpClient) -> None:
    async with scripted_server(answers(302, b"", Location="/else", Set_Cookie="a=b")) as server:
        assert (await client.request("GET", server.url)).status == 302
        await client.request("GET", server.url)
        assert len(server.seen) == 2
        assert "cookie" not in server.seen[1].headers


async def test_a_proxy_in_the_environment_is_not_used(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with HttpClient(timeouts=QUICK) as fresh, scripted_server(answers(200, b"direct")) as server:
        assert (await fresh.request("GET", server.url)).body == b"direct"


async def test_a_form_streams_its_files_with_an_exact_length(client: HttpClient) -> None:
    async with scripted_server(answers(200, b"ok")) as server:
        await client.request(
            "POST", server.url, form={"chat_id": "7", "caption": "Привет"}, uploads=[upload(b"abc", b"def")]
        )
        seen = server.seen[0]
    boundary = seen.headers["content-type"].partition("boundary=")[2]
    assert seen.body.decode() == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n7\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="caption"\r\n\r\nПривет\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file0"; filename="кот %221%22.jpg"\r\n'
        f"Content-Type: image/jpeg\r\n\r\nabcdef\r\n--{boundary}--\r\n"
    )


async def test_nobody_listening_means_not_sent(client: HttpClient) -> None:
    with pytest.raises(NotSent):
        await client.request("POST", f"http://127.0.0.1:{free_port()}/", json={})


async def test_an_unknown_host_means_not_sent(client: HttpClient) -> None:
    with pytest.raises(NotSent):
        await client.request("POST", "http://nowhere.invalid/", json={})


@pytest.mark.parametrize(
    "url", ["", "ftp://x/", "http://", "nonsense", "http://a b/", "http://[::1", "http://x:99999999/"]
)
async def test_what_is_no_address_means_not_sent(client: HttpClient, url: str) -> None:
    with pytest.raises(NotSent):
        await client.request("GET", url)


async def test_a_full_pool_means_not_sent() -> None:
    transport = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=1))
    async with HttpClient(timeouts=QUICK, transport=transport) as client, scripted_server(hangs()) as server:
        first = asyncio.create_task(client.request("POST", server.url, json={}))
        while not server.seen:
            await asyncio.sleep(0.005)
        with pytest.raises(NotSent) as caught:
            await client.request("POST", server.url, json={})
        assert caught.value.fields == {"reason": "PoolTimeout"}
        with pytest.raises(NoAnswer):
            await first


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(hangs, id="hang"),
        pytest.param(resets, id="reset"),
        pytest.param(lambda: sends_raw(b""), id="closed"),
        pytest.param(lambda: sends_raw(b"HTTP/1.1 200"), id="half a head"),
        pytest.param(lambda: sends_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), id="half a body"),
        pytest.param(lambda: sends_raw(b"\x00\xff garbage\r\n\r\n"), id="garbage"),
    ],
)
async def test_a_request_that_left_whole_without_an_answer_is_no_answer(
    client: HttpClient, behaviour: Callable[[], Behaviour]
) -> None:
    async with scripted_server(behaviour()) as server:
        with pytest.raises(NoAnswer):
            await client.request("POST", server.url, json={"text": "hi"})
        assert server.seen[0].json == {"text": "hi"}


async def test_a_server_that_drips_for_ever_meets_the_total_timeout(client: HttpClient) -> None:
    async with scripted_server(drips(100, 0.05)) as server:
        with pytest.raises(NoAnswer) as caught:
            await client.request("GET", server.url, timeouts=Timeouts(read=3.0, total=0.8))
        assert caught.value.fields == {"reason": "TimeoutError"}


async def test_an_answer_over_the_limit_is_refused(client: HttpClient) -> None:
    async with scripted_server(answers(200, b"x" * 5000)) as server:
        with pytest.raises(NoAnswer) as caught:
            await client.request("GET", server.url, limit_bytes=4999)
        assert caught.value.fields == {"limit_bytes": 4999}
        assert len((await client.request("GET", server.url, limit_bytes=5000)).body) == 5000


async def test_an_upload_that_breaks_before_its_end_cannot_have_been_acted_on(client: HttpClient) -> None:
    chunk = b"x" * 1024 * 1024
    async with scripted_server(resets_after(2000)) as server:
        with pytest.raises(NotSent):
            await client.request("POST", server.url, uploads=[upload(*[chunk] * 30)])


async def test_an_upload_that_left_whole_may_have_been_acted_on(client: HttpClient) -> None:
    async with scripted_server(resets()) as server:
        with pytest.raises(NoAnswer):
            await client.request("POST", server.url, uploads=[upload(b"abc")])


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda: upload(b"abc", error=NotFound()), id="gone"),
        pytest.param(lambda: upload(b"abc", size=4), id="too short"),
        pytest.param(lambda: upload(b"abc", b"d", size=3), id="too long"),
    ],
)
async def test_bytes_of_ours_that_cannot_be_read_are_told_apart(
    client: HttpClient, broken: Callable[[], Upload]
) -> None:
    async with scripted_server(answers(200, b"ok")) as server:
        with pytest.raises(UploadBroken):
            await client.request("POST", server.url, uploads=[broken()])


async def test_a_download_streams_and_lets_go_when_closed_early(client: HttpClient) -> None:
    async with scripted_server(answers(200, b"x" * 300_000)) as server:
        async with await client.open("GET", server.url) as download:
            assert download.size_bytes == 300_000
            assert len(await download.read()) == 300_000
        download = await client.open("GET", server.url)
        await download.aclose()
        await download.aclose()


async def test_a_cancelled_request_stays_cancelled(client: HttpClient) -> None:
    async with scripted_server(hangs()) as server:
        task = asyncio.create_task(client.request("GET", server.url))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_no_address_reaches_a_log_or_an_error(
    client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with scripted_server(answers(200, b"ok"), hangs()) as server:
        await client.request("POST", f"{server.url}/botSECRET/getMe", json={})
        with pytest.raises(NoAnswer) as caught:
            await client.request("POST", f"{server.url}/botSECRET/getMe", json={})
    with pytest.raises(NotSent) as refused:
        await client.request("POST", f"http://127.0.0.1:{free_port()}/botSECRET/getMe", json={})
    with pytest.raises(NotSent) as malformed:
        await client.request("POST", "http://botSECRET:x/", json={})
    for error in (caught.value, refused.value, malformed.value):
        assert "SECRET" not in f"{error!r} {error.fields} {error.__cause__!r}"
    assert "SECRET" not in caplog.text
