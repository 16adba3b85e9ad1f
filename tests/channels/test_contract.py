"""What every adapter promises, held against each channel of the registry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parley.channels.contract import (
    Account,
    AccountBroken,
    Adapter,
    BadUpdate,
    Call,
    Ignored,
    IncomingMessage,
    JournalPart,
    OutgoingAttachment,
    OutgoingMessage,
    RecipientGone,
    Rejected,
    SendError,
    Temporary,
    Uncertain,
    Unsupported,
)
from parley.channels.registry import ADAPTERS, build_adapters
from parley.infra.http_client import HttpClient, Timeouts
from parley.kit.text import utf16_length
from tests.channels.providers import PROVIDERS, ProviderCase
from tests.ports import free_port
from tests.scripted_http import (
    Behaviour,
    ScriptedServer,
    answers,
    hangs,
    resets,
    scripted_server,
    sends_raw,
)

pytestmark = pytest.mark.anyio

FILE = OutgoingAttachment(
    kind="image", key="k", name="a.jpg", content_type="image/jpeg", size_bytes=9, width=3, height=3
)
HEADERS = {"content-type": "application/json", "user-agent": "x"}


class OneFile:
    """A media source with the nine bytes of FILE."""

    async def open(self, key: str) -> AsyncIterator[bytes]:
        assert key == "k"
        yield b"123456789"


@pytest.fixture(params=sorted(ADAPTERS))
def channel(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def case(channel: str) -> ProviderCase:
    return PROVIDERS[channel]


@pytest.fixture
async def adapter(channel: str) -> AsyncIterator[Adapter]:
    async with HttpClient(timeouts=Timeouts(connect=3, read=0.7, pool=3, total=5)) as http:
        yield build_adapters(http)[channel]


@pytest.fixture
def pure(channel: str) -> Adapter:
    """The adapter for its pure parts: its client is never used."""
    return ADAPTERS[channel](HttpClient())


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server(answers(200, b"")) as server:
        yield server


def test_every_channel_has_its_case_and_its_name() -> None:
    assert PROVIDERS.keys() == ADAPTERS.keys()
    assert all(adapter.channel == name for name, adapter in build_adapters(HttpClient()).items())


def test_limits_and_features_are_sensible(pure: Adapter) -> None:
    limits, features = pure.limits, pure.features
    assert min(limits.chat_per_second, limits.inbox_per_second) > 0
    assert min(limits.chat_burst, limits.inbox_burst) >= 1
    assert features.text_limit > 0
    assert features.upload_limit_bytes > 0


# ---------------------------------------------------------------- in


def test_a_message_is_split_and_parsed_the_same_each_time(pure: Adapter, case: ProviderCase) -> None:
    account = case.account("http://127.0.0.1:1")
    (part,) = pure.split(case.good_body)
    assert pure.split(case.good_body) == [part]
    assert part.lane
    (message,) = pure.parse(account, part.body)
    assert pure.parse(account, part.body) == [message]
    assert isinstance(message, IncomingMessage)
    assert (message.chat, message.text) == (case.chat, "привет")
    assert message.person.address
    assert message.person.name
    assert message.at.tzinfo is not None
    assert msgspec.json.decode(msgspec.json.encode(message), type=IncomingMessage) == message


def test_what_we_do_not_act_on_is_ignored_with_a_reason(pure: Adapter, case: ProviderCase) -> None:
    for part in pure.split(case.foreign_body):
        for event in pure.parse(case.account("http://127.0.0.1:1"), part.body):
            assert isinstance(event, Ignored)
            assert event.reason


def test_a_bad_body_is_a_bad_update(pure: Adapter, case: ProviderCase) -> None:
    def read(body: bytes) -> None:
        for part in pure.split(body) or [JournalPart("", body)]:
            pure.parse(case.account("http://127.0.0.1:1"), part.body)

    for body in case.bad_bodies:
        with pytest.raises(BadUpdate) as caught:
            read(body)
        assert "path" in caught.value.fields


@given(st.binary(max_size=100), st.integers(0, 400), st.integers(0, 60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_a_damaged_body_is_read_or_a_bad_update(
    pure: Adapter, case: ProviderCase, junk: bytes, start: int, length: int
) -> None:
    body = case.good_body[:start] + junk + case.good_body[start + length :]
    try:
        for part in pure.split(body):
            pure.parse(case.account("http://127.0.0.1:1"), part.body)
    except BadUpdate:
        return


def test_only_the_providers_requests_are_authentic(pure: Adapter, case: ProviderCase) -> None:
    account = case.account("http://127.0.0.1:1")
    assert pure.is_authentic(account, {**HEADERS, **case.good_headers}, case.good_body)
    assert not pure.is_authentic(account, HEADERS, case.good_body)
    for name, value in case.good_headers.items():
        for wrong in ("", value[:-1], value + "x", value.swapcase(), "пароль", "\udcff"):
            assert not pure.is_authentic(account, {**HEADERS, name: wrong}, case.good_body)
    bare = Account(inbox_id="inb", secrets={}, config={})
    assert not pure.is_authentic(bare, {**HEADERS, **case.good_headers}, case.good_body)
    assert not pure.is_authentic(bare, {**HEADERS, **dict.fromkeys(case.good_headers, "")}, case.good_body)


# ---------------------------------------------------------------- planning


def test_planning_is_pure_and_refuses_what_it_cannot_send(pure: Adapter, case: ProviderCase) -> None:
    account = case.account("http://127.0.0.1:1")
    message = OutgoingMessage(chat=case.chat, text="Привет 🎉", attachments=[FILE])
    calls = pure.plan(account, message)
    assert calls
    assert calls == pure.plan(account, message)
    assert msgspec.json.decode(msgspec.json.encode(calls), type=list[Call]) == calls
    with pytest.raises((Rejected, Unsupported)):
        pure.plan(account, OutgoingMessage(chat=case.chat))


def test_a_long_text_is_sent_in_pieces_and_whole(pure: Adapter, case: ProviderCase) -> None:
    text = " ".join(f"слово{number}🎉" for number in range(2000))
    calls = pure.plan(case.account("http://127.0.0.1:1"), OutgoingMessage(chat=case.chat, text=text))
    pieces = [str(call.params["text"]) for call in calls]
    assert all(utf16_length(piece) <= pure.features.text_limit for piece in pieces)
    assert " ".join(pieces) == text


# ---------------------------------------------------------------- sending


async def send(adapter: Adapter, account: Account, *attachments: OutgoingAttachment) -> list[str]:
    chat = PROVIDERS[adapter.channel].chat
    message = OutgoingMessage(chat=chat, text="привет", attachments=attachments)
    ids: list[str] = []
    for call in adapter.plan(account, message):
        ids += (await adapter.perform(account, call, OneFile())).provider_ids
    return ids


async def test_what_the_provider_took_has_its_id(
    adapter: Adapter, case: ProviderCase, server: ScriptedServer
) -> None:
    server.plays(case.sent)
    assert await send(adapter, case.account(server.url)) == case.sent_ids
    assert await send(adapter, case.account(server.url), FILE) == case.sent_ids
    assert b"123456789" in server.seen[1].body


async def test_a_flood_limit_says_how_long_to_wait(
    adapter: Adapter, case: ProviderCase, server: ScriptedServer
) -> None:
    server.plays(case.too_many)
    with pytest.raises(Temporary) as caught:
        await send(adapter, case.account(server.url))
    assert caught.value.retry_after_seconds == case.retry_after_seconds


async def test_each_refusal_becomes_its_error(
    adapter: Adapter, case: ProviderCase, server: ScriptedServer
) -> None:
    refusals: list[tuple[Behaviour, type[SendError]]] = [
        (case.gone, RecipientGone),
        (case.rejected, Rejected),
        (case.broken, AccountBroken),
    ]
    for behaviour, error in refusals:
        server.plays(behaviour)
        with pytest.raises(error) as caught:
            await send(adapter, case.account(server.url))
        assert caught.value.message
        for secret in case.account("").secrets.values():
            assert secret not in f"{caught.value!r} {caught.value.fields}"


@pytest.mark.parametrize("attachments", [(), (FILE,)], ids=["text", "file"])
async def test_nobody_listening_is_temporary(
    adapter: Adapter, case: ProviderCase, attachments: tuple[OutgoingAttachment, ...]
) -> None:
    with pytest.raises(Temporary):
        await send(adapter, case.account(f"http://127.0.0.1:{free_port()}"), *attachments)


@pytest.mark.parametrize("attachments", [(), (FILE,)], ids=["text", "file"])
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(lambda: hangs(0.6), id="hang"),
        pytest.param(resets, id="reset"),
        pytest.param(lambda: sends_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), id="half"),
        pytest.param(lambda: sends_raw(b"\x16\x03\x01garbage\r\n\r\n"), id="garbage"),
        pytest.param(lambda: answers(200, b"<html>hello</html>"), id="page"),
        pytest.param(lambda: answers(500, b""), id="500"),
        pytest.param(lambda: answers(502, b"<html>Bad Gateway</html>"), id="502"),
        pytest.param(lambda: answers(504, b"<html>Timeout</html>"), id="504"),
    ],
)
async def test_a_lost_answer_is_uncertain_and_the_send_is_not_repeated(
    adapter: Adapter,
    case: ProviderCase,
    server: ScriptedServer,
    behaviour: Callable[[], Behaviour],
    attachments: tuple[OutgoingAttachment, ...],
) -> None:
    server.plays(behaviour())
    with pytest.raises(Uncertain) as caught:
        await send(adapter, case.account(server.url), *attachments)
    assert len(server.seen) == 1
    for secret in case.account("").secrets.values():
        assert secret not in f"{caught.value!r} {caught.value.fields} {caught.value.__cause__!r}"


async def test_an_edit_or_a_deletion_without_an_answer_may_be_repeated(
    adapter: Adapter, case: ProviderCase, server: ScriptedServer
) -> None:
    account = case.account(server.url)
    calls = []
    if adapter.features.can_edit:
        calls += adapter.plan_edit(account, OutgoingMessage(chat=case.chat, text="x"), case.sent_ids)
    if adapter.features.can_delete:
        calls += adapter.plan_delete(account, case.chat, case.sent_ids)
    server.plays(resets())
    for call in calls:
        with pytest.raises(Temporary):
            await adapter.perform(account, call, OneFile())


# ---------------------------------------------------------------- files, account, polling


async def test_a_file_comes_as_a_stream_without_being_held_whole(
    adapter: Adapter, case: ProviderCase, server: ScriptedServer
) -> None:
    content = bytes(range(256)) * 8000
    server.plays(*case.file_answers(content))
    media = await adapter.fetch_media(case.account(server.url), case.file_reference)
    chunks = [chunk async for chunk in media.chunks]
    await media.aclose()
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= 256 * 1024


async def test_a_file_that_breaks_off_is_temporary(
    adapter: Adapter, case: ProviderCase, server: ScriptedServer
) -> None:
    half = sends_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf")
    server.plays(*case.file_answers(b"")[:-1], half)
    media = await adapter.fetch_media(case.account(server.url), case.file_reference)
    with pytest.raises(Temporary):
        async for _ in media.chunks:
            pass
    with pytest.raises(Temporary):
        await adapter.fetch_media(case.account(f"http://127.0.0.1:{free_port()}"), case.file_reference)


async def test_connecting_checks_the_credentials(
    adapter: Adapter, case: ProviderCase, server: ScriptedServer
) -> None:
    account = case.account(server.url)
    server.plays(case.known)
    info = await adapter.connect(account.secrets, account.config)
    assert info.address
    assert info.name
    server.plays(case.broken)
    with pytest.raises(AccountBroken):
        await adapter.connect(account.secrets, account.config)
    with pytest.raises(AccountBroken):
        await adapter.connect(case.malformed_secrets, account.config)
    dead = case.account(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Temporary):
        await adapter.connect(dead.secrets, dead.config)


async def test_a_poll_gives_the_items_and_a_cursor_that_moves(
    adapter: Adapter, case: ProviderCase, server: ScriptedServer
) -> None:
    if not adapter.features.can_poll:
        pytest.skip("this channel does not poll")
    account = case.account(server.url)
    server.plays(case.polled([case.good_body]), case.polled([]))
    parts, cursor = await adapter.poll(account, None)
    (event,) = [event for part in parts for event in adapter.parse(account, part.body)]
    assert isinstance(event, IncomingMessage)
    assert event.text == "привет"
    assert await adapter.poll(account, cursor) == ([], cursor)
    assert cursor is not None
    server.plays(resets())
    with pytest.raises(Temporary):
        await adapter.poll(account, cursor)
    server.plays(case.broken)
    with pytest.raises(AccountBroken):
        await adapter.poll(account, cursor)


async def test_a_poll_can_be_cancelled_at_once(
    adapter: Adapter, case: ProviderCase, server: ScriptedServer
) -> None:
    if not adapter.features.can_poll:
        pytest.skip("this channel does not poll")
    server.plays(hangs())
    task = asyncio.create_task(adapter.poll(case.account(server.url), None))
    await asyncio.sleep(0.1)
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - begun < 10  # the server would say nothing for longer
