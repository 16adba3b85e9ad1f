"""Media of a message: taken from an upload, an address or a known `file_id`, kept, and described as Telegram does.

Source: core.telegram.org/bots/api#sending-files.
"""

import asyncio
import mimetypes
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2

from parley.sandbox.forms import Upload
from parley.sandbox.telegram.call import Call, require_upload_size
from parley.sandbox.telegram.errors import bad_request
from parley.sandbox.telegram.rows import StoredFile
from parley.sandbox.telegram.vault import PHOTO_LIMIT_BYTES, Picture
from parley.sandbox.telegram.world import World

URL_LIMIT_BYTES = 20 * 1024 * 1024
_FOLDERS = {
    "photo": "photos", "document": "documents", "video": "videos", "audio": "music", "voice": "voice",
    "animation": "animations", "sticker": "stickers", "video_note": "video_notes", "thumbnail": "thumbnails",
}  # fmt: skip
_ID_PREFIXES = {
    "photo": "AgAC", "document": "BQAC", "video": "BAAC", "audio": "CQAC", "voice": "AwAC", "animation": "CgAC",
    "sticker": "CAAC", "video_note": "DQAC", "thumbnail": "AAMC",
}  # fmt: skip
_NUMBERS: dict[str, tuple[str, ...]] = {
    "video": ("width", "height", "duration"), "animation": ("width", "height", "duration"), "audio": ("duration",),
    "voice": ("duration",), "video_note": ("length", "duration"), "sticker": ("width", "height"),
}  # fmt: skip
_NAMED = ("document", "video", "audio", "animation")
_DEFAULT_TYPES = {"voice": "audio/ogg", "video": "video/mp4", "audio": "audio/mpeg", "animation": "video/mp4"}


async def take_media(
    call: Call, kind: str, source: str, field: str, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The part of a Message that media of this kind fills, e.g. {"photo": [...]}.

    `source` is what the caller gave (attach://, address, file_id), `field` the form field that may hold the file
    itself, `facts` the other parameters (duration, title, thumbnail ...). Raises: BotApiError.
    """
    upload = call.form.upload(source.removeprefix("attach://") if source.startswith("attach://") else field)
    if upload is None and not source:
        raise bad_request(f"there is no {kind.replace('_', ' ')} in the request")
    if upload is None and source.startswith("attach://"):
        raise bad_request("wrong file identifier/HTTP URL specified")
    if upload is None and source.lower().startswith(("http://", "https://")):
        upload = await _download(call, source)
    if upload is None:
        return known_media(call.world, call.bot.id, kind, source)
    thumbnail = facts.get("thumbnail")
    small = (
        call.form.upload(str(thumbnail).removeprefix("attach://"))
        if thumbnail
        else call.form.upload("thumbnail")
    )
    return await keep_media(call.world, call.bot.id, kind, require_upload_size(upload), facts, small)


async def keep_media(
    world: World,
    bot_id: int,
    kind: str,
    upload: Upload,
    facts: Mapping[str, Any],
    thumbnail: Upload | None = None,
) -> dict[str, Any]:
    """Keep an upload as a file of this bot and describe it. Raises: BotApiError for a broken picture."""
    if kind == "photo":
        if upload.size_bytes > PHOTO_LIMIT_BYTES:
            raise bad_request("file is too big")
        pictures = await asyncio.to_thread(world.vault.keep_photo, upload.path)
        return {"photo": _keep_pictures(world, bot_id, "photo", pictures)}
    shape: dict[str, Any] = {name: max(0, _whole(facts.get(name))) for name in _NUMBERS.get(kind, ())}
    shape |= {
        name: str(facts[name])[:256] for name in ("performer", "title") if kind == "audio" and facts.get(name)
    }
    if kind in _NAMED:
        shape["file_name"] = upload.name
    if kind == "sticker":
        shape |= {"type": "regular", "is_animated": False, "is_video": False}
        shape |= {"width": shape["width"] or 512, "height": shape["height"] or 512}
    elif kind != "video_note":
        shape["mime_type"] = _mime_type(upload, kind)
    preview = thumbnail or (upload if kind == "document" else None)
    picture = await asyncio.to_thread(world.vault.keep_thumbnail, preview.path) if preview else None
    if picture is not None:
        shape["thumbnail"] = _keep_pictures(world, bot_id, "thumbnail", [picture])[0]
    shape["file_size"] = upload.size_bytes
    blob = world.vault.keep(upload.path)
    suffix = mimetypes.guess_extension(shape.get("mime_type", "")) or ""
    described = _keep_file(world, bot_id, kind, blob, shape, secrets.token_hex(8), suffix)
    return {"animation": described, "document": described} if kind == "animation" else {kind: described}


def known_media(world: World, bot_id: int, kind: str, file_id: str) -> dict[str, Any]:
    """The media of a `file_id` that this bot knows. Raises: BotApiError."""
    file = world.store.find_file(bot_id, file_id)
    if file is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    if file.kind != kind and not (kind == "document" and file.kind == "animation"):
        names = (file.kind.replace("_", " ").title(), kind.replace("_", " ").title())
        raise bad_request(f"can't use file of type {names[0]} as {names[1]}")
    if kind == "photo":
        return {"photo": [one.shape for one in world.store.list_file_set(file.set_id)]}
    return (
        {"animation": file.shape, "document": file.shape} if file.kind == "animation" else {kind: file.shape}
    )


def _keep_pictures(world: World, bot_id: int, kind: str, pictures: list[Picture]) -> list[dict[str, Any]]:
    set_id = secrets.token_hex(8)
    return [
        _keep_file(
            world, bot_id, kind, picture.blob,
            {"width": picture.width, "height": picture.height, "file_size": picture.size_bytes}, set_id, ".jpg",
        )
        for picture in pictures
    ]  # fmt: skip


def _keep_file(
    world: World, bot_id: int, kind: str, blob: str, shape: dict[str, Any], set_id: str, suffix: str
) -> dict[str, Any]:
    file_id = _ID_PREFIXES[kind] + secrets.token_urlsafe(45)
    with world.store.transaction():
        file_path = f"{_FOLDERS[kind]}/file_{world.store.next_number('file')}{suffix}"
        described = {"file_id": file_id, "file_unique_id": "AQAD" + secrets.token_urlsafe(9), **shape}
        world.store.add_file(bot_id, StoredFile(file_id, kind, set_id, file_path, blob, described))
    return described


def _mime_type(upload: Upload, kind: str) -> str:
    guessed = mimetypes.guess_type(upload.name)[0]
    sent = upload.content_type if "/" in upload.content_type else ""
    if kind in _DEFAULT_TYPES and sent.split("/")[0] not in ("audio", "video"):
        sent = ""
    sent = "" if sent == "application/octet-stream" else sent
    return sent or guessed or _DEFAULT_TYPES.get(kind, "application/octet-stream")


def _whole(value: Any) -> int:
    try:
        return int(float(value or 0)) % 10**9
    except (TypeError, ValueError, OverflowError):
        return 0


async def _download(call: Call, url: str) -> Upload:
    """Telegram fetches addresses itself; the stand-in only from hosts that it may reach."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise bad_request("wrong HTTP URL specified") from error
    if not call.world.is_reachable(host):
        raise bad_request("failed to get HTTP URL content")
    name = unquote(parts.path.rsplit("/", 1)[-1])[:120] or "file"
    upload = Upload(name, "", call.world.vault.incoming / secrets.token_hex(16))
    call.form.uploads.setdefault(f"\0{url}", []).append(upload)
    try:
        async with call.world.fetch.stream("GET", url, timeout=20) as answer:
            if answer.status_code != 200:
                raise bad_request("failed to get HTTP URL content")
            upload.content_type = answer.headers.get("content-type", "").split(";")[0].strip().lower()
            with upload.path.open("xb") as target:
                async for piece in answer.aiter_bytes():
                    upload.size_bytes += target.write(piece)
                    if upload.size_bytes > URL_LIMIT_BYTES:
                        raise bad_request("file is too big")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise bad_request("failed to get HTTP URL content") from error
    return upload
