#!/usr/bin/env python3
"""Makes the piv-p256 vectors from the description of the stanza alone, with none of our code.

Needs the Python package `cryptography`. Writes beside itself:
  one-key.age    sealed to the key with the scalar 11..11, ephemeral scalar 22..22, file key 00..0f, no grease
  same-tag.txt   two small scalars whose public keys have the same 4-byte tag, found by trying
"""
import base64, hashlib, hmac, pathlib
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).parent


def b64(data):
    return base64.b64encode(data).decode().rstrip("=")


def key(scalar):
    return ec.derive_private_key(scalar, ec.SECP256R1())


def compressed(secret):
    return secret.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def hkdf(secret, salt, info):
    extracted = hmac.digest(salt, secret, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")


def tag(secret):
    return hashlib.sha256(compressed(secret)).digest()[:4]


def one_key(recipient, ephemeral, file_key, nonce, plaintext):
    agreed = ephemeral.exchange(ec.ECDH(), recipient.public_key())
    wrapping = hkdf(agreed, compressed(ephemeral) + compressed(recipient), b"piv-p256")
    body = ChaCha20Poly1305(wrapping).encrypt(bytes(12), file_key, None)
    header = "age-encryption.org/v1\n"
    header += f"-> piv-p256 {b64(tag(recipient))} {b64(compressed(ephemeral))}\n{b64(body)}\n---"
    mac = hmac.digest(hkdf(file_key, b"", b"header"), header.encode(), "sha256")
    payload_key = hkdf(file_key, nonce, b"payload")
    last_chunk = bytes(11) + b"\1"
    sealed = ChaCha20Poly1305(payload_key).encrypt(last_chunk, plaintext, None)
    return f"{header} {b64(mac)}\n".encode() + nonce + sealed


def same_tag():
    seen = {}
    for scalar in range(1, 1_000_000):
        found = tag(key(scalar))
        if found in seen:
            return f"{seen[found]} {scalar} {found.hex()}\n"
        seen[found] = scalar


secret = b"correct horse battery staple"
sealed = one_key(key(int("11" * 32, 16)), key(int("22" * 32, 16)), bytes(range(16)), bytes(range(16, 32)), secret)
(HERE / "one-key.age").write_bytes(sealed)
(HERE / "same-tag.txt").write_text(same_tag())
