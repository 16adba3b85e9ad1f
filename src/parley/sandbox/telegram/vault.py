"""The bytes of files: on disk beside the state, typed by content where that matters."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from parley.sandbox.telegram.errors import BotApiError, bad_request

PHOTO_LIMIT_BYTES = 10 * 1024 * 1024
PHOTO_SIDES_LIMIT = 10_000
PHOTO_RATIO_LIMIT = 20
PHOTO_SIZES = (90, 320, 800, 1280)
THUMBNAIL_SIDE = 320


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG in the vault."""

    blob: str
    width: int
    height: int
    size_bytes: int


class Vault:
    """A directory of blobs with random names, and one of uploads on their way in."""

    def __init__(self, directory: Path) -> None:
        self.incoming = directory / "incoming"
        self._blobs = directory / "blobs"
        for path in (directory, self.incoming, self._blobs):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in self.incoming.iterdir():
            left_over.unlink()

    def path(self, blob: str) -> Path:
        """Where a blob lies."""
        return self._blobs / blob

    def keep(self, incoming: Path) -> str:
        """Take an upload in and return its blob's name. The same upload may be kept again, under another name."""
        blob = secrets.token_hex(16)
        os.link(incoming, self._blobs / blob)
        return blob

    def keep_photo(self, incoming: Path) -> list[Picture]:
        """The sizes that Telegram makes of a photo, each re-encoded, the largest last. Slow: call it in a thread.

        Raises: BotApiError where Telegram refuses the picture.
        """
        with _open_picture(incoming) as source:
            width, height = source.size
            if width + height > PHOTO_SIDES_LIMIT or max(width, height) > PHOTO_RATIO_LIMIT * min(
                width, height
            ):
                raise bad_request("PHOTO_INVALID_DIMENSIONS")
            try:
                full = _flatten(source)
            except (OSError, ValueError, SyntaxError) as error:
                raise bad_request("IMAGE_PROCESS_FAILED") from error
        sides = [side for side in PHOTO_SIZES if side < max(full.size)] + [
            min(max(full.size), PHOTO_SIZES[-1])
        ]
        return [self._keep_jpeg(full, side) for side in dict.fromkeys(sides)]

    def keep_thumbnail(self, source: Path) -> Picture | None:
        """A small JPEG of a picture; None when the file is none. Slow: call it in a thread."""
        try:
            with _open_picture(source) as picture:
                if sum(picture.size) > PHOTO_SIDES_LIMIT:
                    return None
                return self._keep_jpeg(_flatten(picture), THUMBNAIL_SIDE)
        except (BotApiError, OSError, ValueError, SyntaxError):
            return None

    def _keep_jpeg(self, picture: Image.Image, side: int) -> Picture:
        small = picture.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        blob = secrets.token_hex(16)
        small.save(self._blobs / blob, "JPEG", quality=87)
        return Picture(blob, *small.size, self.path(blob).stat().st_size)


def _open_picture(path: Path) -> Image.Image:
    """Raises: BotApiError when the file is no picture, or one that bursts when unpacked."""
    try:
        return Image.open(path)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise bad_request("IMAGE_PROCESS_FAILED") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise bad_request("PHOTO_INVALID_DIMENSIONS") from error


def _flatten(source: Image.Image) -> Image.Image:
    """Upright, without transparency, at most 1280 pixels: what a JPEG of Telegram holds."""
    source.draft("RGB", (PHOTO_SIZES[-1], PHOTO_SIZES[-1]))
    picture = ImageOps.exif_transpose(source)
    if "A" in picture.getbands() or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        picture = Image.new("RGBA", layered.size, "white")
        picture.alpha_composite(layered)
    picture = picture.convert("RGB")
    picture.thumbnail((PHOTO_SIZES[-1], PHOTO_SIZES[-1]), Image.Resampling.LANCZOS)
    return picture
