"""Pictures are decoded in a child that may die without harm, and come back as nothing but pictures."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from parley.infra.blobs import Blobs, open_blobs
from parley.infra.settings import Settings
from parley.media.pictures import Pictures, Rendered
from tests.media import samples

pytestmark = pytest.mark.anyio

SOURCE, THUMBNAIL, PICTURE = "w/m/content", "w/m/thumbnail", "w/m/picture"


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return open_blobs(Settings(data_dir=tmp_path))


async def render(pictures: Pictures, blobs: Blobs, data: bytes) -> Rendered | None:
    stored = await blobs.put_stream(SOURCE, samples.pieces(data), limit_bytes=100_000_000)
    return await pictures.render(
        blobs, SOURCE, stored.size_bytes, thumbnail_key=THUMBNAIL, picture_key=PICTURE
    )


async def load(blobs: Blobs, key: str) -> Image.Image:
    image = Image.open(io.BytesIO(b"".join([chunk async for chunk in blobs.open(key)])))
    image.load()
    return image


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "1"),
        ("PNG", "LA"), ("PNG", "I;16"), ("WEBP", "RGB"), ("WEBP", "RGBA"), ("GIF", "P"),
    ],
)  # fmt: skip
async def test_a_picture_of_any_mode_is_rendered(
    pictures: Pictures, blobs: Blobs, kind: str, mode: str
) -> None:
    data = samples.picture(kind, (1000, 500), "L" if mode == "I;16" else mode)
    if mode == "I;16":
        out = io.BytesIO()
        Image.new("I;16", (1000, 500), 40_000).save(out, "PNG")
        data = out.getvalue()
    rendered = await render(pictures, blobs, data)
    assert rendered is not None
    assert (rendered.width, rendered.height, rendered.content_type) == (1000, 500, f"image/{kind.lower()}")
    assert (rendered.thumbnail_width, rendered.thumbnail_height) == (480, 240)
    thumbnail = await load(blobs, THUMBNAIL)
    assert (thumbnail.format, thumbnail.size) == ("WEBP", (480, 240))
    picture = await load(blobs, PICTURE)
    assert (picture.format, picture.size) == (kind, (1000, 500))


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_turned_picture_is_stored_upright(pictures: Pictures, blobs: Blobs, orientation: int) -> None:
    rendered = await render(pictures, blobs, samples.turned(orientation))
    assert rendered is not None
    size = (48, 64) if orientation >= 5 else (64, 48)
    assert (rendered.width, rendered.height) == size
    picture = await load(blobs, PICTURE)
    thumbnail = await load(blobs, THUMBNAIL)
    assert picture.size == thumbnail.size == size
    # where the red half of the stored pixels is to be seen, by EXIF 2.32 4.6.4: left, right, top or bottom
    red_at = {
        1: (2, 24),
        2: (61, 24),
        3: (61, 24),
        4: (2, 24),
        5: (24, 2),
        6: (24, 2),
        7: (24, 61),
        8: (24, 61),
    }
    for image in (picture, thumbnail):
        red, _, blue = image.convert("RGB").getpixel(red_at[orientation])  # type: ignore[misc]
        assert red > 200 > blue


async def test_nothing_that_the_camera_or_the_sender_wrote_is_kept(pictures: Pictures, blobs: Blobs) -> None:
    data = samples.turned(6, secret="lives at 5 Elm Street") + b"behind the end: <script>"
    assert await render(pictures, blobs, data) is not None
    for key in (PICTURE, THUMBNAIL):
        raw = b"".join([chunk async for chunk in blobs.open(key)])
        assert b"Elm" not in raw
        assert b"Exif" not in raw
        assert b"script" not in raw


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
async def test_comments_and_texts_are_not_kept(pictures: Pictures, blobs: Blobs, kind: str) -> None:
    options: dict[str, Any] = (
        {"comment": b"Elm"} if kind == "GIF" else {"xmp": b"<x:xmpmeta>Elm", "icc_profile": b"Elm" * 50}
    )
    assert await render(pictures, blobs, samples.picture(kind, **options)) is not None
    raw = b"".join([chunk async for chunk in blobs.open(PICTURE)])
    assert b"Elm" not in raw


async def test_huge_exif_is_no_obstacle(pictures: Pictures, blobs: Blobs) -> None:
    segment = b"\xff\xe1\xff\xffExif\0\0MM\0*\0\0\0\x08\xff\xff" + os.urandom(65_535 - 18)
    honest = samples.picture()
    data = honest[:2] + segment * 40 + honest[2:]
    rendered = await render(pictures, blobs, data)
    assert rendered is not None
    assert rendered.picture is not None
    assert rendered.picture.size_bytes < 10_000


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
async def test_an_animation_gets_a_thumbnail_and_is_not_encoded_anew(
    pictures: Pictures, blobs: Blobs, kind: str
) -> None:
    rendered = await render(pictures, blobs, samples.animation(kind))
    assert rendered is not None
    assert rendered.is_animated
    assert rendered.picture is None
    assert (await load(blobs, THUMBNAIL)).size == (40, 30)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        samples.picture(size=(400, 400))[:-900],
        samples.picture("PNG")[:60],
        samples.picture("WEBP")[:60],
        samples.GIF_SCRIPT,
        samples.png_of(50_000, 50_000),
        samples.png_of(7_100, 7_100, rows=7_100),
        samples.png_of(2**31 - 1, 1),
        samples.text_bomb_png(),
        samples.picture("TIFF"),
        samples.picture("PPM"),
        samples.SVG,
    ],
    ids=[
        "nothing", "a mark", "cut jpeg", "cut png", "cut webp", "script", "50k x 50k", "50 MP and a bit", "a line",
        "text bomb", "tiff", "ppm", "svg",
    ],
)  # fmt: skip
async def test_what_is_broken_or_too_large_is_no_picture_and_the_next_one_is(
    pictures: Pictures, blobs: Blobs, data: bytes
) -> None:
    assert await render(pictures, blobs, data) is None
    assert await render(pictures, blobs, samples.picture()) is not None


async def test_a_picture_at_the_limit_is_rendered(pictures: Pictures, blobs: Blobs) -> None:
    rendered = await render(pictures, blobs, samples.png_of(10_000, 5_000, rows=5_000))
    assert rendered is not None
    assert (rendered.width, rendered.height) == (10_000, 5_000)


async def test_a_killed_child_is_replaced(pictures: Pictures, blobs: Blobs) -> None:
    assert await render(pictures, blobs, samples.picture()) is not None
    process = pictures._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert await render(pictures, blobs, samples.picture()) is not None


async def test_a_child_that_takes_too_long_is_killed(blobs: Blobs) -> None:
    impatient = Pictures(timeout_seconds=0.0001)
    assert await render(impatient, blobs, samples.picture()) is None
    assert impatient._process is None


async def test_the_child_has_few_rights(pictures: Pictures, blobs: Blobs) -> None:
    assert await render(pictures, blobs, samples.picture()) is not None
    assert pictures._process is not None
    place = Path(f"/proc/{pictures._process.pid}")
    limits = {line[:26].strip(): line[26:].split()[0] for line in (place / "limits").read_text().splitlines()}
    assert limits["Max address space"] == str(1 << 30)
    assert limits["Max file size"] == "0"
    assert int(limits["Max cpu time"]) <= 60
    assert (place / "environ").read_bytes().count(b"=") <= 1  # what the interpreter sets itself
    assert not any(
        str(link.readlink()).startswith("socket:") and int(link.name) > 2 for link in (place / "fd").iterdir()
    )
    assert os.getpriority(os.PRIO_PROCESS, pictures._process.pid) >= 10
