"""The program that decodes pictures and sounds: a child process of its own, poor in rights, that may be killed at any time.

Started by its path (`parley.media.pictures`), so it imports nothing of Parley, but the standard library, Pillow and,
for the first sound, PyAV. It speaks over its standard input and output, one file after another:

    request:  length (4 bytes, big-endian), JSON {"size_bytes", "has_picture", "sound": type|null}, the file's bytes
    answer:   length, JSON {"refused": reason}
           or length, JSON {"content_type", "width", "height", "is_animated", "thumbnail": Part, "picture": Part|null},
              the thumbnail's bytes, the picture's bytes       Part = {"width", "height", "size_bytes"}
           or, of a sound, length, JSON {"duration_seconds", "waveform", "has_film"}

``picture`` is the file encoded anew: upright, in sRGB, without EXIF, comments or anything behind its end. Of an
animation it is the file itself without EXIF and texts, null when it has none.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import resource
import struct
import sys
import warnings
from array import array
from collections.abc import Iterator
from typing import Any, BinaryIO

from PIL import Image, ImageCms, PngImagePlugin

MAX_PIXELS = 50_000_000
"""Pixels that are decoded at the most: 200 MB at four bytes each, twice that while one is turned."""

THUMBNAIL_PIXELS = 480
"""Longest side of a thumbnail."""

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 30
"""For one file."""

_FORMATS = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
_ORIENTATION = 0x0112  # EXIF 2.32, table 4
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAX_PROFILE = 1 << 20
_PNG_WORDS = (b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME")
_WEBP_WORDS_FLAGS = 0x0C  # of VP8X: EXIF, XMP


SOUND_FORMATS = {
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "mp4",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "audio/webm": "matroska",
    "video/webm": "matroska",
    "audio/wav": "wav",
}
"""FFmpeg's reader for each type that was found by content: never one that it would guess, which could open other files."""
MAX_SOUND_SECONDS = 3600
"""Longer sounds are not decoded to their end, and so have no waveform."""
BARS = 100
BAR_HEIGHT = 31
_RATE = 8000
_WINDOW = 160  # samples, 20 ms
_SILENCE = 64  # of 32 768: below this all of it is noise of the recorder


class Refused(Exception):
    """The file is not a picture or sound that we decode."""


def render(data: bytes, *, has_picture: bool) -> tuple[dict[str, Any], list[bytes]]:
    """Decode a picture; return the answer's header and the parts behind it.

    ``has_picture``: whether the picture is wanted too.
    Raises: Refused, or whatever Pillow raises over a broken file.
    """
    image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "GIF"))
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Refused("too many pixels")
    content_type = _FORMATS[image.format or ""]
    is_animated = image.format in ("GIF", "PNG", "WEBP") and bool(getattr(image, "is_animated", False))
    image.seek(0)
    turn = _TURNS.get(_read_orientation(image))
    if not has_picture or is_animated:
        image.draft("RGB", (THUMBNAIL_PIXELS * 2, THUMBNAIL_PIXELS * 2))
    upright = _decode(image, turn)
    is_sideways = turn is not None and turn.value in (2, 4, 5, 6)
    size = (height, width) if is_sideways else (width, height)
    answer: dict[str, Any] = {"content_type": content_type, "width": size[0], "height": size[1]}
    parts = []
    picture = None
    if has_picture and not is_animated:
        encoded = _encode_picture(upright, content_type, is_lossless=data[12:16] == b"VP8L")
        picture = {"width": size[0], "height": size[1], "size_bytes": len(encoded)}
        parts.append(encoded)
    elif has_picture:
        bare = strip_words(data, content_type)
        if len(bare) != len(data):
            picture = {"width": size[0], "height": size[1], "size_bytes": len(bare)}
            parts.append(bare)
    thumbnail, encoded = _encode_thumbnail(upright)
    parts.insert(0, encoded)
    return {**answer, "is_animated": is_animated, "thumbnail": thumbnail, "picture": picture}, parts


def strip_words(data: bytes, content_type: str) -> bytes:
    """Return an animated PNG or WebP without its EXIF, XMP and texts, and without what stands behind its end.

    A GIF is returned as it is: it has no EXIF. Raises: struct.error, when the file is cut.
    Sources: the PNG specification, 3rd edition, 5.3; the WebP container specification, "Extended file format".
    """
    if content_type == "image/png":
        kept, at = [data[:8]], 8
        while data[at + 4 : at + 8] not in (b"IEND", b""):
            end = at + 12 + struct.unpack_from(">I", data, at)[0]
            if data[at + 4 : at + 8] not in _PNG_WORDS:
                kept.append(data[at:end])
            at = end
        return b"".join([*kept, data[at : at + 12]])
    if content_type == "image/webp":
        kept, at = [], 12
        while at < min(len(data), struct.unpack_from("<I", data, 4)[0] + 8):
            size = struct.unpack_from("<I", data, at + 4)[0]
            chunk = data[at : at + 8 + size + size % 2]
            if chunk[:4] == b"VP8X":
                chunk = chunk[:8] + bytes([chunk[8] & ~_WEBP_WORDS_FLAGS]) + chunk[9:]
            if chunk[:4] not in (b"EXIF", b"XMP "):
                kept.append(chunk)
            at += 8 + size + size % 2
        body = b"WEBP" + b"".join(kept)
        return b"RIFF" + struct.pack("<I", len(body)) + body
    return data


def _read_orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF of any shape: the picture is taken as upright
        return 1


def _decode(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    image.load()
    profile = image.info.get("icc_profile")
    transparency = image.info.get("transparency")
    upright = image if turn is None else image.transpose(turn)
    upright = _convert_colours(upright, profile)
    # nothing of the file's own words (comments, EXIF, XMP, profiles) goes into what is encoded
    upright.info = {} if transparency is None else {"transparency": transparency}
    return upright


def _convert_colours(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode not in ("RGB", "CMYK"):
        return image
    if profile and len(profile) <= _MAX_PROFILE and b"sRGB" not in profile and b"s\0R\0G\0B" not in profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None  # a broken profile: the colours as they are
        if converted is not None:
            return converted
    return image.convert("RGB") if image.mode == "CMYK" else image


def _encode_picture(image: Image.Image, content_type: str, *, is_lossless: bool) -> bytes:
    out = io.BytesIO()
    if content_type == "image/jpeg":
        image.save(out, "JPEG", quality=90)
    elif content_type == "image/webp":
        image.save(out, "WEBP", quality=90, method=2, lossless=is_lossless)
    elif content_type == "image/gif":
        image.save(out, "GIF")
    else:
        image.save(out, "PNG", compress_level=5)
    return out.getvalue()


def _encode_thumbnail(image: Image.Image) -> tuple[dict[str, int], bytes]:
    """Shrink the picture, in place where its mode allows, and return the thumbnail as WebP."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    is_transparent = "transparency" in image.info or image.mode in ("LA", "PA", "RGBA", "La", "RGBa")
    small = (
        image
        if image.mode in ("RGB", "RGBA") and "transparency" not in image.info
        else image.convert("RGBA" if is_transparent else "RGB")
    )
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=80, method=4)
    encoded = out.getvalue()
    return {"width": small.width, "height": small.height, "size_bytes": len(encoded)}, encoded


def measure(data: bytes, content_type: str) -> dict[str, Any]:
    """Decode a sound; return how long it really is, and the heights of its bars: the loudest moment of each stretch.

    Raises: Refused, or whatever PyAV raises over a broken file.
    """
    import av  # 40 MB that pictures do not need

    with av.open(io.BytesIO(data), format=SOUND_FORMATS[content_type]) as container:
        if not container.streams.audio:
            raise Refused("no sound in it")
        peaks: list[int] = []
        count, left = 0, array("h")
        for samples in _read_samples(av, container):
            count += len(samples)
            left += samples
            whole = len(left) - len(left) % _WINDOW
            peaks += [_find_peak(left[start : start + _WINDOW]) for start in range(0, whole, _WINDOW)]
            left = left[whole:]
            if count > MAX_SOUND_SECONDS * _RATE:
                raise Refused("too long")
        if left:
            peaks.append(_find_peak(left))
        if not count:
            raise Refused("no sound in it")
        return {
            "duration_seconds": round(count / _RATE, 2),
            "waveform": _draw_bars(peaks),
            "has_film": any(not _is_cover(stream) for stream in container.streams.video),
        }


def _find_peak(window: array[int]) -> int:
    highest, lowest = max(window), min(window)
    return max(highest, -lowest)


def _read_samples(av: Any, container: Any) -> Iterator[array[int]]:
    """Yield what is heard, in one channel of 16 bits."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    stream = container.streams.audio[0]
    stream.thread_type = "NONE"
    frames = (made for frame in container.decode(stream) for made in resampler.resample(frame))
    for frame in frames:
        yield _samples_of(frame)
    for frame in resampler.resample(None):
        yield _samples_of(frame)


def _samples_of(frame: Any) -> array[int]:
    """A plane may be longer than the samples in it."""
    return array("h", bytes(frame.planes[0])[: frame.samples * 2])


def _is_cover(stream: Any) -> bool:
    return stream.codec_context is not None and stream.codec_context.name in ("mjpeg", "png", "bmp", "gif")


def _draw_bars(peaks: list[int]) -> list[int]:
    bars = min(BARS, len(peaks))
    highest = max(peaks)
    if highest < _SILENCE:
        return [0] * bars
    edges = [len(peaks) * n // bars for n in range(bars + 1)]
    return [round(max(peaks[start:end]) / highest * BAR_HEIGHT) for start, end in itertools.pairwise(edges)]


def _answer(data: bytes, *, has_picture: bool, sound: str | None) -> tuple[dict[str, Any], list[bytes]]:
    try:
        if sound is not None:
            return measure(data, sound), []
        return render(data, has_picture=has_picture)
    except Refused as error:
        return {"refused": str(error)}, []
    except Exception as error:  # noqa: BLE001 - a hostile file makes the libraries raise anything; all mean: nothing in it
        return {"refused": type(error).__name__}, []


def _limit_rights() -> None:
    """Take from this process what decoding does not need: memory, files to write, priority."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _allow_cpu(seconds: int) -> None:
    """Let the process use so many seconds more from now; beyond them the kernel kills it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    while len(prefix := requests.read(4)) == 4:
        request = json.loads(requests.read(struct.unpack(">I", prefix)[0]))
        data = requests.read(request["size_bytes"])
        _allow_cpu(CPU_SECONDS)
        answer, parts = _answer(data, has_picture=request["has_picture"], sound=request["sound"])
        header = json.dumps(answer).encode()
        answers.write(struct.pack(">I", len(header)) + header)
        answers.writelines(parts)
        answers.flush()
        del data, parts


def main() -> None:
    """Serve requests until the parent closes our input."""
    _limit_rights()
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    PngImagePlugin.MAX_TEXT_MEMORY = 1 << 22
    # whatever a library prints must not land between our answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
