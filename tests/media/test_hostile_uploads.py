"""Files made to hurt, through the real doors of a whole server: nothing runs, nothing stays, nothing falls over."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import psutil
import pytest
from PIL import Image

from tests.files import files_under
from tests.media import samples
from tests.media.corpus import CORPUS, GPS, NAMES, Sample, located
from tests.programs import Json, Server, Site, eventually, open_site, running

pytestmark = pytest.mark.anyio

LIMIT_BYTES = 4_000_000
CHILD_BYTES = 1_200 * 2**20
"""The child's limit of address space is a gigabyte; what of it is in memory stays below."""
GROWTH_BYTES = 200 * 2**20
"""How much the server itself may grow over the whole corpus, four files at a time."""
SHOWN = re.compile(r"image/(jpeg|png|webp|gif)|audio/[a-z0-9]+|video/[a-z0-9]+")


@pytest.fixture
async def server(tmp_path: Path, database_url: str) -> AsyncIterator[Server]:
    server = Server(tmp_path, DATABASE_URL=database_url, PARLEY_UPLOAD_LIMIT_BYTES=str(LIMIT_BYTES))
    async with running(server):
        await server.start()
        await server.set_up()
        yield server


def left_of(server: Server) -> list[Path]:
    """Return the files in the store that are neither a file's content nor its thumbnail."""
    return [path for path in stored_by(server) if path.name not in ("content", "thumbnail")]


def stored_by(server: Server) -> list[Path]:
    """Return all files in the store."""
    return files_under(server.data_dir / "files")


class Scales:
    """Weighs a server and its children, over and over; keeps the most that each weighed."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.first = self._process.memory_info().rss
        self.most = self.child = 0

    async def weigh(self) -> None:
        """Weigh until cancelled."""
        while True:
            self.most = max(self.most, self._process.memory_info().rss)
            for child in self._process.children():
                with contextlib.suppress(psutil.Error):
                    if any("thumbnailer" in word for word in child.cmdline()):
                        self.child = max(self.child, child.memory_info().rss)
            await asyncio.sleep(0.02)


async def require_harmless(server: Server, media: Json, sample: Sample) -> None:
    """Fetch a file back in every way and look at what a browser would make of it."""
    path = f"/v1/media/{media['id']}"
    for rest in ("/content", "/content?inline=1", "/content?inline=true"):
        answer = await server.http.get(path + rest)
        assert answer.status_code == 200, (sample.name, answer.text)
        headers = answer.headers
        assert headers["content-type"] == media["content_type"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers.get_list("content-type") == [media["content_type"]]
        is_shown = headers["content-disposition"].startswith("inline")
        if is_shown:
            assert "inline" in rest
            assert SHOWN.fullmatch(headers["content-type"]), sample.name
            assert b"<script" not in answer.content.lower(), sample.name
        if media["kind"] in ("image", "sticker", "animation"):
            assert GPS not in answer.content, sample.name
            if media["kind"] == "animation" and "place" in sample.name:
                with Image.open(io.BytesIO(answer.content)) as moving:
                    assert getattr(moving, "n_frames", 1) == 3
                    moving.seek(2)
                    moving.load()
        if media["kind"] in ("image", "sticker"):
            with Image.open(io.BytesIO(answer.content)) as picture:
                assert not picture.getexif(), sample.name
    thumbnail = await server.http.get(path + "/thumbnail")
    assert thumbnail.status_code == (200 if media["thumbnail"] else 404)
    if media["thumbnail"]:
        assert thumbnail.headers["content-type"] == "image/webp"
        assert thumbnail.headers["x-content-type-options"] == "nosniff"
        assert GPS not in thumbnail.content


async def test_the_corpus_through_the_upload_door(server: Server) -> None:
    scales = Scales(server.pid)
    weighing = asyncio.create_task(scales.weigh())
    gate = asyncio.Semaphore(4)
    problems: list[str] = []

    async def try_one(sample: Sample) -> None:
        async with gate:
            answer = await server.http.post(
                "/v1/media?name=a.html", content=sample.data, headers={"content-type": "text/html"}
            )
        if answer.status_code != 201:
            problems.append(f"{sample.name}: {answer.status_code} {answer.text[:200]}")
            return
        media = answer.json()
        if (media["kind"], media["content_type"]) != (sample.kind, sample.content_type):
            problems.append(f"{sample.name}: {media['kind']} {media['content_type']}")
        await require_harmless(server, media, sample)

    try:
        await asyncio.gather(*(try_one(sample) for sample in CORPUS))
    finally:
        weighing.cancel()
    assert problems == []
    assert left_of(server) == []
    assert scales.child < CHILD_BYTES
    assert scales.most - scales.first < GROWTH_BYTES, scales.most - scales.first
    honest = await server.http.post("/v1/media?name=a.jpg", content=samples.picture())
    assert honest.json()["kind"] == "image"
    assert "Traceback" not in server.log()


async def test_whatever_a_file_is_called_its_header_is_one_line_and_its_name_only_a_name(
    server: Server,
) -> None:
    for name in NAMES:
        answer = await server.http.post(f"/v1/media?name={quote(name)}", content=b"<script>alert(1)</script>")
        if len(name) > 1000 and answer.status_code == 422:
            continue
        assert answer.status_code == 201, (name, answer.text)
        media = answer.json()
        assert 1 <= len(media["name"]) <= 200
        assert not set(media["name"]) & set('/\\\0\r\n"<>|?*:'), media["name"]
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u2028\u2029]", media["name"])
        assert media["name"] not in (".", "..")
        assert not media["name"].startswith(".")
        got = await server.http.get(f"/v1/media/{media['id']}/content")
        disposition = got.headers["content-disposition"]
        assert re.fullmatch(r"attachment; filename\*=UTF-8''[A-Za-z0-9_.~%-]+", disposition), disposition
        assert got.headers["content-type"] == "application/octet-stream"
    kept = {path.name for path in stored_by(server)}
    assert kept == {"content"}
    # names as raw bytes that are no UTF-8, and twice
    for query in ("name=%ff%fe", "name=a&name=b", "name=%00", "name[]=a", "name=" + "a" * 50_000):
        answer = await server.http.post(f"/v1/media?{query}", content=b"x")
        assert answer.status_code < 500, (query[:40], answer.text)


async def test_what_is_too_large_is_refused_early_and_leaves_nothing(server: Server) -> None:
    head = f"POST /v1/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n"
    piece = b"%x\r\n" % 65536 + bytes(65536) + b"\r\n"
    for announced, body in (
        (f"Content-Length: {LIMIT_BYTES * 1000}", b""),
        (f"Content-Length: {LIMIT_BYTES + 1}", b"x"),
        ("Transfer-Encoding: chunked", piece * (LIMIT_BYTES // 65536 + 1)),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"{head}{announced}\r\n\r\n".encode() + body)
        # the answer comes though the body never ends
        first = await asyncio.wait_for(reader.readline(), 30)
        assert first.startswith(b"HTTP/1.1 413 "), (announced, first)
        assert stored_by(server) == []
        writer.transport.abort()
    await eventually(lambda: _is_clean(server))
    for length in ("-1", "abc", "1" * 400, "0x10", "1, 2"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"{head}Content-Length: {length}\r\n\r\n".encode())
        first = await asyncio.wait_for(reader.readline(), 30)
        assert re.match(rb"HTTP/1.1 4\d\d ", first), (length, first)
        writer.close()
    await eventually(lambda: _is_clean(server))


async def test_uploads_that_break_off_leave_nothing(server: Server) -> None:
    async def break_off(after: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = f"POST /v1/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\nContent-Length: 3000000\r\n\r\n"
        writer.write(head.encode() + samples.picture() + bytes(after))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    await asyncio.gather(*(break_off(n * 100_000) for n in range(12)))
    await eventually(lambda: _is_clean(server))
    assert "Traceback" not in server.log()


async def _is_clean(server: Server) -> bool:
    return stored_by(server) == []


async def test_forms_meant_to_break_a_parser_are_files_or_refusals(server: Server) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nb\r\n'
    forms = {
        "no boundary": ("multipart/form-data", part + b"--x--\r\n"),
        "a boundary of 10 000": (f"multipart/form-data; boundary={'x' * 10_000}", part),
        "an empty boundary": ("multipart/form-data; boundary=", part),
        "20 000 parts": ("multipart/form-data; boundary=x", part * 20_000 + b"--x--\r\n"),
        "never ended": ("multipart/form-data; boundary=x", part * 3),
        "a header of a megabyte": ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"y" * 10**6),
        "no name": ("multipart/form-data; boundary=x", b"--x\r\n\r\nb\r\n--x--\r\n"),
        "NULs": ("multipart/form-data; boundary=x", b"--x\0\r\n" + bytes(5000)),
        "in itself": ("multipart/mixed; boundary=x", part + b"--x--\r\n"),
    }
    inbox = await server.call("POST", "/v1/sandbox/inboxes", {})
    bot = re.findall(r"bot=(\d+)", inbox["phone_url"])[0]
    customer = await server.call("POST", "/sandbox/control/customers", {"first_name": "Zoe"})
    doors = (
        "/v1/media?name=a",
        "/v1/conversations",
        "/v1/sessions",
        f"/sandbox/control/bots/{bot}/chats/{customer['id']}/media",
        "/sandbox/telegram/bot1:x/sendPhoto",
    )
    for name, (content_type, body) in forms.items():
        for door in doors:
            answer = await server.http.post(door, content=body, headers={"content-type": content_type})
            assert answer.status_code < 500, (name, door, answer.status_code, answer.text[:200])
            if door.startswith("/v1/media"):
                assert answer.status_code == (431 if len(content_type) > 8000 else 201)
            if answer.status_code == 201:
                assert answer.json()["content_type"] == "application/octet-stream"
    # the bot fetches what the customer sent, meanwhile
    await eventually(lambda: asyncio.sleep(0, not left_of(server)))


async def test_hostile_ranges_get_the_whole_a_part_or_a_refusal(server: Server) -> None:
    data = bytes(range(256)) * 40
    media = (await server.http.post("/v1/media?name=a.bin", content=data)).json()
    path = f"/v1/media/{media['id']}/content"
    cases = {
        "bytes=" + ",".join(["0-0,1-1"] * 1000): 200,
        "bytes=0-,0-,0-": 200,
        "bytes=-18446744073709551617": 200,
        "bytes=18446744073709551616-": 200,
        "bytes=0-18446744073709551616": 200,
        "bytes=999999999999999999-": 416,
        "bytes=0-999999999999999999": 206,
        "bytes=-999999999999999999": 206,
        "bytes=-0": 416,
        "bytes=--5": 200,
        "bytes=5--1": 200,
        "bytes=10-5": 200,
        "bytes=1e3-": 200,
        "bytes=0x10-": 200,
        "bytes= 0-0": 200,
        "bytes": 200,
        "=": 200,
        "": 200,
        "x" * 3_000: 200,
        "x" * 30_000: 431,
        "\x00": 400,
        "\u0661".encode().decode("latin-1"): 200,
    }
    for header, status in cases.items():
        with contextlib.suppress(httpx2.LocalProtocolError):
            answer = await server.http.get(
                path, headers={"range": header.encode("latin-1"), "connection": "close"}
            )
            assert answer.status_code == status, (header[:60], answer.status_code)
            if status == 200:
                assert answer.content == data
            if status == 416:
                assert answer.headers["content-range"] == f"bytes */{len(data)}"
    for name in ("if-range", "if-none-match"):
        answer = await server.http.get(path, headers={name: '"' + "," * 5_000, "range": "bytes=0-0"})
        assert answer.status_code in (200, 206)


async def test_the_corpus_through_a_customers_phone(tmp_path: Path, database_url: str) -> None:
    """What customers send comes by another way, under other kinds, and is as harmless."""
    picked = [sample for sample in CORPUS if sample.data]
    async with open_site(tmp_path, is_webhook=True, DATABASE_URL=database_url) as site:
        chat = await site.bot.make_chat()
        for sample in picked:
            await chat.send_files("document", [(f"{sample.name}\u202e\r\n.html", sample.data, "text/html")])
        for kind, type_, data in (
            ("photo", "image/jpeg", located()),
            ("animation", "video/mp4", samples.HTML),
            ("voice", "audio/ogg", samples.SVG),
            ("sticker", "image/webp", samples.HTML),
            ("video", "video/mp4", samples.PDF + b"<script>"),
        ):
            with contextlib.suppress(AssertionError):  # the stand-in itself may refuse it
                await chat.send_files(kind, [("a.jpg", data, type_)])
        files = await eventually(lambda: _all_fetched(site, len(picked)), 60)
        for file in files:
            media = {**file, "id": file["media_id"]}
            sample = next((one for one in picked if file["name"].startswith(one.name)), picked[0])
            assert file["state"] == "ready", file
            assert "\u202e" not in file["name"]
            await require_harmless(site.server, media, sample)
        assert left_of(site.server) == []
        failed = await site.server.call("GET", "/v1/desk/journal?state=failed&limit=100")
        assert failed["items"] == []
        assert "Traceback" not in site.server.log()


async def _all_fetched(site: Site, at_least: int) -> list[Json]:
    files: list[Json] = []
    for row in await site.server.conversations():
        for message in await site.server.messages(row["id"]):
            files += message["attachments"]
    return files if len(files) >= at_least and all(file["state"] != "pending" for file in files) else []
