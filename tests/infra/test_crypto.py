"""Keys: what is sealed opens only where it belongs; the key file is made once, whole, and for us alone."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.infra.crypto import KeyMismatch, Keys, hash_token, load_keys, new_token

KEYS = Keys(b"a" * 32)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",))), st.text(st.characters(exclude_categories=("Cs",)))
    ),
    st.binary(),
)
def test_what_is_sealed_opens_with_the_same_key_and_row(values: dict[str, str], row: bytes) -> None:
    sealed = KEYS.encrypt(values, bound_to=row)
    assert KEYS.decrypt(sealed, bound_to=row) == values
    assert KEYS.encrypt(values, bound_to=row) != sealed
    with pytest.raises(KeyMismatch):
        KEYS.decrypt(sealed, bound_to=row + b"x")
    with pytest.raises(KeyMismatch):
        Keys(b"b" * 32).decrypt(sealed, bound_to=row)


@given(st.binary(max_size=60))
def test_whatever_is_not_sealed_by_us_is_a_mismatch(data: bytes) -> None:
    with pytest.raises(KeyMismatch):
        KEYS.decrypt(data, bound_to=b"row")


def test_every_changed_byte_is_noticed() -> None:
    sealed = KEYS.encrypt({"token": "secret"}, bound_to=b"row")
    assert b"secret" not in sealed
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(KeyMismatch):
            KEYS.decrypt(bytes(changed), bound_to=b"row")


def test_a_signature_is_good_for_its_purpose_and_value_alone() -> None:
    signature = KEYS.sign("link", "value")
    assert KEYS.is_signed("link", "value", signature)
    for purpose, value, told in (
        ("other", "value", signature), ("link", "other", signature), ("link", "value", ""), ("link", "value", "é"),
        ("link", "value", signature[:-1]), ("lin", "k\0value", signature), ("link", "value", "\ud800"),
    ):  # fmt: skip
        assert not KEYS.is_signed(purpose, value, told)
    assert not Keys(b"b" * 32).is_signed("link", "value", signature)


def test_tokens_are_random_and_stored_as_hashes() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(len(token) == 43 for token in tokens)
    assert len({hash_token(token) for token in tokens}) == 1000
    assert len(hash_token("\ud800")) == 32


def test_the_key_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    sealed = load_keys(tmp_path).encrypt({"a": "b"}, bound_to=b"")
    assert load_keys(tmp_path).decrypt(sealed, bound_to=b"") == {"a": "b"}
    path = tmp_path / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(base64.b64decode(path.read_bytes())) == 32


def test_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(load_keys, [tmp_path] * 8))
    sealed = keys[0].encrypt({"a": "b"}, bound_to=b"")
    assert all(key.decrypt(sealed, bound_to=b"") == {"a": "b"} for key in keys)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("content", [b"", b"AAAA", b"not base64!", base64.b64encode(b"x" * 31)])
def test_half_a_key_is_refused_and_never_used(tmp_path: Path, content: bytes) -> None:
    """A key of no bytes would be one that everybody knows."""
    (tmp_path / "secret.key").write_bytes(content)
    with pytest.raises(KeyMismatch):
        load_keys(tmp_path)
    assert (tmp_path / "secret.key").read_bytes() == content
