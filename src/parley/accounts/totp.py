"""Codes of an authenticator app (RFC 6238: six digits, SHA-1, 30 seconds; what every app does).

The secret is sealed with the login's id. A code is good in its own step and one to either side; once it was used, it
and all before it are not good any more (RFC 6238 5.2), however many requests come with it at once.
"""

from __future__ import annotations

import datetime as dt
import hmac
import io
from uuid import UUID

from parley.accounts import factor_store
from parley.accounts.phones import read_code
from parley.infra.crypto import Keys
from parley.infra.db import Tx

STEP_SECONDS = 30
DRIFT_STEPS = 1
"""Steps that a phone's clock may be off by, to either side."""
DIGITS = 6
ISSUER = "Parley"
ENROL_FOR = dt.timedelta(minutes=15)
"""How long a new secret waits for its first code."""


async def begin_totp(tx: Tx, keys: Keys, login_id: UUID) -> str | None:
    """Make a secret that counts once a code of it was given; None when the login has a confirmed one."""
    import pyotp  # only where somebody uses it

    secret = pyotp.random_base32()
    sealed = keys.encrypt({"totp": secret}, bound_to=login_id.bytes)
    return secret if await factor_store.put_totp(tx, login_id, sealed) else None


async def confirm_totp(tx: Tx, keys: Keys, login_id: UUID, code: str) -> bool:
    """Confirm the new secret by its first code; False when the code is wrong or there is none to confirm."""
    row = await factor_store.find_totp(tx, login_id)
    if row is None or row["confirmed_at"] is not None or row["created_at"] + ENROL_FOR < tx.now:
        return False
    return await _use(tx, keys, login_id, code) and await factor_store.confirm_totp(tx, login_id)


async def use_totp(tx: Tx, keys: Keys, login_id: UUID, code: str) -> bool:
    """Use a code of a confirmed secret up; False when it is wrong, or was used."""
    row = await factor_store.find_totp(tx, login_id)
    return row is not None and row["confirmed_at"] is not None and await _use(tx, keys, login_id, code)


def find_step(secret: str, code: str, at: dt.datetime) -> int | None:
    """Return the step whose code this is, among those that are good at a moment. Pure; looks at all of them."""
    import pyotp

    now = int(at.timestamp()) // STEP_SECONDS
    generator = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    given = read_code(code)
    found = None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        if hmac.compare_digest(generator.generate_otp(step), given):
            found = step
    return found


def format_uri(secret: str, name: str) -> str:
    """Return what an app reads from the QR code."""
    import pyotp

    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(
        name=name, issuer_name=ISSUER
    )


def draw_qr(text: str) -> str:
    """Return the QR code of a text as an SVG element: dark on white, with its quiet zone, to be scaled."""
    import segno

    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=True,
        scale=4,
        border=4,
        light="#fff",
        dark="#000",
        omitsize=True,
    )
    return out.getvalue().decode()


async def _use(tx: Tx, keys: Keys, login_id: UUID, code: str) -> bool:
    row = await factor_store.find_totp(tx, login_id)
    if row is None:
        return False
    secret = keys.decrypt(row["secret"], bound_to=login_id.bytes)["totp"]
    step = find_step(secret, code, tx.now)
    return step is not None and await factor_store.use_step(tx, login_id, row["secret"], step)
