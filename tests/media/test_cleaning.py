"""Uploads nobody used go; what anybody refers to stays."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import pytest

from parley.accounts import Caller
from parley.infra.runtime import Runtime
from parley.kit.ids import uuid7
from parley.media import Media, Pictures, create_pending, delete_unattached, get_media, store_upload
from tests.files import files_under
from tests.media import samples

pytestmark = pytest.mark.anyio


async def upload(runtime: Runtime, pictures: Pictures, caller: Caller) -> Media:
    return await store_upload(
        runtime, caller, pictures=pictures, name="a", chunks=samples.pieces(samples.picture())
    )


async def age(runtime: Runtime, workspace_id: UUID, *media_ids: UUID) -> None:
    async with runtime.db.transaction(workspace_id) as tx:
        await tx.execute(
            "UPDATE media SET created_at = now() - interval '25 hours' WHERE id = ANY ($1::uuid[])",
            list(media_ids),
        )


async def attach(runtime: Runtime, workspace_id: UUID, media_id: UUID) -> None:
    actor, conversation, message = uuid7(), uuid7(), uuid7()
    async with runtime.db.transaction(workspace_id) as tx:
        await tx.execute(
            "INSERT INTO actor (workspace_id, id, kind, name) VALUES ($1, $2, 'bot', 'b')",
            workspace_id,
            actor,
        )
        await tx.execute(
            "INSERT INTO conversation (workspace_id, id, kind) VALUES ($1, $2, 'group')",
            workspace_id,
            conversation,
        )
        await tx.execute(
            """INSERT INTO message (workspace_id, conversation_id, id, position, number, kind, sender_id, created_at)
            VALUES ($1, $2, $3, 1, 1, 'text', $4, now())""",
            workspace_id,
            conversation,
            message,
            actor,
        )
        await tx.execute(
            "INSERT INTO attachment VALUES ($1, $2, $3, 1, $4)", workspace_id, conversation, message, media_id
        )


async def ids_left(runtime: Runtime, workspace_id: UUID, *media: UUID) -> set[UUID]:
    async with runtime.db.transaction(workspace_id) as tx:
        return set(await get_media(tx, list(media)))


def folders_of(runtime: Runtime) -> set[str]:
    stored = files_under(runtime.settings.data_dir / "files")
    return {path.parent.name for path in stored if path.name == "content"}


async def test_only_old_uploads_without_a_message_go(
    runtime: Runtime, pictures: Pictures, caller: Caller
) -> None:
    space = caller.workspace_id
    fresh, unused, used = [await upload(runtime, pictures, caller) for _ in range(3)]
    async with runtime.db.transaction(space) as tx:
        pending = await create_pending(
            tx, space, kind="file", name=None, content_type=None, size_bytes=None, source={"reference": {}}
        )
    await attach(runtime, space, used.id)
    await age(runtime, space, unused.id, used.id, pending)
    assert await delete_unattached(runtime) == 1
    assert await ids_left(runtime, space, fresh.id, unused.id, used.id, pending) == {
        fresh.id,
        used.id,
        pending,
    }
    assert folders_of(runtime) == {str(fresh.id), str(used.id)}
    assert await delete_unattached(runtime) == 0


async def test_a_picture_of_somebody_stays(runtime: Runtime, pictures: Pictures, caller: Caller) -> None:
    media = await upload(runtime, pictures, caller)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        await tx.execute(
            "INSERT INTO actor (workspace_id, id, kind, name, avatar_media_id) VALUES ($1, $2, 'bot', 'b', $3)",
            caller.workspace_id,
            uuid7(),
            media.id,
        )
    assert await delete_unattached(runtime, older_than=dt.timedelta(seconds=-1)) == 0


async def test_what_a_crash_left_half_done_goes_with_the_next_run(
    runtime: Runtime, pictures: Pictures, caller: Caller
) -> None:
    space = caller.workspace_id
    media = await upload(runtime, pictures, caller)
    await age(runtime, space, media.id)
    folder = runtime.settings.data_dir / "files" / str(space) / str(media.id)
    (folder / "content#1").write_bytes(b"half")
    (folder / "thumbnail").unlink()
    async with runtime.db.transaction(space) as tx:
        await tx.execute("UPDATE media SET state = 'pending' WHERE id = $1", media.id)
    assert await delete_unattached(runtime) == 1
    assert not folder.exists()


async def test_a_bounded_number_goes_at_once(runtime: Runtime, pictures: Pictures, caller: Caller) -> None:
    media = [await upload(runtime, pictures, caller) for _ in range(3)]
    await age(runtime, caller.workspace_id, *(one.id for one in media))
    assert await delete_unattached(runtime, limit=2) == 2
    assert await delete_unattached(runtime, limit=2) == 1
