"""The ledger's moves: those of the table and no others."""

from __future__ import annotations

import itertools

import pytest

from parley.desk.errors import MoveRefused
from parley.desk.ledger import ACTIONS, MOVES, Move, check_move, record_move
from parley.kit.ids import parse_id
from tests.desk.scene import Desk

pytestmark = pytest.mark.anyio

ALLOWED = {
    ("queued", "sending"), ("queued", "cancelled"), ("queued", "failed"),
    ("sending", "sent"), ("sending", "failed"), ("sending", "queued"), ("sending", "unknown"),
    ("unknown", "sent"), ("unknown", "delivered"), ("unknown", "read"), ("unknown", "queued"),
    ("sent", "delivered"), ("sent", "read"), ("sent", "failed"),
    ("delivered", "read"),
    ("failed", "queued"), ("failed", "delivered"), ("failed", "read"),
}  # fmt: skip
STATES = sorted(MOVES)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATES, STATES)))
def test_a_move_is_in_the_table_or_refused(before: str, after: str) -> None:
    if (before, after) in ALLOWED:
        check_move(before, after)
    else:
        with pytest.raises(MoveRefused):
            check_move(before, after)


async def test_a_move_is_written_and_shown_or_neither(desk: Desk) -> None:
    message = await desk.send("hi")
    key = parse_id("msg", message["id"])
    for before, after in itertools.product(STATES, STATES):
        await desk.house.sql("UPDATE delivery SET state = $1", before)
        status = f'{{"state": "{before}"}}'
        await desk.house.sql("UPDATE message SET status = $2 WHERE id = $1", key, status)
        refused = False
        try:
            async with desk.house.db.transaction(desk.place.id) as tx:
                row = await tx.fetchrow("SELECT * FROM delivery")
                await record_move(tx, row, Move(to=after))
        except MoveRefused:
            refused = True
        [delivery] = await desk.house.sql("SELECT state FROM delivery")
        expected = before if refused else after
        assert refused is ((before, after) not in ALLOWED)
        assert (delivery["state"], await desk.state(message)) == (expected, expected)


async def test_an_agent_may_act_from_one_state_only(desk: Desk) -> None:
    for action, state in itertools.product(ACTIONS, STATES):
        message = await desk.send(f"{action} {state}")
        if state != "queued":
            await desk.set_ledger(message, state)
        before, after = ACTIONS[action]
        if state == before:
            answer = await desk.act(message, action)
            assert answer["status"]["state"] == after
        else:
            refused = await desk.act(message, action, status=409)
            assert refused["error"]["code"] == "move_refused"
