#!/usr/bin/env python3
"""Makes the vectors of a credential that three of five keys open, with none of our code.

Needs the Python package `cryptography`. Writes beside itself:
  payload.age    sealed to the X25519 identity with the bytes 33..33, ephemeral 44..44, no grease
  share-N.txt    the share of each key as its file holds it, x coordinates 1, 2, 77, 200, 255

The field is done by logarithms to the base 3 here, which is fast, leaks through the cache and is good for vectors alone.
"""
import base64, hashlib, hmac, pathlib
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

HERE = pathlib.Path(__file__).parent
THRESHOLD = 3
PLACES = [1, 2, 77, 200, 255]

EXP = [1]
while len(EXP) < 255:
    double = EXP[-1] << 1
    EXP.append(EXP[-1] ^ (double ^ 0x11B if double > 255 else double))
LOG = {value: power for power, value in enumerate(EXP)}


def times(a, b):
    return EXP[(LOG[a] + LOG[b]) % 255] if a and b else 0


def b64(data):
    return base64.b64encode(data).decode().rstrip("=")


def hkdf(secret, salt, info):
    extracted = hmac.digest(salt, secret, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")


def bech32(prefix, data):
    """BIP 173."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    number = int.from_bytes(data, "big") << (-len(data) * 8) % 5
    count = (len(data) * 8 + 4) // 5
    values = [number >> 5 * (count - 1 - i) & 31 for i in range(count)]
    check = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values + [0] * 6:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            check ^= generator if top >> bit & 1 else 0
    check ^= 1
    values += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(letters[value] for value in values)


def payload(identity, ephemeral, file_key, nonce, plaintext):
    raw = lambda key: key.public_key().public_bytes_raw()
    agreed = ephemeral.exchange(identity.public_key())
    wrapping = hkdf(agreed, raw(ephemeral) + raw(identity), b"age-encryption.org/v1/X25519")
    body = ChaCha20Poly1305(wrapping).encrypt(bytes(12), file_key, None)
    header = f"age-encryption.org/v1\n-> X25519 {b64(raw(ephemeral))}\n{b64(body)}\n---"
    mac = hmac.digest(hkdf(file_key, b"", b"header"), header.encode(), "sha256")
    last_chunk = bytes(11) + b"\1"
    sealed = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload")).encrypt(last_chunk, plaintext, None)
    return f"{header} {b64(mac)}\n".encode() + nonce + sealed


def share(secret, x):
    y = bytearray()
    for index, byte in enumerate(secret):
        curve = [byte] + list(hashlib.sha256(f"coefficients of byte {index}".encode()).digest()[: THRESHOLD - 1])
        value = 0
        for coefficient in reversed(curve):
            value = times(value, x) ^ coefficient
        y.append(value)
    return f"breakglass share, version 1\nthreshold {THRESHOLD}\nshare {y.hex()}{x:02x}\n"


identity = X25519PrivateKey.from_private_bytes(b"\x33" * 32)
ephemeral = X25519PrivateKey.from_private_bytes(b"\x44" * 32)
sealed = payload(identity, ephemeral, bytes(range(16)), bytes(range(16, 32)), b"correct horse battery staple")
(HERE / "payload.age").write_bytes(sealed)
text = bech32("age-secret-key-", b"\x33" * 32).upper()
for number, x in enumerate(PLACES, 1):
    (HERE / f"share-{number}.txt").write_text(share(text.encode(), x))
