"""Codes by SMS: asked for, sent, checked. What a right one opens is for others to say (`phone_sign_in`).

Asking tells nothing: for every number the same is counted, written and answered, and whether an SMS goes out is
decided by a job, later. The code is nowhere at rest, not even hashed: it follows from the request's random id by the
installation's key, so that a repeat of the job sends the same code once more (ADR 0017).

A guesser is held by counters, none of which looks at whether the number is known: `MOST_TRIES` at one code, and per day
guesses at one number from anywhere, and guesses from one address at any number; the shorter the code, the fewer. What one address may do to one number is
well below what the number bears, so that a single stranger keeps nobody out.
"""

from __future__ import annotations

import base64
import datetime as dt
import hmac
from typing import Literal
from uuid import UUID

import msgspec

from parley.accounts import phone_store, store
from parley.accounts.attempts import Limit, count_together, subject_of
from parley.accounts.errors import PhoneSignInOff, WrongCode
from parley.accounts.phones import read_code, require_phone
from parley.accounts.sessions import Client
from parley.infra.crypto import Keys
from parley.infra.db import Database, Tx
from parley.infra.jobs import enqueue
from parley.infra.settings import Settings
from parley.kit.ids import uuid7

CodePurpose = Literal["sign_in", "chatapp", "link", "proof"]
"""What a code is for; it opens nothing else. ``link`` and ``proof`` are asked for by a login that is signed in."""

SEND_CODE_KIND = "accounts.send_code"
CODE_FOR = dt.timedelta(minutes=5)
MOST_TRIES = 5
"""Tries at one code, right ones too."""

ASK_ADDRESS = Limit("code.address", 60, dt.timedelta(hours=1))
ASK_PAIR = Limit("code.phone_address", 4, dt.timedelta(hours=1))
ASK_PAIR_DAY = Limit("code.phone_address_day", 7, dt.timedelta(days=1))
"""Codes for one number that one address asks for and does not use."""
ASK_PHONE = Limit("code.phone", 8, dt.timedelta(hours=1))
ASK_PHONE_DAY = Limit("code.phone_day", 15, dt.timedelta(days=1))
GUESS_ADDRESS = Limit("code_guess.address", 100, dt.timedelta(days=1))
GUESS_PAIR = Limit("code_guess.phone_address", 10, dt.timedelta(days=1))
GUESS_PHONE = Limit("code_guess.phone", 20, dt.timedelta(days=1))
"""Wrong codes for one number in a day, from anywhere: with six digits a stranger's chance is 1 in 50 000."""
SHORT_DIGITS = 5
"""Up to which a code is short: guesses as short as this have limits of their own, since only they can be right."""
GUESS_SHORT_ADDRESS = Limit("code_guess.short_address", 30, dt.timedelta(days=1))
GUESS_SHORT_PAIR = Limit("code_guess.short_phone_address", 3, dt.timedelta(days=1))
GUESS_SHORT_PHONE = Limit("code_guess.short_phone", 5, dt.timedelta(days=1))
"""With four digits a stranger's chance at one number is 1 in 2000 a day; from one address at any numbers 1 in 333."""


class ProvenPhone(msgspec.Struct, frozen=True):
    """A number whose code was just right. The code is not used up yet: `use_phone_code` does that."""

    phone: str
    code_id: UUID
    address: str
    digits: int


async def request_phone_code(
    db: Database, settings: Settings, client: Client, *, phone: str, purpose: CodePurpose = "sign_in",
    login_id: UUID | None = None, digits: int | None = None, locale: str | None = None,
) -> str:  # fmt: skip
    """Have a code sent, if the number may have one; return the number in E.164 form. The code before works no longer.

    Promise: answer, work and limits are the same whether the number is known or not.
    Raises: Malformed, TooManyAttempts, PhoneSignInOff where no SMS can be sent.
    """
    if not settings.is_sms_on:
        raise PhoneSignInOff
    number = require_phone(phone, settings.phone_region)
    counters = (
        (ASK_ADDRESS, subject_of(client.address)),
        *_asking_counters(number, client.address),
        (ASK_PHONE, subject_of(number)),
        (ASK_PHONE_DAY, subject_of(number)),
    )
    await count_together(db, counters)
    async with db.system() as tx:
        code_id = uuid7()
        await phone_store.put_code(
            tx, code_id, number, purpose, login_id, digits or settings.code_digits, locale, tx.now + CODE_FOR
        )
        await enqueue(tx, SEND_CODE_KIND, {"code_id": str(code_id)}, workspace_id=None)
    return number


async def check_phone_code(
    db: Database, keys: Keys, settings: Settings, client: Client, *, phone: str, code: str,
    purpose: CodePurpose = "sign_in", login_id: UUID | None = None,
) -> ProvenPhone:  # fmt: skip
    """Return the number if this is its code; the try counts before the code is looked at.

    Raises: WrongCode (also when there is none, it is too old, used, or was tried too often), TooManyAttempts,
    Malformed.
    """
    number = require_phone(phone, settings.phone_region)
    given = read_code(code)
    await count_together(db, _guess_counters(number, client.address, len(given)))
    async with db.system() as tx:
        row = await phone_store.count_try(tx, number, purpose, login_id, MOST_TRIES)
    real = code_of(keys, row["id"], row["digits"]) if row is not None else ""
    if row is None or not hmac.compare_digest(real, given):
        raise WrongCode
    return ProvenPhone(number, row["id"], client.address, len(given))


async def use_phone_code(tx: Tx, proven: ProvenPhone) -> None:
    """Use the code up, in the transaction of what it opens; the try no longer counts as a guess, nor the
    code as one that this address asked for.

    Of several at once with one code, one succeeds. Raises: WrongCode.
    """
    if not await phone_store.use_code(tx, proven.code_id):
        raise WrongCode
    counters = (
        *_guess_counters(proven.phone, proven.address, proven.digits),
        *_asking_counters(proven.phone, proven.address),
    )
    for limit, subject in counters:
        await store.take_back_attempt(tx, limit.bucket, subject)


def code_of(keys: Keys, code_id: UUID, digits: int) -> str:
    """Return the code that belongs to a request; the same at every call."""
    number = int.from_bytes(base64.urlsafe_b64decode(keys.sign("phone code", str(code_id))))
    return str(number % 10**digits).zfill(digits)


def _asking_counters(number: str, address: str) -> tuple[tuple[Limit, bytes], ...]:
    pair = subject_of(number, address)
    return ((ASK_PAIR, pair), (ASK_PAIR_DAY, pair))


def _guess_counters(number: str, address: str, digits: int) -> tuple[tuple[Limit, bytes], ...]:
    """Return what a guess of so many digits counts against; 0 for what is no code."""
    is_short = 0 < digits <= SHORT_DIGITS
    return (
        (GUESS_SHORT_ADDRESS if is_short else GUESS_ADDRESS, subject_of(address)),
        (GUESS_SHORT_PAIR if is_short else GUESS_PAIR, subject_of(number, address)),
        (GUESS_SHORT_PHONE if is_short else GUESS_PHONE, subject_of(number)),
    )
