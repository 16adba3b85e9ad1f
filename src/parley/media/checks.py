"""What must hold of files: the bytes are where the rows say, and the rows say what became of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from parley.infra.blobs import open_blobs
from parley.infra.checking import Check, Probe, Walk
from parley.infra.reference_checks import Reference, reference_check
from parley.kit.errors import NotFound

PENDING_SECONDS = 3600
"""A file that a provider has is fetched within minutes, or its job says why not."""
GARBAGE_SECONDS = 86400
_READY = Walk(table="media", rows=2_000)


async def _find_missing(probe: Probe) -> Sequence[str]:
    if probe.place.settings.s3_url:
        return await _find_missing_objects(probe)
    root = probe.place.settings.data_dir / "files"
    found: list[str] = []
    async for after, _, last, _ in probe.walk(_READY):
        rows = await _list_ready(probe, after, last)
        suspects = await asyncio.to_thread(_compare, root, rows)
        if suspects:  # a file may have been swept since: what the row says now counts
            now = {row["id"] for row in await _list_ready(probe, after, last)}
            found += [words for key, words in suspects if key in now]
        probe.progress("media.files")
    return found


async def _find_missing_objects(probe: Probe) -> Sequence[str]:
    """As `_find_missing` in a bucket: one question for each object."""
    blobs = open_blobs(probe.place.settings)
    found: list[str] = []
    async for after, _, last, _ in probe.walk(_READY):
        for row in await _list_ready(probe, after, last):
            folder = f"{row['workspace_id']}/{row['id']}"
            key = f"{folder}/content"
            try:
                size = await blobs.head(key)
            except NotFound:
                found.append(f"file {row['id']}: {key} is missing")
                continue
            if size != row["size_bytes"]:
                found.append(f"file {row['id']}: {key} has {size} bytes and not {row['size_bytes']}")
            elif row["thumbnail_width"] and not await blobs.exists(f"{folder}/thumbnail"):
                found.append(f"file {row['id']}: {folder}/thumbnail is missing")
        probe.progress("media.files")
    return found


async def _list_ready(probe: Probe, after: Any, last: Any) -> list[asyncpg.Record]:
    return await probe.fetch(
        """SELECT workspace_id, id, size_bytes, thumbnail_width FROM media
        WHERE id > $1 AND id <= $2 AND state = 'ready'""",
        after,
        last,
    )


def _compare(root: Path, rows: Sequence[asyncpg.Record]) -> list[tuple[UUID, str]]:
    found: list[tuple[UUID, str]] = []
    for row in rows:
        folder = root / str(row["workspace_id"]) / str(row["id"])
        size = _size(folder / "content")
        if size is None:
            found.append((row["id"], f"file {row['id']}: {folder / 'content'} is missing"))
        elif size != row["size_bytes"]:
            words = f"{folder / 'content'} has {size} bytes and not {row['size_bytes']}"
            found.append((row["id"], f"file {row['id']}: {words}"))
        elif row["thumbnail_width"] and _size(folder / "thumbnail") is None:
            found.append((row["id"], f"file {row['id']}: {folder / 'thumbnail'} is missing"))
    return found


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


async def _find_garbage(probe: Probe) -> Sequence[str]:
    if probe.place.settings.s3_url:
        return []  # a bucket's own rules for its life cycle sweep better than a listing of everything
    root = probe.place.settings.data_dir / "files"
    folders = await asyncio.to_thread(_list_old_folders, root, probe.place.wait(GARBAGE_SECONDS))
    found: list[str] = []
    for start in range(0, len(folders), 5000):
        part = dict(folders[start : start + 5000])
        rows = await probe.fetch("SELECT id FROM media WHERE id = ANY ($1::uuid[])", list(part))
        found += [f"{part[key]} belongs to no file" for key in part.keys() - {row["id"] for row in rows}]
    return sorted(found)


def _list_old_folders(root: Path, seconds: float) -> list[tuple[UUID, Path]]:
    """Return the folders of files that were last written before so many seconds, with the file's id."""
    before = time.time() - seconds
    found = []
    for folder in root.glob("*/*"):
        try:
            if folder.stat().st_mtime < before:
                found.append((UUID(folder.name), folder))
        except (FileNotFoundError, ValueError):  # swept meanwhile, or none of ours
            continue
    return found


MEDIA_CHECKS = (
    Check(
        name="media.files",
        holds="Every file that is ready has its bytes in the store, of its size, and its thumbnail.",
        remedy="Bring the named path back from a backup of files/; else whoever opens it is told that it is not there.",
        look=_find_missing,
        is_long=True,
    ),
    Check(
        name="media.states",
        holds="A file that is ready has size and digest, one that failed has its reason.",
        remedy="The row was changed by hand, or by a bug: ask the developers with its id.",
        walk=Walk(table="media"),
        sql="""SELECT 'file ' || m.id || ' is ' || m.state || CASE m.state WHEN 'ready' THEN ' without size or digest'
                ELSE ' without a reason' END AS finding
            FROM media m WHERE m.id > $1 AND $2::bigint IS NOT NULL AND m.id <= $3 AND $4::bigint IS NOT NULL
              AND (m.state = 'ready' AND (m.size_bytes IS NULL OR m.sha256 IS NULL)
                OR m.state = 'failed' AND coalesce(m.error, '') = '')""",
    ),
    Check(
        name="media.pending",
        holds="A file that a provider has is fetched within an hour, or a job still tries.",
        remedy="Nothing fetches it any more: ask the customer to send it again; look for its job among the failed ones.",
        severity="trouble",
        needs_serving=True,
        values=lambda place: (place.wait(PENDING_SECONDS),),
        sql="""SELECT 'file ' || m.id || ' has been awaited since ' || m.created_at::timestamptz(0) AS finding FROM media m
            WHERE m.state = 'pending' AND m.source IS NOT NULL AND m.created_at < now() - make_interval(secs => $1)
              AND NOT EXISTS (SELECT FROM job j WHERE j.work IN ('ready', 'leased')
                AND j.payload ->> 'media_id' = m.id::text)""",
    ),
    Check(
        name="media.garbage",
        holds="The store keeps no bytes that belong to no file (a day's are let be).",
        remedy="They cost room and nothing else: delete the named folders when you want it back.",
        severity="note",
        look=_find_garbage,
        is_long=True,
    ),
    reference_check(
        "media.references",
        Reference("actor", ("workspace_id", "avatar_media_id"), "media", ("workspace_id", "id")),
        Reference("media", ("workspace_id", "uploaded_by"), "actor", ("workspace_id", "id")),
    ),
)
