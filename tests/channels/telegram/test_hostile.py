"""Updates that Telegram would not send, and that somebody who knows the secret could: each has its end in the journal.

Every row of the table goes through the webhook's door into one house, each in a chat of its own; after it a good
update of the same chat must become a message. Nothing is refused with a 5xx, nothing is lost, no lane stands still.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.apps.serve import make_channels
from parley.channels.contract import BadUpdate, Entity, IncomingMessage
from parley.channels.telegram.entities import parse_text
from parley.channels.telegram.parse import parse_update, split_batch, split_update
from parley.desk.intake import Intake
from parley.desk.intake_store import JOURNAL
from parley.infra.worker import Limits, Worker
from parley.kit.ids import public_id
from parley.kit.text import clean_text, utf16_length
from tests.house import House, open_house

pytestmark = pytest.mark.anyio

DATE = 1_790_000_000
RTL = "\u202egnp.exe\u202c"
MESSAGE, EDIT, BAD = "message", "edit", "bad_update"


class Row(NamedTuple):
    """What is sent (an update without number and chat, or raw bytes), and what must be seen of it.

    ``ends``: how the words of the journal begin. ``texts``: what the chat's conversation then holds.
    """

    name: str
    update: Any
    ends: str
    texts: tuple[str, ...] = ()


def said(
    ends: str = MESSAGE, text: str | None = None, /, **fields: Any
) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Return a message with fields changed, its end, and the text that it shows."""
    update = {"message": {"text": "hi", **fields}}
    return update, ends, (text if text is not None else fields.get("text", "hi"),) if ends == MESSAGE else ()


def file(ends: str = MESSAGE, /, **fields: Any) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Return a message that is a document."""
    document = {"file_id": "BQAC", "file_unique_id": "AQ", **fields}
    return {"message": {"document": document}}, ends, ("",) if ends == MESSAGE else ()


def entity(text: str = "hello", **fields: Any) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Return a message with one odd entity."""
    return said(text=text, entities=[{"type": "bold", "offset": 0, "length": 1, **fields}])


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = "end"
    for _ in range(depth):
        value = [value]
    return value


TABLE = [
    # ---- types
    Row("text a number", *said(BAD, text=5)),
    Row("text a list", *said(BAD, text=["a"])),
    Row("text an object", *said(BAD, text={"a": "b"})),
    Row("text true", *said(BAD, text=True)),
    Row("text null", *said("ignored: message without words", text=None)),
    Row("message a list", {"message": []}, BAD),
    Row("message a string", {"message": "hi"}, BAD),
    Row("message null", {"message": None}, BAD),
    Row("sender a string", *said(BAD, **{"from": "me"})),
    Row("sender without id", *said(BAD, **{"from": {"first_name": "I"}})),
    Row("first name a number", *said(BAD, **{"from": {"id": 7, "first_name": 8}})),
    Row("is_bot a string", *said(BAD, **{"from": {"id": 7, "is_bot": "no"}})),
    Row("entities an object", *said(BAD, entities={"0": {}})),
    Row("entity a number", *said(BAD, entities=[1])),
    Row("photo an object", *said(BAD, photo={"file_id": "x"})),
    Row("document a list", *said(BAD, document=["x"])),
    Row("file id a number", *file(BAD, file_id=5)),
    Row("file id missing", {"message": {"document": {}}}, BAD),
    # ---- numbers
    Row("message id a float", *said(BAD, message_id=1.5)),
    Row("message id beyond int64", *said(BAD, message_id=2**70)),
    Row("message id of 5000 digits", *said(BAD, message_id=int("9" * 4000))),
    Row("message id negative", *said(message_id=-5)),
    Row("message id zero", *said(message_id=0)),
    Row("sender id beyond int64", *said(BAD, **{"from": {"id": 2**64}})),
    Row("date in year 1", *said(BAD, date=-62_135_596_800)),
    Row("date in year 292 billion", *said(BAD, date=2**63 - 1)),
    Row("date the last there is", *said(date=253_402_300_799)),
    Row("date the first there is", *said(date=0)),
    Row("date missing", *said(BAD, date=None)),
    Row("file of -1 bytes", *file(BAD, file_size=-1)),
    Row("file of 9 petabytes", *file(file_size=2**53)),
    Row("file of 2^70 bytes", *file(BAD, file_size=2**70)),
    Row("picture 2^31 wide", {"message": {"photo": [{"file_id": "x", "width": 2**31, "height": 1}]}}, MESSAGE, ("",)),
    Row("picture of no width", {"message": {"photo": [{"file_id": "x", "width": 0, "height": 0}]}}, MESSAGE, ("",)),
    Row("duration of 30 years", {"message": {"voice": {"file_id": "x", "duration": 1e9}}}, MESSAGE, ("",)),
    Row("north of the pole", {"message": {"location": {"latitude": 90.1, "longitude": 0}}}, BAD),
    # ---- text
    Row("NUL in the text", *said(MESSAGE, "ab", text="a\x00b")),
    Row("nothing but NUL", *said("ignored: message without words", text="\x00")),
    Row("controls", *said(MESSAGE, "a\nb", text="a\x01\x1b\r\nb\x7f\x9f")),
    Row("line separators", *said(text="a\u2028b\u2029c")),
    Row("direction overrides", *said(text=RTL)),
    Row("zero width", *said(text="a\u200b\ufeff\u2060b")),
    Row("nothing to be seen", *said(text="\u200b\u2060\ufeff")),
    Row("zalgo", *said(text="Z" + "\u0335\u0321" * 400)),
    Row("beyond the basic plane", *said(text="\U0010ffff\U0001f468\u200d\U0001f469")),
    Row("noncharacters", *said(text="a\ufffe\uffffb")),
    Row("a text of 200 000", *said(MESSAGE, "x" * 20_000, text="x" * 200_000)),
    Row("a caption of 200 000", *said(MESSAGE, "x" * 20_000, text=None, caption="x" * 200_000, photo=[{"file_id": "x"}])),
    Row("a name of 100 000", *said(**{"from": {"id": 7, "first_name": "x" * 100_000}})),
    Row("a name of NUL", *said(**{"from": {"id": 7, "first_name": "\x00"}})),
    Row("a name of overrides", *said(**{"from": {"id": 7, "first_name": RTL, "username": "../../" + RTL}})),
    Row("a quote with NUL", *said(quote={"text": "q\x00" * 5000}, reply_to_message={"message_id": 1})),
    Row("a foreign quote with NUL", *said(quote={"text": "q\x00" * 5000})),
    Row("a poll with NUL", {"message": {"poll": {"question": "\x00?", "options": [{"text": "\x00a"}] * 500}}}, MESSAGE),
    Row("a contact with NUL", {"message": {"contact": {"phone_number": "\x00+7", "first_name": "\x00"}}}, MESSAGE),
    Row("a venue with NUL", {"message": {"venue": {"location": {"latitude": 0, "longitude": 0}, "title": "\x00"}}}, MESSAGE),
    Row("dice with NUL", {"message": {"dice": {"emoji": "\x00", "value": 6}}}, MESSAGE),
    Row("a sticker with NUL", {"message": {"sticker": {"file_id": "x", "emoji": "\x00", "set_name": "\x00"}}}, MESSAGE, ("",)),
    Row("an album's id with NUL", *said(media_group_id="g\x00" * 500)),
    # ---- entities
    Row("entity behind the text", *entity(offset=100, length=5)),
    Row("entity over the end", *entity(offset=3, length=2**31)),
    Row("entity before the text", *entity(offset=-1, length=3)),
    Row("entity of length 0", *entity(length=0)),
    Row("entity of length -5", *entity(offset=5, length=-5)),
    Row("entity in half of a pair", *entity("\U0001f600x", offset=1, length=1)),
    Row("entity of an unknown kind", *entity(type="\x00<b>")),
    Row("a link to a script", *entity(type="text_link", url="javascript:alert(1)")),
    Row("a link with NUL", *entity(type="text_link", url="https://x\x00y")),
    Row("a link of 100 000", *entity(type="text_link", url="https://x/" + "y" * 100_000)),
    Row("code in NUL", *entity(type="pre", language="\x00" * 5000)),
    Row("crossing", *said(text="abcdef", entities=[{"type": "bold", "offset": 0, "length": 4}, {"type": "italic", "offset": 2, "length": 4}])),
    Row("10 000 of them", *said(text="ab" * 100, entities=[{"type": "bold", "offset": n % 200, "length": 1} for n in range(5000)])),
    # ---- files
    Row("no photo in the list", *said(photo=[])),
    Row("path in the file id", *file(file_id="../../etc/passwd", file_unique_id="/../")),
    Row("NUL in the file id", *file(file_id="a\x00b", file_unique_id="\x00")),
    Row("a file id of 100 000", *file(file_id="x" * 100_000)),
    Row("an empty file id", *file(file_id="")),
    Row("a name that climbs", *file(file_name="../../../etc/cron.d/x")),
    Row("a name with NUL and header", *file(file_name="a\x00\r\nX-Evil: 1\u202etxt.exe")),
    Row("a name of 100 000", *file(file_name="x" * 100_000 + ".pdf")),
    Row("a type that is a header", *file(mime_type="text/html\r\nX-Evil: 1")),
    Row("a type of NUL", *file(mime_type="\x00/\x00")),
    # ---- kinds
    Row("a group", *said("ignored: chat of type group", chat={"type": "group", "title": "\x00"})),
    Row("a kind of chat that is none", *said("ignored: chat of type", chat={"type": "\x00<script>"})),
    Row("a chat without kind", *said(BAD, chat={"type": None})),
    Row("our own echo", *said("ignored: sent by a bot", **{"from": {"id": 1, "is_bot": True}})),
    Row("a service message", {"message": {"new_chat_title": "x"}}, "ignored: message without words or files: new_chat"),
    Row("a service message of NUL", {"message": {"\x00\u202e": 1}}, "ignored: message without words or files"),
    Row("a message of nothing", {"message": {}}, "ignored: message without words or files: unknown"),
    Row("a channel's post", {"channel_post": {"text": "x"}}, "ignored: update of kind channel_post"),
    Row("a kind of tomorrow", {"telepathy": {"text": "x"}}, "ignored: update of kind telepathy"),
    Row("a kind named NUL", {"\x00": 1}, "ignored: update of kind unknown"),
    Row("no kind at all", {}, "ignored: update of kind unknown"),
    Row("a reaction", {"message_reaction": {"new_reaction": "\x00"}}, "ignored: update of kind message_reaction"),
    Row("a reaction that is a list", {"message_reaction": []}, BAD),
    Row("a button", {"callback_query": {"id": 5, "data": "\x00"}}, "ignored: update of kind callback_query"),
    Row("a membership of NUL", {"my_chat_member": {"from": {"id": 7}, "date": 1, "new_chat_member": {"status": "\x00"}}}, "ignored: membership"),
    Row("a membership without status", {"my_chat_member": {"from": {"id": 7}, "date": 1, "new_chat_member": {}}}, BAD),
    Row("an edit of nothing known", {"edited_message": {"text": "x", "edit_date": DATE}}, "ignored: an edit of a message"),
    Row("an edit in year 292 billion", {"edited_message": {"text": "x", "edit_date": 2**63}}, BAD),
    Row("a forward of a forward", *said(forward_origin={"type": "user", "forward_origin": {"type": "user"}, "sender_user": {"id": 1}})),
    Row("a forward of NUL", *said(forward_origin={"type": "\x00", "sender_user_name": "\x00"})),
    Row("a forward of 100 000", *said(forward_origin={"type": "hidden_user", "sender_user_name": "x" * 100_000})),
    Row("a forward without kind", *said(BAD, forward_origin={})),
    Row("a reply to itself", *said(message_id=1, reply_to_message={"message_id": 1})),
    Row("a reply to 2^70", *said(BAD, reply_to_message={"message_id": 2**70})),
    Row("a reply to a list", *said(BAD, reply_to_message=[])),
    # ---- depth
    Row("30 deep in what we skip", *said(new_field=nested(30))),
    Row("900 deep in what we skip", *said(new_field=nested(900))),
]  # fmt: skip

RAW = [
    Row("nothing", b"", BAD),
    Row("a number", b"5", BAD),
    Row("null", b"null", BAD),
    Row("a list", b"[]", BAD),
    Row("half of it", b'{"update_id": 1, "mess', BAD),
    Row("two of them", b'{"update_id":1}{"update_id":2}', BAD),
    Row("not UTF-8", b'{"update_id": 1, "\xff\xfe": 1}', BAD),
    Row("UTF-16", json.dumps({"update_id": 1}).encode("utf-16"), BAD),
    Row("a mark before it", b"\xef\xbb\xbf" + b'{"update_id": 1}', BAD),
    Row("NULs", bytes(1000), BAD),
    Row("packed", gzip.compress(b'{"update_id": 1}'), BAD),
    Row("100 000 deep", b'{"update_id":1,"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}", BAD),
    Row("a lone surrogate", b'{"update_id":1,"message":{"text":"\\ud800"}}', BAD),
    Row("NaN", b'{"update_id": NaN}', BAD),
    Row("1e999", b'{"update_id": 1e999}', BAD),
    Row("update_id missing", b"{}", BAD),
    Row("update_id a string", b'{"update_id": "1"}', BAD),
    Row("update_id 2^70", b'{"update_id": 1180591620717411303424}', BAD),
    Row("update_id negative", b'{"update_id": -1, "poll": {}}', "ignored: update of kind poll"),
    Row("update_id twice", b'{"update_id": 9, "update_id": 8, "poll": {}}', "ignored: update of kind poll"),
    Row("chat id a string", b'{"update_id": 1, "message": {"chat": {"id": "7"}}}', BAD),
    Row("chat id 2^70", b'{"update_id": 1, "message": {"chat": {"id": 1180591620717411303424}}}', BAD),
    Row("chat missing", b'{"update_id": 1, "message": {"text": "x"}}', BAD),
    Row("an inline query", b'{"update_id": 1, "inline_query": []}', "ignored: update of kind inline_query"),
]  # fmt: skip
"""Bodies without a chat of their own."""


def complete(update: dict[str, Any], number: int, chat: int) -> bytes:
    """Give an update its number, its chat, and whatever a message has and the row does not speak of."""
    filled: dict[str, Any] = {"update_id": number}
    for kind, fields in update.items():
        if isinstance(fields, dict):
            own = dict(fields)
            where = {"id": chat, "type": "private", "first_name": "Ira", **own.pop("chat", {})}
            base = (
                {"message_id": 41, "date": DATE, "from": {"id": chat, "first_name": "Ira"}}
                if "message" in kind
                else {}
            )
            filled[kind] = {"chat": where, **base, **own}
        else:
            filled[kind] = fields
    return json.dumps(filled).encode()


def good(number: int, chat: int) -> bytes:
    """Return an honest update of a chat."""
    return complete({"message": {"message_id": 9000, "text": "still here"}}, number, chat)


async def work_off(house: House) -> None:
    """Have a real worker do the journal until nothing is left of it."""
    intake = Intake(house.db, make_channels(house.runtime))
    worker = Worker(JOURNAL, house.db, intake.handle, limits=Limits(poll_seconds=0.05))
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(60):
            while (await house.sql("SELECT count(*) AS n FROM journal WHERE work NOT IN ('done', 'failed')"))[
                0
            ]["n"]:
                await asyncio.sleep(0.05)
    finally:
        worker.stop()
        await task


async def test_every_hostile_update_has_its_end_in_words_and_the_chat_goes_on(
    database_url: str, tmp_path: Any
) -> None:
    async with open_house(database_url, tmp_path) as house:
        place = await house.workspace()
        olga = await place.user("Olga", "owner")
        inbox = await place.inbox(olga)
        path = f"/webhooks/telegram/{public_id('inb', inbox)}"
        bodies: dict[bytes, str] = {}
        async with house.client(**{"X-Telegram-Bot-Api-Secret-Token": "s"}) as client:
            for number, row in enumerate(TABLE + RAW):
                is_raw = isinstance(row.update, bytes)
                body = row.update if is_raw else complete(row.update, number, 1000 + number)
                bodies[body] = row.name
                pair = [body] if is_raw else [body, good(number + 100_000, 1000 + number)]
                for one in pair:
                    answer = await client.post(path, content=one)
                    assert answer.status_code == 200, f"{row.name}: {answer.status_code} {answer.text}"
        await work_off(house)

        rows = await house.sql("SELECT body, work, outcome, last_error, attempts FROM journal")
        ends = {bodies[one["body"]]: one for one in rows if one["body"] in bodies}
        said_in: dict[str, list[str]] = {}
        for one in await house.sql(
            """SELECT i.address, m.text FROM message m JOIN desk_conversation d USING (conversation_id)
            JOIN identity i ON i.id = d.identity_id ORDER BY m.position"""
        ):
            said_in.setdefault(one["address"], []).append(one["text"])

        problems = []
        for number, row in enumerate(TABLE + RAW):
            end = ends[row.name]
            words = end["last_error"] if end["work"] == "failed" else end["outcome"]
            if not str(words).startswith(row.ends) or (row.ends == BAD) is not (end["work"] == "failed"):
                problems.append(f"{row.name}: {end['work']} {words!r}, not {row.ends!r}")
            if end["attempts"] > 1:
                problems.append(f"{row.name}: tried {end['attempts']} times")
            if isinstance(row.update, bytes):
                continue
            shown = said_in.get(str(1000 + number), [])
            if shown[-1:] != ["still here"]:
                problems.append(f"{row.name}: the next message of the chat did not come: {str(shown)[:100]}")
            if row.texts and shown[:-1] != list(row.texts):
                problems.append(f"{row.name}: shows {str(shown[:-1])[:100]}")
            if row.ends != MESSAGE and len(shown) > 1:
                problems.append(f"{row.name}: became a message")
        assert problems == []
        # what an administrator is shown of it is a readable answer too
        async with house.client(olga) as client:
            for state in ("failed", "done"):
                answer = await client.get(f"/v1/desk/journal?state={state}&limit=100")
                assert answer.status_code == 200
                assert all(item["error"] or state == "done" for item in answer.json()["items"])
            for person in (await client.get("/v1/contacts?limit=100")).json()["items"]:
                assert person["name"].strip()
                assert "\u202e" not in person["name"]
                assert len(person["name"]) <= 200


async def test_numbers_that_repeat_and_fall_lose_nothing(database_url: str, tmp_path: Any) -> None:
    """Telegram may restart its numbers: what is a repeat is told by the message, never by them."""
    async with open_house(database_url, tmp_path) as house:
        place = await house.workspace()
        inbox = await place.inbox(await place.user("Olga", "owner"))
        path = f"/webhooks/telegram/{public_id('inb', inbox)}"
        updates = [
            complete({"message": {"message_id": message_id, "text": f"m{message_id}"}}, number, 7)
            for number, message_id in ((5, 1), (5, 2), (5, 2), (3, 3), (2**52, 4), (1, 5), (5, 1))
        ]
        album = [
            complete(
                {"message": {"message_id": 100 + n, "photo": [{"file_id": f"p{n}"}], "media_group_id": "g"}},
                n,
                8,
            )
            for n in range(1000)
        ]
        async with house.client(**{"X-Telegram-Bot-Api-Secret-Token": "s"}) as client:
            for body in updates + album[:60]:
                assert (await client.post(path, content=body)).status_code == 200
        await work_off(house)
        rows = await house.sql("SELECT text FROM message WHERE text <> '' ORDER BY position")
        assert [row["text"] for row in rows] == ["m1", "m2", "m3", "m4", "m5"]
        [album_count] = await house.sql(
            "SELECT count(*) AS n, count(DISTINCT message_id) AS m FROM attachment"
        )
        assert album_count["m"] == 1
        work = await house.sql("SELECT work, outcome, last_error FROM journal WHERE work <> 'done'")
        assert work == []


async def test_the_door_refuses_what_is_not_telegrams(database_url: str, tmp_path: Any) -> None:
    async with open_house(database_url, tmp_path) as house:
        place = await house.workspace()
        inbox = await place.inbox(await place.user("Olga", "owner"))
        path = f"/webhooks/telegram/{public_id('inb', inbox)}"
        secret = "X-Telegram-Bot-Api-Secret-Token"
        bomb = gzip.compress(b'{"update_id":1,"message":"' + b" " * 50_000_000 + b'"}')
        cases: list[tuple[dict[str, str], bytes, int]] = [
            ({}, good(1, 7), 401),
            ({secret: ""}, good(1, 7), 401),
            ({secret: "S"}, good(1, 7), 401),
            ({secret: "s "}, good(1, 7), 401),
            ({secret: "s\u00e9"}, good(1, 7), 401),
            ({secret: "s" * 10_000}, good(1, 7), 401),
            ({secret: "s", "content-type": "text/html"}, good(2, 7), 200),
            ({secret: "s", "content-type": "multipart/form-data; boundary=x"}, good(3, 7), 200),
            ({secret: "s", "content-type": "\u0000"[:0] + "x/" * 5000}, good(4, 7), 200),
            (
                {secret: "s", "content-encoding": "gzip"},
                bomb,
                200,
            ),  # never unpacked: kept as what it is, failed
            ({secret: "s"}, b"{" + b" " * 2**20, 413),
        ]
        async with house.client() as client:
            for headers, body, status in cases:
                began = time.process_time()
                raw = {name: value.encode("latin-1") for name, value in headers.items()}
                answer = await client.post(path, content=body, headers=raw)
                assert answer.status_code == status, (headers, answer.text)
                assert time.process_time() - began < 2
        await work_off(house)
        [kept] = await house.sql("SELECT count(*) FILTER (WHERE work = 'failed') AS bad FROM journal")
        assert kept["bad"] == 1


# ---------------------------------------------------------------- whatever comes

_TEXT = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\x00\r\n\u200b\u202e\ufeff\U0001f600\ud7ff"), max_size=30
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=15,
)
_FIELDS = st.sampled_from(
    [
        "text",
        "caption",
        "entities",
        "photo",
        "document",
        "video",
        "voice",
        "sticker",
        "from",
        "chat",
        "date",
        "quote",
        "forward_origin",
        "reply_to_message",
        "media_group_id",
        "poll",
        "contact",
        "venue",
        "dice",
        "edit_date",
    ]
)


@given(
    st.dictionaries(_FIELDS, _JSON, max_size=6),
    st.sampled_from(["message", "edited_message", "my_chat_member"]),
)
@settings(max_examples=400, deadline=None)
def test_any_message_is_a_value_that_can_be_stored_or_a_declared_error(
    fields: dict[str, Any], kind: str
) -> None:
    body = complete({kind: fields if isinstance(fields.get("chat", {}), dict) else {}}, 1, 7)
    for read in (split_update, parse_update, lambda one: split_batch([one])):
        try:
            found: Any = read(body)
        except BadUpdate as error:
            assert error.message  # noqa: PT017 - it may also be read
            continue
        for one in found if isinstance(found, list) else []:
            words = repr(one)
            assert "\\x00" not in words or "body=" in words
            assert "\\ud8" not in words or "body=" in words


@given(
    st.lists(st.sampled_from(["a", "\r", "\n", "\r\n", "\x00", "\x9f", "\U0001f600", "é"]), max_size=12),
    st.lists(st.tuples(st.integers(0, 14), st.integers(1, 8)), max_size=5),
)
@settings(max_examples=400, deadline=None)
def test_formatting_stays_on_its_words_when_the_text_is_cleaned(
    pieces: list[str], spans: list[tuple[int, int]]
) -> None:
    text = "".join(pieces)
    cleaned, found = parse_text(text, [("bold", offset, length, None, None) for offset, length in spans])
    raw = text.encode("utf-16-le")

    def at(offset: int) -> int:
        return min(
            utf16_length(clean_text(raw[: offset * 2].decode("utf-16-le", "surrogatepass"))),
            utf16_length(cleaned),
        )

    for one in found:
        assert isinstance(one, Entity)
        assert 0 <= one.offset < one.offset + one.length <= utf16_length(cleaned)
    if cleaned != text:
        expected = {(at(offset), at(offset + length)) for offset, length in spans}
        assert {(one.offset, one.offset + one.length) for one in found} <= expected


def test_a_long_text_with_many_entities_takes_no_time() -> None:
    entities = [{"type": "bold", "offset": n * 1000, "length": 10} for n in range(200)]
    began = time.process_time()
    (found,) = parse_update(complete({"message": {"text": "a\x01" * 500_000, "entities": entities}}, 1, 7))
    assert isinstance(found, IncomingMessage)
    assert len(found.entities) == 200
    assert time.process_time() - began < 1.0
