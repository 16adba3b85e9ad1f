"""Recordings to try voice notes with, made by FFmpeg's libraries: a quiet half, then a loud one."""

from __future__ import annotations

import io
import math
from array import array
from typing import Any

import av

RATE = 48_000
CODECS = {"ogg": "libopus", "webm": "libopus", "mp3": "libmp3lame", "mp4": "aac", "wav": "pcm_s16le"}
"""Containers by FFmpeg's names, with what browsers and telephones put into them."""


def record(container: str, seconds: float, *, with_film: bool = False) -> bytes:
    """Return a recording of this length: a tone, ten times louder in its second half."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        sound: Any = file.add_stream(CODECS[container], rate=RATE)
        film: Any = file.add_stream("mpeg4", rate=10) if with_film else None
        if film is not None:
            film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
            for _ in range(5):
                file.mux(film.encode(av.VideoFrame(32, 32, "yuv420p")))
            file.mux(film.encode(None))
        count = int(seconds * RATE)
        for start in range(0, count, 960):
            frame = av.AudioFrame("s16", "mono", min(960, count - start))
            frame.planes[0].update(_padded(_tone(start, frame.samples, count), frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts = RATE, start
            file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return out.getvalue()


def _tone(start: int, count: int, total: int) -> bytes:
    samples = range(start, start + count)
    return array(
        "h", [int(math.sin(n * 0.06) * (2000 if n < total / 2 else 20_000)) for n in samples]
    ).tobytes()


def _padded(data: bytes, size: int) -> bytes:
    return data.ljust(size, b"\0")[:size]
