"""A message becomes exactly these calls; what Telegram would refuse is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.channels.contract import (
    AttachmentKind,
    Call,
    Entity,
    OutgoingAttachment,
    OutgoingMessage,
    Quote,
    Rejected,
    Unsupported,
)
from parley.channels.telegram.format import TEXT_LIMIT, plan_delete, plan_edit, plan_message
from parley.kit.text import utf16_length, utf16_slice

MB = 1024 * 1024


def file(
    kind: AttachmentKind = "image", content_type: str = "image/jpeg", size: int = 1000, **fields: Any
) -> OutgoingAttachment:
    return OutgoingAttachment(
        kind=kind, key="k", name="имя.bin", content_type=content_type, size_bytes=size, **fields
    )


PHOTO = file(width=1280, height=853)
VIDEO = file("video", "video/mp4", width=640, height=480)
PDF = file("file", "application/pdf")
SONG = file("audio", "audio/mpeg")
STICKER = file("sticker", "image/webp")


def message(text: str = "", *attachments: OutgoingAttachment, **fields: Any) -> OutgoingMessage:
    return OutgoingMessage(chat="700100", text=text, attachments=attachments, **fields)


def methods(calls: list[Call]) -> list[str]:
    return [call.method for call in calls]


def test_a_text_is_one_message() -> None:
    assert plan_message(message("Привет 🎉")) == [
        Call(method="sendMessage", params={"chat_id": 700100, "text": "Привет 🎉"})
    ]


def test_formatting_goes_in_utf16_units_and_what_telegram_finds_itself_is_left_to_it() -> None:
    entities = [
        Entity(kind="bold", offset=3, length=6),
        Entity(kind="link", offset=10, length=4, url="https://example.org"),
        Entity(kind="pre", offset=15, length=3, language="python"),
        Entity(kind="mention", offset=0, length=2),
    ]
    (call,) = plan_message(message("🎉 Привет сюда код", entities=entities))
    assert call.params["entities"] == [
        {"type": "bold", "offset": 3, "length": 6},
        {"type": "text_link", "offset": 10, "length": 4, "url": "https://example.org"},
        {"type": "pre", "offset": 15, "length": 3, "language": "python"},
    ]


@pytest.mark.parametrize(
    "entity",
    [
        Entity(kind="bold", offset=-1, length=2),
        Entity(kind="bold", offset=0, length=0),
        Entity(kind="bold", offset=0, length=99),
        Entity(kind="bold", offset=1, length=2),
        Entity(kind="wavy", offset=0, length=2),
        Entity(kind="link", offset=0, length=2),
        Entity(kind="link", offset=0, length=2, url="javascript:alert(1)"),
        Entity(kind="link", offset=0, length=2, url="http://[::1"),
    ],
)
def test_formatting_that_does_not_fit_is_dropped_and_the_message_goes(entity: Entity) -> None:
    (call,) = plan_message(message("🎉 hi", entities=[entity]))
    assert call.params == {"chat_id": 700100, "text": "🎉 hi"}


def test_a_long_text_is_cut_at_paragraphs_and_its_formatting_goes_along() -> None:
    first, second = "а" * 3000, "б" * 3000
    entities = [Entity(kind="bold", offset=2990, length=22), Entity(kind="italic", offset=6001, length=1)]
    calls = plan_message(message(f"{first}\n\n{second}", entities=entities))
    assert [call.params["text"] for call in calls] == [first, second]
    assert calls[0].params["entities"] == [{"type": "bold", "offset": 2990, "length": 10}]
    assert calls[1].params["entities"] == [
        {"type": "bold", "offset": 0, "length": 10},
        {"type": "italic", "offset": 2999, "length": 1},
    ]


def test_only_the_first_call_replies_and_a_quote_is_cut_to_its_limit() -> None:
    quote = Quote(provider_id="39", text="я" * 2000)
    calls = plan_message(message("x " * 4000, reply_to=quote))
    assert calls[0].params["reply_parameters"] == {
        "message_id": 39,
        "allow_sending_without_reply": True,
        "quote": "я" * 1024,
    }
    assert len(calls) == 2
    assert "reply_parameters" not in calls[1].params


def test_a_reply_to_what_telegram_cannot_know_is_a_plain_message() -> None:
    (call,) = plan_message(message("hi", reply_to=Quote(provider_id="wamid.x")))
    assert "reply_parameters" not in call.params


def test_a_picture_carries_a_short_text_as_its_caption() -> None:
    bold = Entity(kind="bold", offset=0, length=3)
    (call,) = plan_message(message("вот", PHOTO, entities=[bold], reply_to=Quote(provider_id="39")))
    assert call == Call(
        method="sendPhoto",
        params={
            "chat_id": 700100,
            "photo": "attach://file0",
            "caption": "вот",
            "caption_entities": [{"type": "bold", "offset": 0, "length": 3}],
            "reply_parameters": {"message_id": 39, "allow_sending_without_reply": True},
        },
        files={"file0": PHOTO},
    )


def test_a_text_too_long_for_a_caption_follows_the_picture() -> None:
    calls = plan_message(message("x" * 1025, PHOTO))
    assert methods(calls) == ["sendPhoto", "sendMessage"]
    assert "caption" not in calls[0].params


def test_a_sticker_has_no_caption_so_the_text_follows() -> None:
    assert methods(plan_message(message("hi", STICKER))) == ["sendSticker", "sendMessage"]


@pytest.mark.parametrize(
    ("attachment", "method"),
    [
        (file(), "sendPhoto"),
        (file(size=10 * MB), "sendPhoto"),
        (file(size=10 * MB + 1), "sendDocument"),
        (file(content_type="image/heic"), "sendDocument"),
        (file(content_type="image/svg+xml"), "sendDocument"),
        (file(width=9000, height=1000), "sendPhoto"),
        (file(width=9000, height=1001), "sendDocument"),
        (file(width=2000, height=100), "sendPhoto"),
        (file(width=2001, height=100), "sendDocument"),
        (VIDEO, "sendVideo"),
        (file("video", "video/x-matroska"), "sendDocument"),
        (file("animation", "image/gif"), "sendAnimation"),
        (SONG, "sendAudio"),
        (file("audio", "audio/flac"), "sendDocument"),
        (file("voice", "audio/ogg"), "sendVoice"),
        (file("voice", "audio/webm"), "sendDocument"),
        (STICKER, "sendSticker"),
        (file("sticker", "image/png"), "sendDocument"),
        (PDF, "sendDocument"),
    ],
)
def test_each_file_goes_by_the_method_that_takes_it(attachment: OutgoingAttachment, method: str) -> None:
    (call,) = plan_message(message("", attachment))
    assert call.method == method
    field = method.removeprefix("send").lower()
    assert call.params[field] == "attach://file0"
    assert call.files == {"file0": attachment}


def test_pictures_and_videos_are_an_album() -> None:
    (call,) = plan_message(message("вид", PHOTO, VIDEO))
    assert call.method == "sendMediaGroup"
    assert call.params["media"] == [
        {"type": "photo", "media": "attach://file0", "caption": "вид"},
        {"type": "video", "media": "attach://file1", "width": 640, "height": 480},
    ]
    assert (list(call.files), call.weight) == (["file0", "file1"], 2)


@pytest.mark.parametrize(
    ("files", "sizes"),
    [
        ([PHOTO] * 10, [10]),
        ([PHOTO] * 11, [10, 1]),
        ([PHOTO] * 25, [10, 10, 5]),
        ([PHOTO, PDF, PHOTO], [1, 1, 1]),
        ([PHOTO, PHOTO, PDF, PDF], [2, 2]),
        ([PDF, SONG, SONG], [1, 2]),
        ([STICKER, STICKER], [1, 1]),
        ([PHOTO, file(size=11 * MB)], [1, 1]),
    ],
)
def test_albums_hold_ten_of_one_kind(files: list[OutgoingAttachment], sizes: list[int]) -> None:
    calls = plan_message(message("", *files))
    assert [call.weight for call in calls] == sizes
    assert [call.method == "sendMediaGroup" for call in calls] == [size > 1 for size in sizes]


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (message(""), "empty_message"),
        (message(" \n "), "empty_message"),
        (message("", file(size=0)), "file_empty"),
        (message("", file(size=50 * MB + 1)), "file_too_big"),
        (OutgoingMessage(chat="@name", text="hi"), "chat_invalid"),
        (OutgoingMessage(chat="", text="hi"), "chat_invalid"),
        (OutgoingMessage(chat="٣", text="hi"), "chat_invalid"),
    ],
)
def test_what_telegram_would_refuse_is_refused_before(refused: OutgoingMessage, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        plan_message(refused)
    assert caught.value.fields["provider_code"] == code


# ---------------------------------------------------------------- edits and deletions


def test_an_edit_changes_the_text() -> None:
    assert plan_edit(message("новый"), ["55"]) == [
        Call(method="editMessageText", params={"chat_id": 700100, "message_id": 55, "text": "новый"})
    ]


def test_an_edit_changes_a_caption_or_empties_it() -> None:
    (call,) = plan_edit(message("новая", PHOTO, PHOTO), ["55", "56"])
    assert (call.method, call.params["message_id"], call.params["caption"]) == (
        "editMessageCaption",
        55,
        "новая",
    )
    (call,) = plan_edit(message("", PHOTO), ["55"])
    assert call.params == {"chat_id": 700100, "message_id": 55, "caption": ""}


def test_an_edit_of_a_text_that_followed_its_files_changes_that_text() -> None:
    (call,) = plan_edit(message("короче", PHOTO), ["55", "56"])
    assert (call.method, call.params["message_id"]) == ("editMessageText", 56)


def test_a_shortened_text_gives_up_the_messages_it_needs_no_more() -> None:
    calls = plan_edit(message("short"), ["55", "56", "57"])
    assert [(call.method, call.params["message_id"]) for call in calls] == [
        ("editMessageText", 55),
        ("deleteMessage", 56),
        ("deleteMessage", 57),
    ]


@pytest.mark.parametrize(
    ("edited", "ids"),
    [
        (message("x " * 4000), ["55"]),
        (message("x" * 1025, PHOTO), ["55"]),
        (message("hi", STICKER), ["55"]),
        (message("hi"), []),
        (message("hi", PHOTO, PHOTO), ["55"]),
    ],
)
def test_an_edit_that_cannot_be_made_is_unsupported(edited: OutgoingMessage, ids: list[str]) -> None:
    with pytest.raises(Unsupported):
        plan_edit(edited, ids)


def test_a_deletion_takes_back_every_part() -> None:
    assert [call.params for call in plan_delete("7", ["5", "6"])] == [
        {"chat_id": 7, "message_id": 5},
        {"chat_id": 7, "message_id": 6},
    ]
    with pytest.raises(Rejected):
        plan_delete("7", ["x"])


# ---------------------------------------------------------------- whatever is sent

_TEXTS = st.text(st.sampled_from("aб 🎉\n\ufffd\ud800\udc00.\x00"), max_size=60) | st.text(max_size=60)
_LONG = st.builds(lambda text, times: text * times, _TEXTS, st.integers(1, 400))
_ENTITIES = st.lists(
    st.builds(
        Entity,
        kind=st.sampled_from(["bold", "italic", "code", "pre", "link", "spoiler", "url", "odd"]),
        offset=st.integers(-3, 9000),
        length=st.integers(-3, 9000),
        url=st.none() | st.just("https://example.org") | st.text(max_size=9),
    ),
    max_size=8,
)
_FILES = st.lists(st.sampled_from([PHOTO, VIDEO, PDF, SONG, STICKER, file(size=11 * MB)]), max_size=24)


@given(_LONG, _ENTITIES, _FILES)
def test_every_message_becomes_calls_within_telegrams_limits(
    text: str, entities: list[Entity], files: list[OutgoingAttachment]
) -> None:
    try:
        calls = plan_message(message(text, *files, entities=entities))
    except Rejected:
        assert not files
        assert not text.strip()
        return
    msgspec.json.encode([call.params for call in calls])
    assert [one for call in calls for one in call.files.values()] == files
    for call in calls:
        body = call.params.get("text") or call.params.get("caption") or ""
        assert utf16_length(body) <= (TEXT_LIMIT if call.method == "sendMessage" else 1024)
        assert call.method != "sendMessage" or body.strip()
        assert 1 <= len(call.files or "x") <= 10
        size = utf16_length(body)
        for entity in call.params.get("entities", []) + call.params.get("caption_entities", []):
            assert 0 <= entity["offset"] < entity["offset"] + entity["length"] <= size
    captions = [item.get("caption", "") for call in calls for item in call.params.get("media", [])]
    said = "".join(call.params.get("text") or call.params.get("caption") or "" for call in calls)
    visible = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert "".join((said + "".join(captions)).split()) == "".join(visible.split())


@given(st.text(max_size=30), st.integers(0, 29), st.integers(1, 30))
def test_formatting_keeps_its_words(text: str, offset: int, length: int) -> None:
    (call,) = plan_message(message(f"x{text}", entities=[Entity(kind="bold", offset=offset, length=length)]))
    for entity in call.params.get("entities", []):
        assert utf16_slice(call.params["text"], entity["offset"], entity["length"]) == utf16_slice(
            f"x{text}", offset, length
        )
