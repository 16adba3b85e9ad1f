"""An authenticator in software (WebAuthn level 2): keys of P-256, a counter, and every way of being wrong that tests ask."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import json
import os
import struct
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

Json = dict[str, Any]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def strange_certificate() -> bytes:
    """Return a certificate of an algorithm that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    since = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, since, since.replace(year=2100))
    known = builder.sign(key, SHA256()).public_bytes(Encoding.DER)
    return known.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209"))


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclasses.dataclass
class Authenticator:
    """One device with one passkey."""

    origin: str = "http://localhost"
    is_verifying: bool = True
    count: int = 0
    credential_id: bytes = dataclasses.field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = dataclasses.field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    user_handle: bytes = b""
    attestation: tuple[str, Json] = ("none", {})
    """Format and statement."""

    def make(self, options: Json) -> Json:
        """Answer `navigator.credentials.create`."""
        self.user_handle = unb64(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps({
            1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big"),
        })  # fmt: skip
        attested = b"\0" * 16 + struct.pack(">H", len(self.credential_id)) + self.credential_id + public
        data = self._data(options["rp"]["id"], flags=0x40) + attested
        client = self._client("webauthn.create", options["challenge"])
        attestation = cbor2.dumps(
            {"fmt": self.attestation[0], "attStmt": self.attestation[1], "authData": data}
        )
        return {
            "id": b64(self.credential_id), "rawId": b64(self.credential_id), "type": "public-key",
            "response": {
                "clientDataJSON": b64(client), "attestationObject": b64(attestation), "transports": ["internal"],
            },
            "clientExtensionResults": {},
        }  # fmt: skip

    def sign(self, options: Json, *, rp_id: str | None = None, step: int = 1) -> Json:
        """Answer `navigator.credentials.get`; the counter goes on by ``step``."""
        self.count += step
        data = self._data(rp_id or options["rpId"])
        client = self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return {
            "id": b64(self.credential_id), "rawId": b64(self.credential_id), "type": "public-key",
            "response": {
                "clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature),
                "userHandle": b64(self.user_handle),
            },
            "clientExtensionResults": {},
        }  # fmt: skip

    def _data(self, rp_id: str, flags: int = 0) -> bytes:
        flags |= 0x01 | (0x04 if self.is_verifying else 0)
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + struct.pack(">I", self.count)

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()
