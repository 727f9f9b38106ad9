"""A passkey authenticator in software: makes ES256 credentials and signs with them, honestly or not, as asked."""

import hashlib
import json
import os
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """One device with one credential. What it says of itself can be set: origin, site, flags, counter."""

    def __init__(self, origin: str, *, counts: bool = True) -> None:
        self.origin = origin
        self.id = os.urandom(32)
        self.count = 0
        self.counts = counts
        self.flags = USER_PRESENT | USER_VERIFIED
        self.handle = ""
        self._key = ec.generate_private_key(ec.SECP256R1())

    def make(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return a new credential, as the browser's `toJSON()` says it."""
        self.handle = options["user"]["id"]
        numbers = self._key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = b"\0" * 16 + struct.pack(">H", len(self.id)) + self.id + cbor2.dumps(cose)
        data = self._data(changes.get("rp_id", options["rp"]["id"]), ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", changes.get("challenge", options["challenge"]), changes)
        response = {"clientDataJSON": b64(client), "attestationObject": b64(attestation), "transports": ["internal"]}
        return self._said(response)

    def use(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return an answer to a challenge."""
        if self.counts:
            self.count += 1
        data = self._data(changes.get("rp_id", options["rpId"]), 0)
        client = self._client("webauthn.get", changes.get("challenge", options["challenge"]), changes)
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": b64(client),
            "authenticatorData": b64(data),
            "signature": b64(signature),
            "userHandle": changes.get("handle", self.handle),
        }
        return self._said(response)

    def _said(self, response: dict[str, Any]) -> dict[str, Any]:
        kept = {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "clientExtensionResults": {}}
        return {**kept, "response": response}

    def _data(self, rp_id: str, more_flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", self.flags | more_flags, self.count)

    def _client(self, kind: str, challenge: str, changes: dict[str, Any]) -> bytes:
        said = {
            "type": kind,
            "challenge": challenge,
            "origin": changes.get("origin", self.origin),
            "crossOrigin": False,
        }
        return json.dumps(said).encode()
