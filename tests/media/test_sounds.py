"""Voice notes are measured in the child that decodes pictures; what is no sound is none, and harms nobody."""

from __future__ import annotations

import random

import pytest

from parley.accounts import Caller
from parley.infra.runtime import Runtime
from parley.media import Media, Pictures, create_pending, store_fetched, store_upload
from tests.media.samples import MP3, OGG, WEBM, picture, pieces
from tests.media.sounds import CODECS, record

pytestmark = pytest.mark.anyio


async def upload(
    runtime: Runtime, caller: Caller, pictures: Pictures, data: bytes, *, is_voice: bool = True
) -> Media:
    return await store_upload(
        runtime, caller, pictures=pictures, name="note", chunks=pieces(data), is_voice=is_voice
    )


def require_shape(media: Media, seconds: float) -> None:
    """A quiet half and a loud one, of this length."""
    assert media.duration_seconds == pytest.approx(seconds, abs=0.12)
    bars = media.waveform
    assert bars is not None
    assert len(bars) == 100
    assert all(0 <= bar <= 31 for bar in bars)
    assert max(bars[5:45]) <= 6 < 20 <= min(bars[55:95])
    assert max(bars) == 31


@pytest.mark.parametrize("container", sorted(CODECS))
async def test_a_recording_of_each_kind_is_a_voice_note_with_its_length_and_shape(
    runtime: Runtime, caller: Caller, pictures: Pictures, container: str
) -> None:
    media = await upload(runtime, caller, pictures, record(container, 3.0))
    assert (media.kind, media.state) == ("voice", "ready")
    assert media.content_type.startswith("audio/")
    require_shape(media, 3.0)


async def test_a_short_sound_has_fewer_bars_and_silence_has_flat_ones(
    runtime: Runtime, caller: Caller, pictures: Pictures
) -> None:
    short = await upload(runtime, caller, pictures, record("wav", 0.4))
    assert short.waveform is not None
    assert len(short.waveform) == 20
    silent = bytearray(record("wav", 1.0))
    begin = silent.index(b"data") + 8
    silent[begin:] = bytes(len(silent) - begin)
    flat = await upload(runtime, caller, pictures, bytes(silent))
    assert set(flat.waveform or ()) == {0}


async def test_what_was_not_recorded_as_a_note_is_a_sound_with_its_length(
    runtime: Runtime, caller: Caller, pictures: Pictures
) -> None:
    media = await upload(runtime, caller, pictures, record("mp3", 2.0), is_voice=False)
    assert media.kind == "audio"
    require_shape(media, 2.0)


async def test_a_film_a_picture_and_what_cannot_be_heard_are_no_voice_notes(
    runtime: Runtime, caller: Caller, pictures: Pictures
) -> None:
    for data, kind in (
        (record("mp4", 1.0, with_film=True), "video"),
        (picture(), "image"),
        (OGG, "audio"),
        (MP3, "audio"),
        (WEBM, "video"),
        (b"just words", "file"),
    ):
        media = await upload(runtime, caller, pictures, data)
        assert (media.kind, media.state) == (kind, "ready")
    # and the child is as good as before
    require_shape(await upload(runtime, caller, pictures, record("ogg", 3.0)), 3.0)


async def test_what_a_provider_says_of_a_voice_note_gives_way_to_what_is_heard(
    runtime: Runtime, caller: Caller, pictures: Pictures
) -> None:
    async def fetch(data: bytes) -> Media:
        async with runtime.db.transaction(caller.workspace_id) as tx:
            key = await create_pending(
                tx, caller.workspace_id, kind="voice", name=None, content_type="audio/ogg", size_bytes=None,
                source={"inbox_id": "x", "reference": "y"}, duration_seconds=99,
            )  # fmt: skip
        return await store_fetched(runtime, caller.workspace_id, key, pieces(data), pictures=pictures)

    require_shape(await fetch(record("ogg", 3.0)), 3.0)
    broken = await fetch(OGG)
    assert (broken.kind, broken.duration_seconds, broken.waveform) == ("voice", 99, None)


async def test_spoilt_recordings_do_no_harm(runtime: Runtime, caller: Caller, pictures: Pictures) -> None:
    """Cut, and with bytes turned by chance: heard as far as they go, or not at all."""
    chance = random.Random(7)
    for container in sorted(CODECS):
        whole = record(container, 0.5)
        for _ in range(6):
            spoilt = bytearray(whole[: chance.randrange(40, len(whole))])
            for _ in range(20):
                spoilt[chance.randrange(16, len(spoilt))] = chance.randrange(256)
            media = await upload(runtime, caller, pictures, bytes(spoilt))
            assert media.state == "ready"
            assert media.duration_seconds is None or 0 <= media.duration_seconds < 3600
    require_shape(await upload(runtime, caller, pictures, record("ogg", 3.0)), 3.0)
