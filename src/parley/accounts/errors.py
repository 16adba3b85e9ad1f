"""What can go wrong with accounts on purpose."""

from __future__ import annotations

from parley.kit.errors import Conflict, Forbidden, Kind, ParleyError, TooMany, Unauthenticated, Unavailable


class WrongCredentials(Unauthenticated):
    """E-mail or password is wrong."""

    code = "wrong_credentials"


class WrongCode(Unauthenticated):
    """The code is wrong, too old, used already, or was tried too often: ask for another."""

    code = "wrong_code"


class PhoneSignInOff(Conflict):
    """This server sends no SMS: sign in another way."""

    code = "phone_sign_in_off"


class NameNeeded(Conflict):
    """You are new here: say your name in ``name``, with the same code."""

    code = "name_needed"


class SessionEnded(Unauthenticated):
    """The session has ended; sign in again."""

    code = "session_ended"


class TooManyAttempts(TooMany):
    """Too many attempts to sign in; wait for ``retry_after_seconds``."""


class PasswordsBusy(Unavailable):
    """Too many people are signing in at this moment; try again."""

    code = "busy"


class ChooseWorkspace(Conflict):
    """You belong to several workspaces: say which in ``workspace_id``."""

    code = "choose_workspace"


class Deactivated(Forbidden):
    """Your user was deactivated by an admin."""

    code = "deactivated"


class ForeignOrigin(Forbidden):
    """The browser sent this from another site."""

    code = "foreign_origin"


class LinkUsed(ParleyError):
    """This link was used already, was replaced by a newer one, or is too old."""

    code = "link_used"
    kind = Kind.GONE


class EmailTaken(Conflict):
    """This e-mail address is taken."""

    code = "email_taken"


class AlreadyJoined(Conflict):
    """This user has accepted an invitation already."""

    code = "already_joined"


class LastOwner(Conflict):
    """A workspace keeps at least one active owner."""

    code = "last_owner"


class OwnersOnly(Forbidden):
    """Only an owner makes, demotes or deactivates owners."""

    code = "owners_only"


class SecondFactorNeeded(Unauthenticated):
    """The first factor is right: give the second, one of ``methods``, with ``challenge``."""

    code = "second_factor_needed"


class ChallengeOver(ParleyError):
    """This took too long, or was done already: begin again."""

    code = "challenge_over"
    kind = Kind.GONE


class PasskeyRefused(Unauthenticated):
    """This passkey is not known here, or what it signed is not right."""

    code = "passkey_refused"


class PasskeysOff(Conflict):
    """Passkeys need a host name: open Parley by its name, or on this machine as localhost."""

    code = "passkeys_off"


class ProofNeeded(Unauthenticated):
    """Prove anew that it is you: by your password, a code, or a recovery code."""

    code = "proof_needed"


class PhoneTaken(Conflict):
    """Another login on this server has this number."""

    code = "phone_taken"


class LastWayIn(Conflict):
    """You would have no way left to sign in."""

    code = "last_way_in"
