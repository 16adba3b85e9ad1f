"""`search.1m`: search over a million Russian and English messages in 10 000 conversations, over REST.

Asked by somebody in 5 conversations and by somebody in 5 000: very common, usual and rare words, two at once, words half
typed, words in quotes; everywhere and in one conversation, first and second pages. Every page is compared with what a
naive search over the same messages finds, visible ones only. Open loop: people ask at half the rate that one client
reaches who asks one thing after another.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import uvloop

from bench.figures import Figure, Round, make_figure
from bench.keeper import Keeper
from bench.machine import CpuWatch, pin_generator
from bench.open_loop import keep_coming, percentile
from bench.stage import CONVERSATIONS, SENDER, WORKSPACE, Stage, conversation_uuid, open_stage
from bench.wording import WORDS_IN_LANGUAGE, Said, make_messages
from parley.infra.crypto import hash_token
from parley.kit.ids import parse_id, public_id, uuid7

MESSAGES = 1_000_000
PAGE = 50
ROUNDS = 5
SEARCHES = 150
"""Of each person in a round."""
CLOSED_SEARCHES = 60
"""Of a round, asked one after another at its beginning, for the rate at which all of them then come."""
DELETED_EVERY = 500
BAR_MS = 300.0
FEW = (1, 2, 51, 502, 5003)
"""Rooms of the one with few conversations: the two largest are among them."""
KINDS = ("common", "usual", "rare", "two", "half", "quoted", "nowhere")


class Person(NamedTuple):
    """Who asks, and the rooms, from 0, that they are in."""

    name: str
    token: str
    rooms: frozenset[int]


class Question(NamedTuple):
    """What is asked: the words by number, what is typed, where, and which page."""

    kind: str
    words: tuple[int, ...]
    typed: str
    room: int | None
    page: int


class Naive:
    """The same messages, searched by hand: which words are forms of one is asked of the database once."""

    def __init__(self, said: Said, stems: list[str], endings: dict[str, str]) -> None:
        self.said = said
        self.stems = stems
        self.halves = endings
        self._forms: dict[str, set[int]] = defaultdict(set)
        for word, stem in enumerate(stems):
            self._forms[stem].add(word)
        self._places: dict[int, list[int]] = defaultdict(list)
        for message in range(MESSAGES):
            if message % DELETED_EVERY:
                for word in set(said.of(message)):
                    self._places[word].append(message)

    def find(self, question: Question, person: Person) -> list[int]:
        """Return the messages of the page, newest first."""
        rooms = person.rooms if question.room is None else {question.room}
        found: list[int] = []
        for message in self._candidates(question):
            if self.said.rooms[message] in rooms and self._is_met(question, message):
                found.append(message)
                if len(found) == (question.page + 1) * PAGE:
                    break
        return found[question.page * PAGE :]

    def _wanted(self, question: Question) -> list[set[int]]:
        if question.kind == "half":
            half = question.typed
            begins = {
                word for word, text in enumerate(self.said.vocabulary) if _fold(text).startswith(_fold(half))
            }
            return [begins | self._forms.get(self.halves[half], set())]
        return [self._forms[self.stems[word]] for word in question.words]

    def _candidates(self, question: Question) -> Iterator[int]:
        """Every message with the rarest of the words, newest first."""
        rarest = min(self._wanted(question), key=lambda forms: sum(len(self._places[word]) for word in forms))
        return iter(sorted({message for word in rarest for message in self._places[word]}, reverse=True))

    def _is_met(self, question: Question, message: int) -> bool:
        words = self.said.of(message)
        wanted = self._wanted(question) if len(question.words) > 1 else []
        if question.kind == "quoted":
            return any(words[n] in wanted[0] and words[n + 1] in wanted[1] for n in range(len(words) - 1))
        return all(not forms.isdisjoint(words) for forms in wanted)


def _fold(text: str) -> str:
    return text.replace("ё", "е")


async def measure() -> Figure:
    """Search and compare each page with what a naive search finds."""
    said = make_messages(MESSAGES, CONVERSATIONS)
    rounds: list[Round] = []
    rates: list[float] = []
    every: dict[str, list[float]] = defaultdict(list)
    async with open_stage() as stage:
        people = [
            Person("5", f"pk_{'5' * 40}", frozenset(room - 1 for room in FEW)),
            Person(
                "5000",
                f"pk_{'6' * 40}",
                frozenset(range(0, CONVERSATIONS, 4)) | frozenset(range(3, CONVERSATIONS, 4)),
            ),
        ]
        choose = random.Random(23)
        questions = [
            [_choose(choose, said, person) for _ in range(SEARCHES)]
            for person in people
            for _ in range(ROUNDS)
        ]
        naive = await _seed(
            stage, said, people, [q.typed for some in questions for q in some if q.kind == "half"]
        )
        async with stage.parley(), Keeper("127.0.0.1", stage.port) as keeper:
            pin_generator()
            for number in range(ROUNDS):
                asked = [
                    (person, question)
                    for n, person in enumerate(people)
                    for question in questions[n * ROUNDS + number]
                ]
                choose.shuffle(asked)
                searches = _Searches(keeper)
                rate = await searches.one_after_another(asked[:CLOSED_SEARCHES]) / 2
                wrong = searches.compare(naive)
                searches = _Searches(keeper)
                watch = CpuWatch()
                await searches.keep_coming(asked, rate, number)
                steal, generator = watch.read()
                wrong += searches.compare(naive)
                rates.append(rate)
                for name, some in searches.times.items():
                    every[name] += some
                times = [seconds for some in searches.times.values() for seconds in some]
                p50, p95 = percentile(times, 0.5) * 1000, percentile(times, 0.95) * 1000
                rounds.append(
                    Round(
                        value=p95,
                        against_value=BAR_MS,
                        steal=steal,
                        generator_cpu=generator,
                        disordered=wrong,
                    )
                )
                print(
                    f"  round {number + 1}: {rate:.0f}/s, p50 {p50:.1f} p95 {p95:.1f} ms, wrong {wrong}, "
                    f"generator {generator:.0%}, steal {steal:.0%}",
                    file=sys.stderr,
                )
    slowest = ", ".join(
        f"{name} {percentile(times, 0.5) * 1000:.0f} / {percentile(times, 0.95) * 1000:.0f} / {max(times) * 1000:.0f}"
        for name, times in sorted(every.items())
    )
    return make_figure(
        "search.1m",
        "ms p95",
        "bar",
        "< 300 ms",
        rounds,
        notes=f"pages of {PAGE} with highlights, Poisson at {min(rates):.0f}-{max(rates):.0f} a second, half of them asked "
        f"by somebody in 5 conversations, half in 5000; each compared with a naive search. p50 / p95 / worst in ms: {slowest}",
    )


def _choose(choose: random.Random, said: Said, person: Person) -> Question:
    kind = choose.choice(KINDS)
    language = choose.randrange(2)
    spans = {
        "common": (0, 30),
        "usual": (100, 2000),
        "rare": (5000, WORDS_IN_LANGUAGE),
        "half": (0, 3000),
        "two": (0, 60),
    }
    room = choose.choice(sorted(person.rooms)) if choose.random() < 0.3 else None
    page = 1 if choose.random() < 0.2 else 0
    if kind == "quoted":
        while True:
            message = choose.randrange(MESSAGES)
            if said.rooms[message] in person.rooms:
                break
        place = choose.randrange(len(said.of(message)) - 1)
        words = tuple(said.of(message)[place : place + 2])
        typed = f'"{said.vocabulary[words[0]]} {said.vocabulary[words[1]]}"'
        return Question(kind, words, typed, room, page)
    if kind == "nowhere":  # both are common, and nobody says them together
        words = (choose.randrange(20), WORDS_IN_LANGUAGE + choose.randrange(20))
    else:
        words = tuple(
            language * WORDS_IN_LANGUAGE + choose.randrange(*spans[kind])
            for _ in range(2 if kind == "two" else 1)
        )
    texts = [said.vocabulary[word] for word in words]
    typed = (
        texts[0][: max(2, len(texts[0]) - choose.randrange(3))] if kind == "half" else " ".join(texts) + " "
    )
    return Question(kind, words, typed, room, page)


class _Searches:
    """Asks, and keeps what came until nobody waits any more: to find it by hand takes longer."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._found: list[tuple[Person, Question, list[int]]] = []
        self.times: dict[str, list[float]] = defaultdict(list)
        """Seconds from the moment a page was due, by kind of question and who asked."""

    async def one_after_another(self, asked: Sequence[tuple[Person, Question]]) -> float:
        """Return questions a second."""
        started = time.perf_counter()
        for person, question in asked:
            await self._ask(person, question, time.perf_counter())
        return len(asked) / (time.perf_counter() - started)

    async def keep_coming(self, asked: Sequence[tuple[Person, Question]], rate: float, seed: int) -> None:
        """Ask all of them, so many a second, none of which waits for another."""
        left = iter(asked)
        is_over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def one(due: float) -> None:
            if (following := next(left, None)) is not None:
                await self._ask(*following, due)
            elif not is_over.done():
                is_over.set_result(None)

        await keep_coming(one, rate, is_over, seed=seed)

    async def _ask(self, person: Person, question: Question, due: float) -> None:
        params: dict[str, Any] = {"query": question.typed, "limit": PAGE}
        if question.room is not None:
            params["conversation_id"] = public_id("cnv", UUID(conversation_uuid(question.room + 1)))
        page: dict[str, Any] = {"items": [], "next": ""}
        for _ in range(question.page + 1):
            if page["next"] is None:
                page = {"items": [], "next": None}
                break
            cursor = {"cursor": page["next"]} if page["next"] else {}
            path = f"/v1/search/messages?{urlencode({**params, **cursor})}"
            page = await self._keeper.get(path, person.token)
            now = time.perf_counter()
            self.times[f"{question.kind} of {person.name}"].append(now - due)
            due = now
        found = [parse_id("msg", item["message"]["id"]).int & (2**32 - 1) for item in page["items"]]
        self._found.append((person, question, found))

    def compare(self, naive: Naive) -> int:
        """Return how many pages were not what they should be."""
        return sum(found != naive.find(question, person) for person, question, found in self._found)


async def _seed(stage: Stage, said: Said, people: list[Person], halves: list[str]) -> Naive:
    """Write messages and their index as Parley would have, the index of words at the end."""
    connection = await stage.connect()
    room = "('00000000-0000-7000-8001-' || lpad(to_hex(room + 1), 12, '0'))::uuid"
    message = "('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid"
    try:
        await connection.execute("CREATE UNLOGGED TABLE said (n integer, room integer, text text)")
        for first in range(0, MESSAGES, 50_000):
            rows = [(n, said.rooms[n], said.text(n)) for n in range(first, first + 50_000)]
            await connection.copy_records_to_table("said", records=rows)
        [definition] = [
            row["indexdef"]
            for row in await connection.fetch(
                "SELECT indexdef FROM pg_indexes WHERE indexname = 'message_search_words'"
            )
        ]
        await connection.execute(
            f"""BEGIN; SET LOCAL session_replication_role = replica; DROP INDEX message_search_words;
            INSERT INTO message (workspace_id, conversation_id, id, position, number, kind, sender_id, text, created_at, deleted_at)
            SELECT '{WORKSPACE}', {room}, {message}, row_number() OVER w, row_number() OVER w, 'text', '{SENDER}',
                CASE WHEN n % {DELETED_EVERY} = 0 THEN '' ELSE text END, now() - ({MESSAGES} - n) * interval '30 s',
                CASE WHEN n % {DELETED_EVERY} = 0 THEN now() END
            FROM said WINDOW w AS (PARTITION BY room ORDER BY n);
            INSERT INTO message_search (workspace_id, conversation_id, message_id, at, sender_id, version, is_note, words)
            SELECT workspace_id, conversation_id, id, created_at, sender_id, 1, false, search_words(folded)
                || array_to_tsvector(ARRAY[search_mark('w', workspace_id::text), search_mark('c', conversation_id::text),
                    search_mark('f', sender_id::text)])
            FROM (SELECT *, search_fold(text) AS folded FROM message WHERE deleted_at IS NULL ORDER BY id OFFSET 0) m;
            UPDATE conversation c SET head = m.last, last_number = m.last
            FROM (SELECT conversation_id, max(number) AS last FROM message GROUP BY 1) m WHERE m.conversation_id = c.id;
            {definition};
            COMMIT""",
            timeout=600,
        )
        for person in people:
            await _join(connection, person)
        await connection.execute("DROP TABLE said")
        await connection.execute("VACUUM ANALYZE", timeout=600)
        stems = await connection.fetchval(_STEMS, said.vocabulary)
        endings = await connection.fetchval(_STEMS, halves)
        return Naive(said, stems, dict(zip(halves, endings, strict=True)))
    finally:
        await connection.close()


_STEMS = """SELECT array_agg((ts_lexize(CASE WHEN w.word ~ '^[a-z]' THEN 'parley_english' ELSE 'parley_russian' END::regdictionary,
    search_fold(w.word)))[1] ORDER BY w.n) FROM unnest($1::text[]) WITH ORDINALITY AS w (word, n)"""


async def _join(connection: Any, person: Person) -> None:
    actor = uuid7()
    await connection.execute(
        "INSERT INTO actor (workspace_id, id, kind, name) VALUES ($1, $2, 'bot', $3)",
        WORKSPACE,
        actor,
        person.name,
    )
    await connection.execute(
        """INSERT INTO api_key (workspace_id, id, actor_id, name, hash, hint, scopes)
        VALUES ($1, $2, $2, 'bench', $3, 'nch1', '{chat}')""",
        WORKSPACE,
        actor,
        hash_token(person.token),
    )
    await connection.execute(
        """INSERT INTO member (workspace_id, conversation_id, actor_id, role)
        SELECT $1, id, $2, 'member' FROM unnest($3::uuid[]) AS id""",
        WORKSPACE,
        actor,
        [conversation_uuid(room + 1) for room in person.rooms],
    )


def run() -> Figure:
    """Measure and return the figure."""
    return uvloop.run(measure())
