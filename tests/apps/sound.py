"""A sound database with something in every table the doctor looks at, to be copied and broken."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from parley.apps.work import SCHEDULES
from parley.conversations import editing, reading
from parley.desk.delivery_store import DELIVERIES
from parley.infra.schedules import register_schedules
from parley.kit.ids import parse_id, uuid7
from tests.house import House, Person, Room, Workspace, index_all, open_house

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


async def furnish_soundly(dsn: str, data_dir: Path) -> None:
    """Fill a migrated database and a data directory; on return nobody is connected."""
    async with open_house(dsn, data_dir) as house:
        place = await house.workspace()
        owner, agent = await place.user("Olga", "owner"), await place.user("Anna", "agent")
        await _furnish_team(place, owner, agent)
        inbox = await place.inbox(agent)
        room = await place.room(inbox)
        await _furnish_desk(house, place, room, agent)
        await index_all(house)
        await _furnish_work(house)


async def _furnish_team(place: Workspace, owner: Person, agent: Person) -> None:
    """A group with a read, an edited and a deleted message and a reaction; a pair; four personal events."""
    group = await place.open(owner, agent, title="Team")
    await place.open(owner, agent, kind="direct", title=None)
    said = [await place.say(group, owner, text) for text in ("one", "two", "three")]
    await place.say(group, agent, "mine, the rest unread")
    ids = [parse_id("msg", posted.message.id) for posted in said]
    async with place.house.db.transaction(place.id) as tx:
        await editing.edit_message(tx, owner.caller, group, ids[0], text="ONE", entities=[])
        await editing.delete_message(tx, owner.caller, group, ids[1])
        await editing.add_reaction(tx, agent.caller, group, ids[0], "+")
    for number in (1, 2):
        async with place.house.db.transaction(place.id) as tx:
            await reading.mark_read(tx, agent.caller, group, number)
    await place.say(group, agent, "mine again")


async def _furnish_desk(house: House, place: Workspace, room: Room, agent: Person) -> None:
    """A customer with a question, a note about it that somebody likes, and two answers that were sent, one with a file."""
    await place.say(room.id, room.contact_id, "hello?")
    note = await place.say(room.id, agent, "a note", kind="note")
    async with house.db.transaction(place.id) as tx:
        await editing.add_reaction(tx, agent.caller, room.id, parse_id("msg", note.message.id), "+")
    await place.say(room.id, agent, "first answer", media_ids=[await place.media(agent)])
    await place.say(room.id, agent, "second answer")
    for statement in (
        "UPDATE delivery SET state = 'sent', work = 'done', finished_at = now()",
        """UPDATE message m SET status = '{"state": "sent"}' FROM delivery d WHERE d.message_id = m.id""",
        """INSERT INTO delivery_part (workspace_id, delivery_id, ordinal, state, provider_ids)
        SELECT workspace_id, id, 0, 'sent', ARRAY[(100 + row_number() OVER (ORDER BY seq))::text] FROM delivery""",
        """INSERT INTO message_source (workspace_id, inbox_id, chat, provider_id, conversation_id, message_id, direction)
        SELECT d.workspace_id, d.inbox_id, i.address, p.provider_ids[1], d.conversation_id, d.message_id, 'out'
        FROM delivery d JOIN delivery_part p ON p.delivery_id = d.id
        JOIN desk_conversation k ON k.conversation_id = d.conversation_id JOIN identity i ON i.id = k.identity_id""",
        "UPDATE inbox SET poll_lease_token = gen_random_uuid(), poll_lease_until = now() + interval '1 day'",
    ):
        await house.sql(statement)
    assert len(await house.sql(f"SELECT FROM {DELIVERIES.name}")) == 2


async def _furnish_work(house: House) -> None:
    """A journal item and a job that are done, a file on its way, schedules, a follower."""
    async with house.db.system() as tx:
        await register_schedules(tx, SCHEDULES)
    pending = uuid7()
    for statement in (
        "UPDATE schedule SET next_at = now() + interval '1 day'",
        """INSERT INTO journal (workspace_id, id, inbox_id, body, lane, work, outcome, finished_at)
        SELECT workspace_id, gen_random_uuid(), id, convert_to('{"update_id": 1, "message": {"message_id": 7, "date": 1,
            "chat": {"id": 5, "type": "private"}, "from": {"id": 5, "is_bot": false, "first_name": "A"}, "text": "hi"}}',
            'UTF8'), 'a', 'done', 'message', now() FROM inbox""",
        """INSERT INTO message_source (workspace_id, inbox_id, chat, provider_id, conversation_id, message_id, direction)
        SELECT workspace_id, inbox_id, '5', '7', conversation_id, message_id, 'in' FROM delivery ORDER BY seq LIMIT 1""",
        "INSERT INTO job (id, kind, work, finished_at) VALUES (gen_random_uuid(), 'system.sweep', 'done', now())",
        f"""INSERT INTO media (workspace_id, id, state, kind, source, created_at)
        SELECT id, '{pending}', 'pending', 'file', '{{}}', now() - interval '1 day' FROM workspace""",
        f"""INSERT INTO job (workspace_id, id, kind, payload, due_at) SELECT id, gen_random_uuid(), 'desk.fetch_media',
        '{{"media_id": "{pending}"}}', now() + interval '1 day' FROM workspace""",
        "INSERT INTO follower (name, transaction) VALUES ('reports', pg_current_xact_id())",
    ):
        await house.sql(statement)
