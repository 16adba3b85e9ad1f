"""REST of files: upload as a stream, download by range, thumbnails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import InternalServerException
from litestar.params import FromPath, FromQuery, QueryParameter, SkipValidation
from litestar.response import Stream

from parley.accounts import Caller
from parley.infra.http import error_body
from parley.infra.runtime import Runtime
from parley.kit.ids import parse_id
from parley.media import receiving
from parley.media.attachments import Media, MediaAccess, object_key, thumbnail_key
from parley.media.errors import MediaNotFound, MediaNotReady, UploadInterrupted
from parley.media.pictures import Pictures
from parley.media.schemas import MediaJson, to_json
from parley.media.serving import content_headers, entity_tag, is_known, parse_range, thumbnail_headers

_TAGS = ["Media"]
_Runtime = NamedDependency[Runtime]
_Caller = NamedDependency[Caller]
_Pictures = NamedDependency[SkipValidation[Pictures]]
_Access = NamedDependency[SkipValidation[MediaAccess]]
_Name = Annotated[str, QueryParameter(max_length=1000, description="The file's name, with its ending.")]


@post("/v1/media", tags=_TAGS, operation_id="upload_media", request_max_body_size=None)
async def upload_media(
    request: Request[Any, Any, Any],
    runtime: _Runtime,
    caller: _Caller,
    pictures: _Pictures,
    name: _Name = "",
    kind: Annotated[
        Literal["voice"] | None, QueryParameter(description="voice: a recording, shown with its waveform.")
    ] = None,
) -> MediaJson:
    """Upload a file: the body is its bytes. What it is, is found from them; the type that is sent is not looked at.

    With `kind=voice` a sound becomes a voice note: how long it is and its waveform are found here.
    """
    media = await receiving.store_upload(
        runtime,
        caller,
        pictures=pictures,
        name=name,
        chunks=_read_body(request),
        size_bytes=request.content_length,
        is_voice=kind == "voice",
    )
    return to_json(media)


@get("/v1/media/{media_id:str}", tags=_TAGS, operation_id="get_media")
async def get_media(
    runtime: _Runtime, caller: _Caller, media_access: _Access, media_id: FromPath[str]
) -> MediaJson:
    """What is known of a file."""
    return to_json(await _find(runtime, caller, media_access, media_id))


@get(
    "/v1/media/{media_id:str}/content",
    tags=_TAGS,
    operation_id="get_media_content",
    media_type="application/octet-stream",
)
async def get_content(
    request: Request[Any, Any, Any],
    runtime: _Runtime,
    caller: _Caller,
    media_access: _Access,
    media_id: FromPath[str],
    inline: FromQuery[bool] = False,
) -> Response[Any]:
    """The file's bytes, or a range of them; as an attachment unless ``inline=1`` and the type is safe to show."""
    media = await _find(runtime, caller, media_access, media_id)
    key, size = object_key(media), _require_ready(media)
    headers = content_headers(media, is_inline=inline)
    tag = entity_tag(media)
    if is_known(request.headers.get("if-none-match"), tag):
        return Response(b"", status_code=304, headers=headers)
    wanted = None
    if request.headers.get("if-range", tag) == tag:
        wanted = parse_range(request.headers.get("range"), size)
    if wanted == "unsatisfiable":
        body = error_body("range_not_satisfiable", "The file has no such bytes.", {"size_bytes": size})
        return Response(
            body, status_code=416, media_type=MediaType.JSON, headers={"Content-Range": f"bytes */{size}"}
        )
    start, end = wanted or (0, size)
    headers["Content-Length"] = str(end - start)
    # as a header: the handler's own media type, there for the documents, would win over the response's
    headers["Content-Type"] = media.content_type
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    await runtime.blobs.head(key)
    if not size:
        return Response(b"", headers=headers)
    stream = runtime.blobs.open(key, start=start, end=end)
    return Stream(stream, status_code=206 if wanted else 200, headers=headers)


@get(
    "/v1/media/{media_id:str}/thumbnail",
    tags=_TAGS,
    operation_id="get_media_thumbnail",
    media_type="image/webp",
)
async def get_thumbnail(
    runtime: _Runtime, caller: _Caller, media_access: _Access, media_id: FromPath[str]
) -> Response[Any]:
    """A small WebP of a picture, at most 480 pixels on its longer side."""
    media = await _find(runtime, caller, media_access, media_id)
    if media.thumbnail_width is None:
        raise MediaNotFound("This file has no thumbnail.")
    key = thumbnail_key(media)
    headers = {**thumbnail_headers(), "Content-Length": str(await runtime.blobs.head(key))}
    return Stream(runtime.blobs.open(key), media_type="image/webp", headers=headers)


routes: list[Any] = [upload_media, get_media, get_content, get_thumbnail]


async def _find(runtime: Runtime, caller: Caller, media_access: MediaAccess, text: str) -> Media:
    """Return a file that the caller may see: their own upload, or one in a conversation of theirs."""
    media_id: UUID = parse_id("med", text)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        media = (await receiving.get_media(tx, [media_id])).get(media_id)
        if media is None:
            raise MediaNotFound
        if media.uploaded_by != caller.actor_id and not await media_access(tx, caller, media_id):
            raise MediaNotFound
    return media


def _require_ready(media: Media) -> int:
    """Return the size of a file whose bytes are here. Raises: MediaNotReady."""
    if media.state != "ready" or media.size_bytes is None:
        raise MediaNotReady(state=media.state)
    return media.size_bytes


async def _read_body(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except InternalServerException as error:  # what Litestar makes of a client that went away
        raise UploadInterrupted from error
