"""Keys and what they do: provider credentials encrypted at rest, tokens hashed, values signed.

The key is made at the first start and kept in the data directory (mode 0600); nothing is defaulted in code.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from parley.kit.errors import ParleyError

_MASTER_BYTES = 32


class KeyMismatch(ParleyError):
    """A secret was encrypted with another key: the data directory's key file is not the one it was made with."""

    code = "key_mismatch"


class Keys:
    """The installation's key, split by purpose."""

    def __init__(self, master: bytes) -> None:
        self._aead = AESGCM(self._derive(master, b"secrets"))
        self._signing = self._derive(master, b"signing")

    @staticmethod
    def _derive(master: bytes, purpose: bytes) -> bytes:
        return hmac.digest(master, b"parley " + purpose, "sha256")

    def encrypt(self, values: dict[str, str], *, bound_to: bytes) -> bytes:
        """Encrypt secrets so that they open only together with ``bound_to`` (the row's id)."""
        nonce = os.urandom(12)
        return b"\x01" + nonce + self._aead.encrypt(nonce, msgspec.json.encode(values), bound_to)

    def decrypt(self, data: bytes, *, bound_to: bytes) -> dict[str, str]:
        """Open what `encrypt` made. Raises: KeyMismatch."""
        if data[:1] != b"\x01" or len(data) < 29:
            raise KeyMismatch("This is not a secret that was sealed here.")
        try:
            plain = self._aead.decrypt(data[1:13], data[13:], bound_to)
        except InvalidTag as error:
            raise KeyMismatch from error
        return msgspec.json.decode(plain, type=dict[str, str])

    def sign(self, purpose: str, value: str) -> str:
        """Return a short signature of a value for one purpose."""
        return base64.urlsafe_b64encode(
            hmac.digest(self._signing, f"{purpose}\0{value}".encode(), "sha256")[:24]
        ).decode()

    def secret_for(self, purpose: str) -> bytes:
        """Return 32 bytes, the same in every process of the installation: for formats that bring their own signature."""
        return hmac.digest(self._signing, f"secret\0{purpose}".encode(), "sha256")

    def is_signed(self, purpose: str, value: str, signature: str) -> bool:
        """Whether `sign` made this signature; constant time."""
        return hmac.compare_digest(self.sign(purpose, value).encode(), signature.encode("utf-8", "replace"))


def new_token() -> str:
    """Return a new opaque token: 32 random bytes, 43 characters."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """Return what is stored of a token (SHA-256: the token is random, so no slow hash is needed)."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def load_keys(data_dir: Path) -> Keys:
    """Read the installation's key, made at the first call. Mode 0600.

    The file appears whole or not at all, whoever starts beside us and whenever the machine stops.
    Raises: KeyMismatch when it holds no key of ours.
    """
    path = data_dir / "secret.key"
    if not path.exists():
        _make_key(path)
    try:
        master = base64.b64decode(path.read_bytes(), validate=True)
    except ValueError:
        master = b""
    if len(master) != _MASTER_BYTES:
        raise KeyMismatch(f"{path} holds no whole key: put the right one back.")
    return Keys(master)


def _make_key(path: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".secret.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(_MASTER_BYTES)))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            os.link(name, path)
    finally:
        os.unlink(name)  # noqa: PTH108 - a name, not a path
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
