"""Passkeys (WebAuthn level 2): made by a login that is signed in, then the only factor or the second one.

As the only factor the device must have made sure of the person (user verification), as the second its presence does.
A passkey belongs to the host name it was made for: browsers take none for an address in numbers.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from asyncpg import Record
from cryptography.exceptions import UnsupportedAlgorithm

from parley.accounts import factor_store
from parley.accounts.errors import PasskeyRefused, PasskeysOff
from parley.infra.db import Tx
from parley.infra.settings import Settings
from parley.kit.ids import uuid7
from parley.kit.text import clean_name

MOST_PASSKEYS = 20
CREDENTIAL_ID_BYTES = 1023
"""Longest credential id of an authenticator (WebAuthn level 2, 4: Credential ID)."""
_TRANSPORTS = frozenset({"usb", "nfc", "ble", "internal", "hybrid", "cable", "smart-card"})

Json = dict[str, Any]


class RelyingParty(msgspec.Struct, frozen=True):
    """Who passkeys are for: the host name they belong to, and the origin whose pages may use them."""

    id: str
    origin: str


def find_relying_party(settings: Settings, host: str) -> RelyingParty | None:
    """Return who passkeys are for: the public address, else ``localhost`` if it was asked for by that name."""
    if settings.public_url:
        name = urlsplit(settings.public_url).hostname or ""
        return RelyingParty(name, settings.public_url) if _is_name(name) else None
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return None
    return RelyingParty(name, f"http://{host.lower()}") if name == "localhost" else None


def require_relying_party(settings: Settings, host: str) -> RelyingParty:
    """As `find_relying_party`. Raises: PasskeysOff."""
    party = find_relying_party(settings, host)
    if party is None:
        raise PasskeysOff
    return party


def format_creation(
    party: RelyingParty, nonce: bytes, login_id: UUID, name: str, known: list[Record]
) -> Json:
    """Return the options with which a browser makes a passkey that can be found without a name."""
    import webauthn
    from webauthn.helpers import structs

    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name="Parley",
        user_id=login_id.bytes,
        user_name=name,
        user_display_name=name,
        challenge=nonce,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=[_descriptor(row) for row in known],
    )
    return _plain(webauthn.options_to_json(options))


def format_request(party: RelyingParty, nonce: bytes, known: list[Record], *, is_only: bool) -> Json:
    """Return the options with which a browser has a passkey sign; ``known``: those that may, none: any."""
    import webauthn
    from webauthn.helpers import structs

    need = structs.UserVerificationRequirement
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=nonce,
        allow_credentials=[_descriptor(row) for row in known],
        user_verification=need.REQUIRED if is_only else need.PREFERRED,
    )
    return _plain(webauthn.options_to_json(options))


async def add_passkey(
    tx: Tx, party: RelyingParty, nonce: bytes, login_id: UUID, name: str, credential: Json
) -> UUID:
    """Keep the passkey that a browser made; return its id. Raises: PasskeyRefused."""
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=nonce,
            expected_rp_id=party.id,
            expected_origin=party.origin,
        )
    except (WebAuthnException, *_BROKEN) as error:
        raise PasskeyRefused from error
    if len(made.credential_id) > CREDENTIAL_ID_BYTES:
        raise PasskeyRefused
    passkey_id = uuid7()
    told = (
        credential["response"].get("transports") or [] if isinstance(credential.get("response"), dict) else []
    )
    transports = (
        [one for one in told if isinstance(one, str) and one in _TRANSPORTS] if isinstance(told, list) else []
    )
    if not await factor_store.insert_passkey(
        tx, passkey_id, login_id, made.credential_id, made.credential_public_key, made.sign_count, transports,
        clean_name(name),
    ):  # fmt: skip
        raise PasskeyRefused("This passkey is known already.")
    return passkey_id


async def use_passkey(
    tx: Tx, party: RelyingParty, nonce: bytes, credential: Json, *, login_id: UUID | None
) -> UUID:
    """Check what a passkey signed, and return whose it is; ``login_id`` None: it is the only factor.

    Its counter must have gone on where it counts at all: one that did not was copied (WebAuthn 6.1.1).
    Raises: PasskeyRefused.
    """
    import webauthn
    from webauthn.helpers import parse_authentication_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        given = parse_authentication_credential_json(credential)
        row = await factor_store.lock_passkey(tx, given.raw_id)
        if row is None or row["login_id"] != (login_id or row["login_id"]):
            raise PasskeyRefused
        handle = given.response.user_handle
        if handle is not None and handle != row["login_id"].bytes:
            raise PasskeyRefused
        signed = webauthn.verify_authentication_response(
            credential=given,
            expected_challenge=nonce,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=row["public_key"],
            credential_current_sign_count=row["sign_count"],
            require_user_verification=login_id is None,
        )
    except (WebAuthnException, *_BROKEN) as error:
        raise PasskeyRefused from error
    await factor_store.touch_passkey(tx, row["id"], signed.new_sign_count)
    owner: UUID = row["login_id"]
    return owner


# what the library lets through of a hostile credential, beside its own errors
_BROKEN = (
    UnsupportedAlgorithm,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    RecursionError,
    OverflowError,
    EOFError,
)


def _descriptor(row: Record) -> Any:
    from webauthn.helpers import structs

    transports = [structs.AuthenticatorTransport(one) for one in row["transports"]]
    return structs.PublicKeyCredentialDescriptor(id=row["credential_id"], transports=transports)


def _plain(text: str) -> Json:
    found: Json = msgspec.json.decode(text)
    return found


def _is_name(host: str) -> bool:
    return bool(host) and ":" not in host and not host.replace(".", "").isdigit()
