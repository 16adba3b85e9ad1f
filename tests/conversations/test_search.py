"""Search: what is found, what is marked in it, and how one goes on."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from parley.conversations import editing
from parley.conversations.schemas import EntityJson
from parley.conversations.search import parse_query
from parley.kit.ids import parse_id, public_id
from parley.kit.text import utf16_slice
from tests.conversations.conftest import Scene
from tests.house import Json, Person, index_all

pytestmark = pytest.mark.anyio


async def search(scene: Scene, who: Person, query: str = "", **params: Any) -> Json:
    """Return the page that somebody gets."""
    await index_all(scene.house)
    async with scene.house.client(who) as client:
        answer = await client.get("/v1/search/messages", params={"query": query, **params})
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    return page


async def texts(scene: Scene, who: Person, query: str = "", **params: Any) -> list[str]:
    return [item["message"]["text"] for item in (await search(scene, who, query, **params))["items"]]


async def say(scene: Scene, *said: str) -> None:
    for text in said:
        await scene.place.say(scene.group, scene.anna, text)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Съешь ещё этих мягких булок", "еще мягкая "),
        ("Съешь еще этих мягких булок", "ЕЩЁ "),
        ("Новые сообщения пришли", "сообщение "),
        ("Новые сообщения пришли", "сообщени"),
        ("She was running home", "run "),
        ("She was running home", "runnin"),
        ("She was running home", "RUNS "),
        ("Straße und Übermut", "übermut "),
        ("да.нет и так,далее", "нет далее "),
        ("write to foo@example.com today", "foo@example.com"),
        ("see https://example.com/path/to_it", "path "),
        ("to be or not to be", '"or not to be"'),
        ("Он сказал «добрый день» и ушёл", "«добрый день»"),
        ("добрые люди настали", '"добрым людям'),
        ("release 1.2.3-rc4", "1.2.3"),
        ("сегодня по-прежнему холодно", "по-прежнему "),
        ("tabs\tand\nlines", "lines tabs "),
        ("日本語 テスト", "日本"),
    ],
)
async def test_a_message_is_found_however_its_words_are_written(scene: Scene, said: str, asked: str) -> None:
    await say(scene, said, "nothing of the kind")
    assert await texts(scene, scene.boris, asked) == [said]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Съешь ещё этих булок", "ещё пирогов "),
        ("a message", "mess "),
        ("день добрый", '"добрый день"'),
        ("добрый, прекрасный день", '"добрый день"'),
        ("bar of foo", "foo.bar "),
    ],
)
async def test_what_does_not_have_all_the_words_is_not_found(scene: Scene, said: str, asked: str) -> None:
    await say(scene, said)
    assert await texts(scene, scene.boris, asked) == []


@pytest.mark.parametrize(
    "asked",
    ["a & !b", "foo:*", "(", ")) | 'x", "\\", "'", "''", "a <-> b", "!", "foo\\' | bar", ":", "<2>", "%", "a:AB*", "x'::tsquery",
     "\u0475", "'; DROP TABLE message; --", "*", "-", "''''", "\u00b2x", "\u0301e", "a\u0000b\u0001c", "💥", "٣", "ᴬ"],
)  # fmt: skip
async def test_what_is_typed_is_words_and_never_operators(scene: Scene, asked: str) -> None:
    await say(scene, "foo bar", "one two")
    found = await texts(scene, scene.boris, asked)
    assert found in ([], ["foo bar"])
    assert not found or "foo" in asked
    assert await texts(scene, scene.boris, f"two {asked} ") in ([], ["one two"])


async def test_a_word_of_the_index_itself_finds_nothing(scene: Scene) -> None:
    """Marks of conversations and senders stand beside words: nobody can type one."""
    await say(scene, "hello")
    tail = str(scene.group)[-12:]
    for asked in (f"c{tail}", f"\x01c{tail}", "ѵhello", f'"\x01w{str(scene.place.id)[-12:]}"'):
        assert await texts(scene, scene.boris, asked) == []


async def test_long_questions_are_refused_and_long_words_harmless(scene: Scene) -> None:
    await say(scene, "x" * 5000, "word " * 4000)
    async with scene.house.client(scene.boris) as client:
        answer = await client.get("/v1/search/messages", params={"query": "a" * 257})
        assert answer.status_code == 422
        for params in (
            {"limit": 0}, {"limit": 101}, {"has": "virus"}, {"cursor": "x"}, {"conversation_id": "x"}, {"from": "x"},
            {"query": "word", "date_from": "0001-01-01T00:00:00+14:00"}, {"query": "word", "date_to": "2026-01-01T00:00:00"},
            {"date_from": "yesterday"}, {"cursor": "WzEsMl0"}, {},
        ):  # fmt: skip
            answer = await client.get("/v1/search/messages", params=params)
            assert answer.status_code == 422, (params, answer.text)
    assert await texts(scene, scene.boris, "a " * 128) == []
    assert len(await texts(scene, scene.boris, "word " * 51)) == 1
    assert len(await texts(scene, scene.boris, "wor")) == 1


async def test_filters_narrow_down_and_go_together(scene: Scene) -> None:
    place, group = scene.place, scene.group
    other = await place.open(scene.anna, scene.boris, title="Other")
    media = await place.media(scene.anna)
    await place.say(group, scene.anna, "report one")
    await place.say(group, scene.boris, "report two")
    await place.say(group, scene.anna, "report three", media_ids=[media])
    await place.say(other, scene.anna, "report four https://example.org")
    link = [EntityJson(kind="text_link", offset=0, length=6, url="https://example.org")]
    await place.say(other, scene.boris, "report five", entities=link)
    for params, expected in (
        ({}, ["five", "four https://example.org", "three", "two", "one"]),
        ({"from": scene.boris.public}, ["five", "two"]),
        ({"conversation_id": public_id("cnv", other)}, ["five", "four https://example.org"]),
        ({"conversation_id": public_id("cnv", group), "from": scene.anna.public}, ["three", "one"]),
        ({"has": "file"}, ["three"]),
        ({"has": ["file", "link"]}, []),
        ({"has": "image"}, []),
        ({"has": "link"}, ["five", "four https://example.org"]),
        ({"from": scene.guest.public}, []),
    ):
        assert await texts(scene, scene.boris, "report ", **params) == [f"report {x}" for x in expected], (
            params
        )
    assert await texts(scene, scene.boris, has="file") == ["report three"]
    assert len(await texts(scene, scene.boris, **{"from": scene.anna.public})) == 3


async def test_dates_bound_what_is_found(scene: Scene) -> None:
    await say(scene, "early bird")
    [row] = await scene.house.sql("SELECT created_at FROM message WHERE text = 'early bird'")
    at: dt.datetime = row["created_at"]
    later = at + dt.timedelta(microseconds=1)
    zone = dt.timezone(dt.timedelta(hours=3))
    for params, is_found in (
        ({"date_from": at}, True),
        ({"date_from": later}, False),
        ({"date_to": at}, False),
        ({"date_to": later}, True),
        ({"date_from": at.astimezone(zone), "date_to": later.astimezone(zone)}, True),
    ):
        asked = {key: value.isoformat() for key, value in params.items()}
        assert bool(await texts(scene, scene.boris, "bird", **asked)) == is_found, params


async def test_pages_give_every_message_once_newest_first(scene: Scene) -> None:
    await say(scene, *(f"page {n}" for n in range(23)))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await search(scene, scene.boris, "page ", limit=5, **cursor)
        seen += [item["message"]["text"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [f"page {n}" for n in reversed(range(23))]


async def test_a_page_is_full_although_much_was_deleted_before_the_index_heard(scene: Scene) -> None:
    await say(scene, *(f"keep {n}" for n in range(3)), *(f"keep gone {n}" for n in range(7)))
    await index_all(scene.house)
    await scene.house.sql("UPDATE message SET deleted_at = now(), text = '' WHERE text LIKE '%gone%'")
    assert await texts(scene, scene.boris, "keep ", limit=3) == ["keep 2", "keep 1", "keep 0"]


async def test_highlights_are_the_words_found_in_utf16(scene: Scene) -> None:
    await say(scene, "🎉 Ещё сообщение: 😀messages, сообщения! и message_x")
    page = await search(scene, scene.boris, 'ещё "сообщение" messag')
    [item] = page["items"]
    text = item["message"]["text"]
    marked = [utf16_slice(text, mark["offset"], mark["length"]) for mark in item["highlights"]]
    assert marked == ["Ещё", "сообщение", "messages", "сообщения", "message"]
    assert item["conversation"] == {
        "id": public_id("cnv", scene.group),
        "kind": "group",
        "title": "Team",
        "peer": None,
    }


async def test_a_conversation_without_a_title_is_told_by_the_other_one(scene: Scene) -> None:
    direct = await scene.place.open(scene.anna, scene.boris, kind="direct", title=None)
    await scene.place.say(direct, scene.anna, "psst")
    await scene.place.say(scene.room.id, scene.room.contact_id, "psst, shop")
    found = (await search(scene, scene.boris, "psst"))["items"]
    assert [(item["conversation"]["kind"], item["conversation"]["peer"]["name"]) for item in found] == [
        ("desk", "Carla"),
        ("direct", "Anna"),
    ]


async def test_an_edit_is_found_by_its_new_words_alone_and_a_deleted_message_not_at_all(scene: Scene) -> None:
    sent = await scene.place.say(scene.group, scene.anna, "apples")
    message = parse_id("msg", sent.message.id)
    assert await texts(scene, scene.boris, "apples") == ["apples"]
    async with scene.house.db.transaction(scene.place.id) as tx:
        await editing.edit_message(tx, scene.anna.caller, scene.group, message, text="pears", entities=[])
    async with scene.house.client(scene.boris) as client:  # the index has not heard of it yet
        answer = await client.get("/v1/search/messages", params={"query": "apples"})
        assert answer.json()["items"] == []
    assert await texts(scene, scene.boris, "apples") == []
    assert await texts(scene, scene.boris, "pear ") == ["pears"]
    async with scene.house.db.transaction(scene.place.id) as tx:
        await editing.delete_message(tx, scene.anna.caller, scene.group, message)
    async with scene.house.client(scene.boris) as client:
        answer = await client.get("/v1/search/messages", params={"query": "pears"})
        assert answer.json()["items"] == []
    assert await texts(scene, scene.boris, "pears") == []
    assert await scene.house.sql("SELECT FROM message_search WHERE message_id = $1", message) == []


async def test_simple_words_are_found_exactly_where_a_naive_search_finds_them(scene: Scene) -> None:
    """Words without endings, in random messages of two conversations; by all ways through the index."""
    choose = random.Random(4)
    words = ["kot", "dom", "les", "мир", "сад", "пол", "ночь", "ёж", "x1", "7", "zz", "дым"]
    other = await scene.place.open(scene.anna, scene.boris, title="Other")
    said: list[tuple[Any, str]] = []
    for _ in range(150):
        room = choose.choice([scene.group, other])
        text = choose.choice([" ", ", ", " — ", ".\n"]).join(choose.choices(words, k=choose.randrange(1, 6)))
        await scene.place.say(room, scene.anna, text.upper() if choose.random() < 0.2 else text)
        said.insert(0, (room, text.upper() if text.upper() == text else text))
    await index_all(scene.house)
    stored = await scene.house.sql(
        "SELECT conversation_id, text FROM message ORDER BY created_at DESC, id DESC"
    )
    for _ in range(60):
        wanted = choose.sample(words, choose.randrange(1, 4))
        room = choose.choice([None, None, scene.group, other])
        params = {"conversation_id": public_id("cnv", room)} if room else {}
        for who in (scene.boris, scene.olga):
            mine = {scene.group, other} if who is scene.boris else {scene.group}
            if room and room not in mine:
                continue
            expected = [
                row["text"] for row in stored
                if row["conversation_id"] in mine and room in (None, row["conversation_id"])
                and set(wanted) <= set(_naive(row["text"]))
            ]  # fmt: skip
            found = await texts(scene, who, " ".join(wanted) + " ", limit=100, **params)
            assert found == expected[:100], (wanted, room)


def _naive(text: str) -> list[str]:
    for mark in ",.—\n":
        text = text.replace(mark, " ")
    return text.lower().split()


def test_a_question_is_taken_apart() -> None:
    for text, parts, beginning in (
        ("", (), ""),
        ("one", (), "one"),
        ("one ", ("one",), ""),
        ("one two", ("one",), "two"),
        ('"one two" three', ("one two",), "three"),
        ('"one two', ("one ",), "two"),
        ('"one two"', ("one two",), ""),
        ("foo@bar.com", ("foo@bar.",), "com"),
        (' "" - ! ', (), ""),
    ):
        asked = parse_query(text)
        assert (asked.parts, asked.beginning) == (parts, beginning), text
