"""Phone numbers in their one form."""

from __future__ import annotations

import re

from parley.kit.errors import Malformed

MOST_CHARACTERS = 40
_DIGITS = re.compile(r"[0-9]{4,8}")


def require_phone(text: str, region: str = "") -> str:
    """Return a number in E.164 form, such as ``+79995550100``.

    ``region``: two letters, the country of numbers written without a plus; without it they are refused.
    Raises: Malformed.
    """
    import phonenumbers  # half a second and 20 MB, for those installations that ask for numbers

    wrong = Malformed("This is not a phone number.", phone="Expected a number such as +79995550100")
    if len(text) > MOST_CHARACTERS:
        raise wrong
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        raise wrong from None
    if not phonenumbers.is_possible_number(number):
        raise wrong
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def read_code(text: str) -> str:
    """Return the digits of a code as a person typed it, blanks and dashes left out; empty when it is none."""
    code = re.sub(r"[\s-]", "", text)
    return code if _DIGITS.fullmatch(code) else ""
