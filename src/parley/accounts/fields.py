"""What accounts accept as a name and as an e-mail address."""

from __future__ import annotations

import re

from parley.kit.errors import Malformed
from parley.kit.text import clean_name

# Shape only; that it can be reached shows when it is used. ASCII, so that case means the same to us and to
# PostgreSQL. Lengths: RFC 5321 4.5.3.1.
_EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
)
_MAX_EMAIL = 254
# What goes into a header, a path and a routing key as it is, but for the dot, which `parley.brokers` encodes.
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9._@:+=~-]{1,100}")
PASSWORD_LENGTHS = range(10, 201)
"""Characters of a new password; at the most, so that nobody has us hash a book."""


def normalise_email(text: str) -> str:
    """Return the address in lower case, without blanks around it."""
    return text.strip().lower()


def require_email(text: str) -> str:
    """Return the address in its one form. Raises: Malformed."""
    email = normalise_email(text)
    if len(email) > _MAX_EMAIL or not _EMAIL.fullmatch(email):
        raise Malformed("This is not an e-mail address.", email="Expected name@example.org")
    return email


def require_external_id(text: str) -> str:
    """Return an embedding application's id of a user. Raises: Malformed."""
    if not _EXTERNAL_ID.fullmatch(text) or text in (".", ".."):
        raise Malformed(
            "An external id is 1 to 100 letters, digits and . _ @ : + = ~ -",
            external_id="Expected another shape",
        )
    return text


def require_password(password: str) -> str:
    """Return a new password that is fit to be one. Raises: Malformed."""
    if len(password) not in PASSWORD_LENGTHS:
        wrong = {"password": "Expected 10 to 200 characters"}
        raise Malformed("A password has 10 to 200 characters.", **wrong)
    return password


def require_name(text: str, field: str = "name") -> str:
    """Return a name on one clean line. Raises: Malformed when nothing visible is left."""
    name = clean_name(text)
    if not name:
        raise Malformed("A name needs at least one visible character.", **{field: "Expected a name"})
    return name
