"""Files that somebody made to hurt: what they pretend to be, and what they would do where one believes them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any, NamedTuple

from PIL import Image

from tests.media import samples

GPS = b"GPSLatitude"


class Sample(NamedTuple):
    """A file, and what it must be taken for: a kind, and a content type (None: of no kind that is shown)."""

    name: str
    data: bytes
    kind: str
    content_type: str = "application/octet-stream"


def located(kind: str = "JPEG", **options: Any) -> bytes:
    """A picture whose EXIF tells where it was taken, and by whom."""
    exif = Image.Exif()
    exif[0x013B] = GPS.decode() + " of Elm Street"  # Artist
    exif.get_ifd(0x8825).update({1: "N", 2: (55.0, 45.0, 7.0), 3: "E", 4: (37.0, 36.0, 56.0)})
    return samples.picture(kind, exif=exif, **options)


def located_animation(kind: str) -> bytes:
    """A moving picture whose EXIF and XMP tell where it was taken."""
    exif = Image.Exif()
    exif[0x013B] = GPS.decode()
    frames = [Image.new("RGB", (40, 30), (index * 80, 0, 0)) for index in range(3)]
    out = io.BytesIO()
    options: dict[str, Any] = {"xmp": b"<x:xmpmeta>" + GPS} if kind == "WEBP" else {}
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], exif=exif, duration=50, **options)
    return out.getvalue()


def gif_of(frames: int, size: tuple[int, int] = (60_000, 1)) -> bytes:
    """A GIF of very many frames in few bytes."""
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"!\xf9\x04\x04\x01\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * frames + b";"


def apng_of(frames: int) -> bytes:
    """A PNG that announces so many frames and has one."""
    honest = samples.picture("PNG")
    return honest[:33] + samples.png_chunk(b"acTL", struct.pack(">II", frames, 0)) + honest[33:]


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose frame header says how large it is; its data are those of a small one."""
    data = bytearray(samples.picture())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_of(width: int, height: int) -> bytes:
    """A WebP whose canvas is said to be that large."""
    body = (
        b"VP8X"
        + struct.pack("<I", 10)
        + b"\x10\0\0\0"
        + (width - 1).to_bytes(3, "little")
        + (height - 1).to_bytes(3, "little")
    )
    body += samples.picture("WEBP", (8, 8))[12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def icc_bomb() -> bytes:
    """A PNG whose colour profile unpacks to 200 MB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    honest = samples.picture("PNG")
    return honest[:33] + samples.png_chunk(b"iCCP", b"x\0\0" + packed) + honest[33:]


def nested_zip(depth: int = 5) -> bytes:
    """Ten zeros' megabytes, zipped again and again."""
    data = bytes(10_000_000)
    for level in range(depth):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{level}.zip", data)
        data = out.getvalue()
    return data


def zip_that_climbs() -> bytes:
    """A zip whose entries leave their folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../../etc/cron.d/x", "* * * * * root id")
    return out.getvalue()


SCRIPT = b"<script>alert(document.domain)</script>"
SVG_EVENT = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
SVG_FOREIGN = (
    b'<svg xmlns="http://www.w3.org/2000/svg"><foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" '
    b'src="javascript:alert(1)"/></foreignObject></svg>'
)
SVG_ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns='
    b'"http://www.w3.org/2000/svg"><text>&x;</text></svg>'
)
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(10))
    + b"]><l>&k;</l>"
)
MHTML = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n"
    + SCRIPT
)

PICTURE = "image"
CORPUS = [
    # ---- two things at once
    Sample("gif and script", samples.GIF_SCRIPT, "file"),
    Sample("gif and page", samples.picture("GIF") + SCRIPT, "file"),
    Sample("pdf and page", samples.PDF + SCRIPT, "file"),
    Sample("page and pdf", SCRIPT + samples.PDF, "file"),
    Sample("jpeg and zip", samples.picture() + zip_that_climbs(), PICTURE, "image/jpeg"),
    Sample("jpeg and page", samples.picture() + SCRIPT, "file"),
    Sample("jpeg and page far behind", samples.picture() + bytes(20_000) + SCRIPT, PICTURE, "image/jpeg"),
    Sample("png and page", samples.picture("PNG") + b"<html>" + SCRIPT, "file"),
    Sample("png and page far behind", samples.picture("PNG") + bytes(20_000) + SCRIPT, PICTURE, "image/png"),
    Sample("png whose text is a page", samples.picture("PNG")[:33] + samples.png_chunk(b"tEXt", b"c\0" + bytes(9000) + SCRIPT) + samples.picture("PNG")[33:], PICTURE, "image/png"),
    Sample("webp and page", samples.picture("WEBP") + bytes(20_000) + SCRIPT, PICTURE, "image/webp"),
    Sample("mp3 and page", samples.MP3 + SCRIPT, "file"),
    Sample("mp4 and page", samples.MP4 + SCRIPT, "file"),
    Sample("bmp and script", b"BM/*" + bytes(20) + b"*/=1;alert(1)//", "file"),
    # ---- documents that browsers run
    Sample("page", samples.HTML, "file"),
    Sample("page in UTF-16", "\ufeff<script>alert(1)</script>".encode("utf-16-le"), "file"),
    Sample("page in UTF-7", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "file"),
    Sample("page of an archive", MHTML, "file"),
    Sample("xhtml", b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">' + SCRIPT + b"</html>", "file"),
    Sample("xslt", b'<?xml version="1.0"?><?xml-stylesheet href="javascript:alert(1)"?><x/>', "file"),
    Sample("svg with a script", samples.SVG, "file"),
    Sample("svg with an event", SVG_EVENT, "file"),
    Sample("svg with a frame", SVG_FOREIGN, "file"),
    Sample("svg with an outer entity", SVG_ENTITY, "file"),
    Sample("svg packed", zlib.compress(samples.SVG), "file"),
    Sample("a billion laughs", LAUGHS, "file"),
    Sample("script", b"alert(1)", "file"),
    Sample("flash", b"FWS\x0a" + bytes(100), "file"),
    Sample("shortcut", b"[InternetShortcut]\r\nURL=javascript:alert(1)", "file"),
    Sample("program", b"MZ" + bytes(200), "file"),
    # ---- bombs
    Sample("as large as may be", samples.png_of(10_000, 5_000, rows=5_000), PICTURE, "image/png"),
    Sample("50 000 x 50 000 png", samples.png_of(50_000, 50_000), "file"),
    Sample("2^31 x 1 png", samples.png_of(2**31 - 1, 1), "file"),
    Sample("0 x 0 png", samples.png_of(0, 0), "file"),
    Sample("65 000 x 65 000 jpeg", jpeg_of(65_000, 65_000), "file"),
    Sample("16 000 x 16 000 webp", webp_of(16_000, 16_000), "file"),
    Sample("gif of 100 000 frames", gif_of(100_000, (10, 10)), "animation", "image/gif"),
    Sample("gif of 65 535 x 65 535", gif_of(2, (65_535, 65_535)), "file"),
    Sample("png of 2^31 frames", apng_of(2**31 - 1), "animation", "image/png"),
    Sample("300 MB of text in a png", samples.text_bomb_png(), "file"),
    Sample("200 MB of profile in a png", icc_bomb(), "file"),
    Sample("zip in zip in zip", nested_zip(), "file", "application/zip"),
    Sample("zip that climbs", zip_that_climbs(), "file", "application/zip"),
    # ---- broken, and of kinds that are not decoded
    *(Sample(f"half a {kind}", samples.picture(kind, (300, 300))[: 40], "file") for kind in ("JPEG", "PNG", "WEBP", "GIF")),
    Sample("jpeg of zeros", b"\xff\xd8\xff\xe0" + bytes(5000), "file"),
    Sample("png with a wrong sum", samples.picture("PNG")[:40] + b"\xff" + samples.picture("PNG")[41:], "file"),
    Sample("tiff", samples.picture("TIFF"), "file"),
    Sample("ico", samples.picture("ICO"), "file"),
    Sample("bmp", samples.picture("BMP"), "file"),
    Sample("avif", samples.picture("AVIF"), "file", "image/avif"),
    Sample("postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file", "file"),
    Sample("jpeg 2000", samples.picture("JPEG2000"), "file"),
    Sample("imagemagick script", b"push graphic-context\nimage over 0,0 0,0 'https://x\"|id\"'", "file"),
    Sample("playlist that reads files", b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nfile:///etc/passwd", "file"),
    # ---- with a place in them
    Sample("jpeg with a place", located(), PICTURE, "image/jpeg"),
    Sample("png with a place", located("PNG"), PICTURE, "image/png"),
    Sample("webp with a place", located("WEBP"), PICTURE, "image/webp"),
    Sample("moving png with a place", located_animation("PNG"), "animation", "image/png"),
    Sample("moving webp with a place", located_animation("WEBP"), "animation", "image/webp"),
    Sample("nothing", b"", "file"),
    Sample("one byte", b"\xff", "file"),
]  # fmt: skip
NAMES = [
    "../../../etc/passwd",
    "/etc/passwd",
    "..\\..\\boot.ini",
    "C:\\x",
    "a\x00.html",
    "\u202egnp.exe",
    "a\r\nContent-Type: text/html\r\n\r\n<script>",
    'a"; filename="x.html',
    "CON",
    "nul.txt",
    ".htaccess",
    "..",
    ".",
    "",
    " ",
    "x" * 1000,
    "ё" * 1000,
    "\U0001f600" * 400 + ".html",
    "a.html",
    "a.svg",
    "%2e%2e%2fx",
    "a;b=c",
    "\u2028\u2029\u0085",
    "a/b/c/",
    "<img src=x onerror=alert(1)>.png",
    "\ufffe\uffff",
]
