"""Files to try media with: honest ones, and those that somebody made to hurt."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator
from typing import Any

from PIL import Image

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><script>alert(1)</script>"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"
MP4 = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(500)
MOV = b"\0\0\0\x14ftypqt  \0\0\x02\0qt  " + bytes(500)
M4A = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + bytes(500)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)
OGG = b"OggS\0\x02" + bytes(22) + b"OpusHead\x01\x01" + bytes(100)
MP3 = b"\xff\xfb\x90\x64" + bytes(413)
MP3_WITH_TAG = b"ID3\x04\0\0\0\0\0\x0a" + bytes(100)
WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(100)
WEBM = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm" + bytes(60) + b"V_VP9" + bytes(100)
WEBM_SOUND = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm" + bytes(60) + b"A_OPUS" + bytes(100)
MATROSKA = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska" + bytes(100)
GIF_SCRIPT = b"GIF89a/*" + bytes(10) + b"*/=1;alert(document.domain)//"


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any) -> bytes:
    """An honest picture: its left half red, its right half blue."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **options)
    return out.getvalue()


def turned(orientation: int, size: tuple[int, int] = (64, 48), secret: str = "") -> bytes:
    """A JPEG whose EXIF asks for a turn, and tells who made it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = secret  # ImageDescription
    return picture(size=size, exif=exif)


def animation(kind: str = "GIF", frames: int = 3) -> bytes:
    """A moving picture."""
    images = [Image.new("RGB", (40, 30), (index * 80, 0, 0)) for index in range(frames)]
    out = io.BytesIO()
    images[0].save(out, kind, save_all=True, append_images=images[1:], duration=100)
    return out.getvalue()


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int, rows: int = 1) -> bytes:
    """A grey PNG that says how large it is, and carries so many rows of it."""
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(width + 1)) for _ in range(rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    )


def text_bomb_png() -> bytes:
    """A small PNG whose compressed text unpacks to 300 MB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    honest = picture("PNG")
    return honest[:33] + png_chunk(b"zTXt", b"bomb\0\0" + packed) + honest[33:]


def office(folder: str = "word") -> bytes:
    """What an office program writes, as far as it tells the type."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{folder}/document.xml", "<w/>")
    return out.getvalue()


def open_document() -> bytes:
    """What LibreOffice writes: the type first, not compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", "<o/>")
    return out.getvalue()


async def pieces(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    """The bytes as a stream."""
    for at in range(0, len(data), size):
        yield data[at : at + size]
