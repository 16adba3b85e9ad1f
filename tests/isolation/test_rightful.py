"""Every write, by whom it is for: so that the refusals of test_routes.py are refusals of rights, and not of the requests."""

from __future__ import annotations

import pytest

from parley.accounts.passwords import hash_password
from parley.kit.ids import public_id
from tests.house import House
from tests.isolation.furnished import Furnished, schedule
from tests.isolation.routes import CLASSES, DESK, OWN, PASSWORD, PUBLIC, request

pytestmark = pytest.mark.anyio

WRITES = [name for name, kind in CLASSES.items() if not name.startswith("GET") and kind != PUBLIC]
OF_STATE = {
    "POST /v1/me/proof-code": (401, "proof_needed", "there is no number to send a code to"),
    "POST /v1/me/totp/confirm": (401, "wrong_code", "of an app that nobody has"),
    "POST /v1/me/passkeys/begin": (409, "passkeys_off", "the address is no name"),
    "POST /v1/me/passkeys": (409, "passkeys_off", "the address is no name"),
    "POST /v1/me/phone": (409, "phone_sign_in_off", "no SMS is sent"),
    "POST /v1/me/phone/check": (401, "wrong_code", "of an SMS that nobody sent"),
    "POST /v1/me/phone/remove": (404, "not_found", "there is no number"),
    "POST /v1/users/{user_id}/invitation": (409, "already_joined", "the user is here"),
    "POST /v1/inboxes": (422, "unknown_channel", "a real one would ask its provider"),
    "POST /v1/sandbox/inboxes": (404, "sandbox_off", "it is off"),
    "POST /v1/inboxes/{inbox_id}/reconnect": (503, "temporary", "the provider does not answer"),
    "POST /v1/desk/journal/{item_id}/replay": (422, "bad_update", "what is kept is no update"),
}
"""Writes that the furnished workspace is in no state for, and what says so: the right is looked at before."""
LATE = (
    "POST /v1/me/second-factor",
    "POST /v1/me/recovery-codes",
    "POST /v1/me/passkeys/{passkey_id}/remove",
    "POST /v1/conversations/{conversation_id}/leave",
    "POST /v1/invite-links/join",
    "DELETE /v1/conversations/{conversation_id}/members/{actor_id}",
    "POST /v1/conversations/{conversation_id}/bans",
    "DELETE /v1/conversations/{conversation_id}/bans/{actor_id}",
    "DELETE /v1/conversations/{conversation_id}/invite-links/{link_id}",
    "DELETE /v1/conversations/{conversation_id}/messages/{message_id}",
    "DELETE /v1/inboxes/{inbox_id}/members/{actor_id}",
    "DELETE /v1/inboxes/{inbox_id}",
    "PUT /v1/users/{user_id}/integration",
    "POST /v1/me/password",
    "DELETE /v1/sessions/{session_id}",
    "DELETE /v1/users/{user_id}/sessions",
)
"""Writes after which others could not be tried, in their order."""


def in_order() -> list[str]:
    """Every write; what takes away comes after what it would be missed by."""
    return sorted(WRITES, key=lambda name: (name in LATE and LATE.index(name) + 1, name.startswith("DELETE")))


async def test_every_write_is_done_for_whom_it_is_for(house: House, ours: Furnished) -> None:
    assert not {*OF_STATE, *LATE} - set(WRITES)
    async with house.db.system() as tx:
        await tx.execute("UPDATE login SET password_hash = $1", await hash_password(PASSWORD))
    embedder = await ours.place.bot("Embedder", "act", "desk", "chat")
    people = {
        "POST /v1/users/{user_id}/sessions": embedder,
        "POST /v1/conversations/{conversation_id}/leave": ours.agent,
    }
    wrong: dict[str, str] = {}
    for name in in_order():
        kind = CLASSES[name]
        who = people.get(name, ours.agent if kind in (DESK, OWN) else ours.owner)
        ids = {**(ours.ids if kind == DESK else ours.group_ids)}
        if name == "DELETE /v1/conversations/{conversation_id}/scheduled/{scheduled_id}":
            ids["scheduled_id"] = public_id(
                "sch", await schedule(ours.place, ours.group, ours.owner, "again")
            )
        body = None
        if name == "POST /v1/me/password":
            body = {"current_password": PASSWORD, "new_password": PASSWORD + "!"}
        answer = await request(house, name, who, ours, ids, body=body)
        if name in OF_STATE:
            told = answer.status_code, answer.json().get("error", {}).get("code")
            is_fine = told == OF_STATE[name][:2]
        else:
            is_fine = answer.is_success
        if not is_fine:
            wrong[name] = f"{answer.status_code} {answer.text[:300]}"
    assert not wrong, "\n".join(f"{name}: {told}" for name, told in wrong.items())
