"""What goes over the wire about second factors, passkeys and the own phone number."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from msgspec import Meta

from parley.accounts.schemas import Answer, Code, GivenPassword, Locale, Name, Phone, Request, Token

RecoveryCode = Annotated[str, Meta(min_length=1, max_length=40, description="One of the recovery codes.")]
Credential = Annotated[
    dict[str, Any],
    Meta(max_length=20, description="What the browser's `navigator.credentials` gave, as JSON."),
]


class Proof(Request, kw_only=True):
    """Exactly one: that it is still you."""

    password: GivenPassword | None = None
    code: Code | None = None
    recovery_code: RecoveryCode | None = None
    sms_code: Code | None = None


class Proven(Request, kw_only=True):
    """Nothing but the proof."""

    proof: Proof


class GiveSecondFactor(Request, kw_only=True):
    """The challenge, and exactly one of the others: a code of the app, a recovery code, or what a passkey signed."""

    challenge: Token
    code: Code | None = None
    recovery_code: RecoveryCode | None = None
    passkey: Credential | None = None
    refresh_in_body: bool = False


class ChallengeToken(Request, kw_only=True):
    """A challenge."""

    challenge: Token


class PasskeyOptions(Answer, kw_only=True):
    """Options for the browser's `navigator.credentials`, and the challenge that goes with the answer."""

    challenge: str
    options: dict[str, Any]


class PasskeySignIn(Request, kw_only=True):
    """What a passkey signed for a challenge."""

    challenge: Token
    credential: Credential
    workspace_id: str | None = None
    refresh_in_body: bool = False


class AddPasskey(Request, kw_only=True):
    """The passkey that the browser made, and a name to know it by."""

    challenge: Token
    name: Name
    credential: Credential


class Passkey(Answer, kw_only=True):
    """A passkey."""

    id: str
    name: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None


class Factors(Answer, kw_only=True):
    """How you sign in. `is_two_step`: a second factor is asked for after the password or the code by SMS."""

    email: str | None
    phone: str | None
    has_password: bool
    has_totp: bool
    needs_passkey: bool
    is_two_step: bool
    recovery_codes_left: int
    passkeys: list[Passkey]


class TotpSecret(Answer, kw_only=True):
    """A new secret for an authenticator app, shown this once; it counts after its first code."""

    secret: str
    uri: str
    qr_svg: str


class GivenCode(Request, kw_only=True):
    """A code."""

    code: Code


class RecoveryCodes(Answer, kw_only=True):
    """New recovery codes, shown this once; empty when there are some already."""

    codes: list[str]


class AskPasskey(Request, kw_only=True):
    """Whether a passkey is asked for after the first factor."""

    needs_passkey: bool
    proof: Proof


class AskPhone(Request, kw_only=True):
    """A number that is to be yours."""

    phone: Phone
    proof: Proof
    locale: Locale | None = None


class CheckPhone(Request, kw_only=True):
    """The number and the code it was sent."""

    phone: Phone
    code: Code


class AskProofCode(Request, kw_only=True):
    """In which language."""

    locale: Locale | None = None
