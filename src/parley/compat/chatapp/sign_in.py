"""Signing in by phone as this dialect does it: a code of four digits, then a JWT.

Codes, their limits and who may enter are `parley.accounts`' own. What the dialect adds: the name comes with the
request, not with the code, and is kept until then; and, where `Settings.chatapp_tells_numbers` allows it, the answer
says whether the number is known.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re

from parley.accounts import (
    Client,
    begin_lasting_session,
    check_phone_code,
    enter_by_phone,
    is_phone_known,
    request_phone_code,
)
from parley.accounts.attempts import Limit, count_together, subject_of
from parley.accounts.errors import WrongCode
from parley.accounts.phone_codes import CODE_FOR
from parley.accounts.user_ids import give_user_ids, new_user_id
from parley.compat.chatapp import store
from parley.compat.chatapp.errors import BadRequest
from parley.compat.chatapp.people import find_people
from parley.compat.chatapp.tokens import LASTS, issue_token
from parley.conversations.chat3 import Json
from parley.infra.db import Database
from parley.infra.runtime import Runtime
from parley.kit.errors import Forbidden
from parley.kit.ids import parse_id
from parley.kit.text import clean_name

CODE_DIGITS = 4
NAME_LIMIT = 200
TOLD = Limit("chatapp.told", 30, dt.timedelta(hours=1))
"""Times an address is told in an hour whether a number is known, where it is told at all."""
_PHONE = re.compile(r"79[0-9]{9}")


class SecondFactorNeeded(Forbidden):
    """This account asks for a second factor, which this application does not know: sign in to Parley itself."""

    code = "chatapp_second_factor"


async def request_code(runtime: Runtime, client: Client, *, phone: str, name: str) -> Json:
    """Have a code sent; keep the name for when it is checked.

    Raises: BadRequest for a number of another form and, where numbers are told, for a newcomer without a name;
    TooManyAttempts, PhoneSignInOff.
    """
    number = require_phone(phone)
    name = clean_name(name)[:NAME_LIMIT]
    is_new = runtime.settings.chatapp_tells_numbers and not await _is_known(runtime, client, number)
    if is_new and not name:
        raise BadRequest("Name is required for new users")
    await request_phone_code(
        runtime.db, runtime.settings, client, phone=number, purpose="chatapp", digits=CODE_DIGITS, locale="ru"
    )
    if name:
        async with runtime.db.system() as tx:
            await store.put_newcomer(tx, number, name, tx.now + CODE_FOR)
    return {"success": True, "message": "Verification code sent", "isNewUser": is_new}


async def verify_code(runtime: Runtime, client: Client, *, phone: str, code: str) -> Json:
    """Return a token and who it is for; a new number joins the workspace of the settings.

    Raises: BadRequest, TooManyAttempts, Deactivated, SecondFactorNeeded.
    """
    number, keys = require_phone(phone), runtime.keys
    workspace_id = parse_id("ws", runtime.settings.chatapp_workspace)
    settings = dataclasses.replace(runtime.settings, phone_workspace=runtime.settings.chatapp_workspace)
    try:
        proven = await check_phone_code(
            runtime.db, keys, settings, client, phone=number, code=code, purpose="chatapp"
        )
        async with runtime.db.system() as tx:
            user_id = new_user_id()
            name = await store.take_newcomer(tx, number) or user_id
            user = await enter_by_phone(tx, settings, proven, name=name, workspace_id=workspace_id)
            if user.has_second_factor:
                raise SecondFactorNeeded
            if user.is_new:
                await give_user_ids(tx, workspace_id, {user.actor_id: user_id})
            person = (await find_people(tx, workspace_id, [user.actor_id]))[user.actor_id]
            session_id = await begin_lasting_session(
                tx, keys, client, workspace_id=workspace_id, actor_id=user.actor_id, login_id=user.login_id,
                lasts=LASTS,
            )  # fmt: skip
            now = tx.now
    except WrongCode as error:
        raise BadRequest("Invalid or expired verification code") from error
    digits = number.removeprefix("+")
    token = issue_token(keys, user_id=person.user_id, phone=digits, session_id=session_id, now=now)
    user_shown = {"userId": person.user_id, "phone": digits, "name": person.name}
    return {"success": True, "token": token, "user": user_shown}


async def sweep_chatapp(db: Database) -> None:
    """Take away what newcomers said of themselves and did not come for."""
    async with db.system() as tx:
        await store.sweep_newcomers(tx)


def require_phone(text: str) -> str:
    """Return the number in E.164 form. Raises: BadRequest for one of another form than this dialect's."""
    if not _PHONE.fullmatch(text):
        raise BadRequest("Invalid phone format. Expected: 79XXXXXXXXX")
    return f"+{text}"


async def _is_known(runtime: Runtime, client: Client, number: str) -> bool:
    await count_together(runtime.db, [(TOLD, subject_of(client.address))])
    async with runtime.db.system() as tx:
        return await is_phone_known(tx, number, parse_id("ws", runtime.settings.chatapp_workspace))
