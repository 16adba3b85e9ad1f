"""When a file came into being on its filesystem: the one mark of it that no copy carries along."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_AT_FDCWD = -100
_STATX_BTIME = 0x800
_BTIME_OFFSET = 80
"""`stx_btime` in struct statx: seconds (64 bits), nanoseconds (32 bits); statx(2)."""


def birth_ns(path: Path) -> int | None:
    """Return when the file was made, in nanoseconds; None where system or filesystem do not say.

    It stays through writes, chmod, chown, hard links and renames, and is another one in every copy.
    Raises: FileNotFoundError.
    """
    told = getattr(path.stat(), "st_birthtime_ns", None) or getattr(path.stat(), "st_birthtime", None)
    if told is not None:
        return int(told if isinstance(told, int) else told * 1_000_000_000)
    try:
        statx = ctypes.CDLL(None).statx
    except (AttributeError, OSError):
        return None  # no Linux, or a C library without it
    buffer = ctypes.create_string_buffer(256)
    if statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, buffer) != 0:
        return None
    (mask,) = struct.unpack_from("I", buffer, 0)
    seconds, nanoseconds = struct.unpack_from("qI", buffer, _BTIME_OFFSET)
    return seconds * 1_000_000_000 + nanoseconds if mask & _STATX_BTIME else None
