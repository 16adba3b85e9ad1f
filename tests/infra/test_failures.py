"""What is kept of an exception, and which ones pass by themselves."""

import asyncpg
import pytest

from parley.infra.failures import LIMIT, describe_failure, is_transient
from parley.kit.errors import NotFound, Unavailable


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NotFound("No such inbox.", token="123456:AAEhBOweik6ad9r"), "not_found: No such inbox."),
        (ValueError("plain words stay"), "ValueError: plain words stay"),
        (OSError("GET https://api.telegram.org/bot123:abc/getMe failed"), "OSError: GET <url> failed"),
        (KeyError("pk_0123456789abcdefghijklmnop"), "KeyError: '***'"),
        (TypeError("internationalization_of_everything"), "TypeError: internationalization_of_everything"),
    ],
)
def test_the_text_tells_what_happened_and_no_secret(error: Exception, text: str) -> None:
    assert describe_failure(error) == text


def test_the_text_is_short() -> None:
    assert len(describe_failure(ValueError("x " * 10_000))) < LIMIT + 50


def test_the_text_names_the_place_in_our_own_code() -> None:
    from parley.kit.ids import parse_id

    with pytest.raises(AttributeError) as caught:
        parse_id("msg", None)  # type: ignore[arg-type]
    assert "(parley/kit/ids.py:" in describe_failure(caught.value)


def test_only_what_a_moment_may_cure_is_transient() -> None:
    cured = [Unavailable(), asyncpg.DeadlockDetectedError("x"), asyncpg.ConnectionDoesNotExistError("x")]
    lasting = [
        ValueError(),
        TimeoutError(),
        ConnectionResetError(),
        asyncpg.DataError("x"),
        asyncpg.UniqueViolationError("x"),
    ]
    lasting.append(asyncpg.exceptions.DataError("invalid input for query argument"))
    assert all(is_transient(error) for error in cured)
    assert not any(is_transient(error) for error in lasting)
