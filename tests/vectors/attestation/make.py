#!/usr/bin/env python3
"""Writes the attestation vectors beside it: certificates of an invented organisation, good and bad.

Needs python3 and openssl 3. The DER is put together here, so that defects which no tool would write can be written;
keys and signatures are openssl's, and `openssl verify` must accept every path that is not meant to be broken.
Each run makes new keys and forgets them: to run it again replaces every file.

index.tsv then says for each case: leaf, device certificate, root, and the verdict, `ok` or the exact message.
"""
import base64
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
TEMP = pathlib.Path(tempfile.mkdtemp())
YUBICO = "1.3.6.1.4.1.41482.3."


# --- DER -------------------------------------------------------------------------------------------------------------
def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        length = bytes([size])
    else:
        digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(digits)]) + digits
    return bytes([tag]) + length + body


def sequence(*parts):
    return tlv(0x30, *parts)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytearray([first * 40 + second])
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        out += bytes(reversed(groups))
    return tlv(0x06, bytes(out))


def name(common_name):
    return sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(0x0C, common_name.encode()))))


def extension(identifier, value, critical=False):
    return sequence(oid(identifier), tlv(0x01, b"\xff") if critical else b"", tlv(0x04, value))


RSA_SHA256 = sequence(oid("1.2.840.113549.1.1.11"), tlv(0x05))
RSA_SHA256_BARE = sequence(oid("1.2.840.113549.1.1.11"))
RSA_SHA256_ODD = sequence(oid("1.2.840.113549.1.1.11"), integer(0))
RSA_SHA1 = sequence(oid("1.2.840.113549.1.1.5"), tlv(0x05))
RSA_SHA512 = sequence(oid("1.2.840.113549.1.1.13"), tlv(0x05))
EC_SHA256 = sequence(oid("1.2.840.10045.4.3.2"))
EC_SHA384 = sequence(oid("1.2.840.10045.4.3.3"))
DIGEST = {RSA_SHA256: "sha256", RSA_SHA256_BARE: "sha256", RSA_SHA256_ODD: "sha256", RSA_SHA1: "sha1",
          RSA_SHA512: "sha512", EC_SHA256: "sha256", EC_SHA384: "sha384"}


# --- keys and certificates -------------------------------------------------------------------------------------------
def openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True).stdout


class Key:
    count = 0

    def __init__(self, kind):
        Key.count += 1
        self.path = TEMP / f"{Key.count}.key"
        options = {"p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
                   "rsa1024": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "rsa2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                   "p521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "ed25519": ["ED25519"]}[kind]
        openssl("genpkey", "-algorithm", *options, "-out", str(self.path))
        self.spki = openssl("pkey", "-in", str(self.path), "-pubout", "-outform", "DER")
        self.algorithm = {"p256": EC_SHA256, "p384": EC_SHA384}.get(kind, RSA_SHA256)

    def sign(self, signed, algorithm):
        return openssl("dgst", f"-{DIGEST[algorithm]}", "-sign", str(self.path), stdin=signed)


def certificate(issuer, subject, spki, key, extensions, algorithm=None, outer=None, version=2):
    algorithm = algorithm or key.algorithm
    signed = sequence(
        tlv(0xA0, integer(version)) if version else b"",
        integer(0x0100112233445566778899AABBCCDDEEFF),
        algorithm,
        name(issuer),
        sequence(tlv(0x17, b"200101000000Z"), tlv(0x18, b"99991231235959Z")),
        name(subject),
        spki,
        tlv(0xA3, sequence(*extensions)) if version == 2 else b"",
    )
    return sequence(signed, outer or algorithm, tlv(0x03, b"\0", key.sign(signed, algorithm)))


def constraints(path_length):
    return extension("2.5.29.19", sequence(tlv(0x01, b"\xff"), integer(path_length)), critical=True)


CERT_SIGN = extension("2.5.29.15", bytes.fromhex("03020106"), critical=True)
SIGN_ONLY = extension("2.5.29.15", bytes.fromhex("03020780"), critical=True)
NOT_CA = extension("2.5.29.19", sequence(), critical=True)
FIRMWARE = extension(YUBICO + "3", bytes([5, 7, 4]))
SERIAL = extension(YUBICO + "7", integer(20260101))
FORM = extension(YUBICO + "9", b"\x03")


def policy(pin, touch):
    return extension(YUBICO + "8", bytes([pin, touch]))


LEAF = [FIRMWARE, SERIAL, policy(3, 3), FORM]
DEVICE = [FIRMWARE, constraints(0)]


def save(file, der):
    text = base64.encodebytes(der).decode().replace("\n", "")
    lines = "\n".join(text[i:i + 64] for i in range(0, len(text), 64))
    (HERE / file).write_text(f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
    return file


# --- roots and device certificates -----------------------------------------------------------------------------------
ROOT, F9 = "Example Org Attestation Root", "Example Org PIV Attestation"
for old in HERE.glob("*.pem"):
    old.unlink()


def root(file, kind, path_length=1, subject=ROOT, **options):
    key = Key(kind)
    return save(file, certificate(subject, subject, key.spki, key, [constraints(path_length), CERT_SIGN], **options)), key


root_pem, root_key = root("root.pem", "p256")
rsa_root_pem, rsa_root_key = root("root-rsa.pem", "rsa2048", algorithm=RSA_SHA512)
p384_root_pem, p384_root_key = root("root-p384.pem", "p384")
impostor_pem, _ = root("root-impostor.pem", "p256")
stranger_pem, _ = root("root-stranger.pem", "p256", subject="Another Org Attestation Root")
short_pem, short_key = root("root-path-too-short.pem", "p256", path_length=0)
weak_pem, weak_key = root("root-rsa-1024.pem", "rsa1024")

f9 = Key("rsa2048")
other_f9 = Key("rsa2048")
f9_p256 = Key("p256")


def device(file, key, extensions=DEVICE, by=root_key, **options):
    return save(file, certificate(ROOT, F9, key.spki, by, extensions, **options))


device_pem = device("device.pem", f9)
other_device = device("device-other.pem", other_f9)

# For a unit test of what Yubico's own roots may have signed; no root here signs them under this name.
for file, extensions in [("device-called-yubico-without-constraints.pem", [FIRMWARE]),
                         ("device-called-yubico-without-firmware.pem", [constraints(0)])]:
    save(file, certificate(ROOT, "Yubico PIV Attestation", f9.spki, root_key, extensions))

# --- leaves ----------------------------------------------------------------------------------------------------------
CASES = []


def leaf(file, spki, extensions=LEAF, slot="9c", by=f9, issuer=F9, subject=None, **options):
    return save(file, certificate(issuer, subject or f"YubiKey PIV Attestation {slot}", spki, by, extensions, **options))


def case(leaf_file, verdict, device_file=device_pem, root_file=root_pem):
    CASES.append((leaf_file, device_file, root_file, verdict))


p256 = Key("p256").spki
signing = leaf("signing.pem", p256)
case(signing, "ok")
case(leaf("sealing.pem", Key("p256").spki, [FIRMWARE, SERIAL, policy(2, 2), FORM], "82"), "ok")
case(leaf("presence.pem", Key("p256").spki, [FIRMWARE, SERIAL, policy(1, 1), FORM], "9e"), "ok")
case(leaf("p384.pem", Key("p384").spki), "ok")
case(leaf("rsa-2048.pem", Key("rsa2048").spki), "ok")
case(leaf("ed25519.pem", Key("ed25519").spki), "ok")
case(leaf("no-serial.pem", p256, [FIRMWARE, policy(3, 3)]), "ok")
case(leaf("fips.pem", p256, [FIRMWARE, SERIAL, policy(3, 3), extension(YUBICO + "9", b"\x83")]), "ok",
     device("device-fips-cspn.pem", f9, [*DEVICE, extension(YUBICO + "10", integer(7)), extension(YUBICO + "11", integer(1))]))
case(signing, "ok", device("device-under-rsa-root.pem", f9, by=rsa_root_key, algorithm=RSA_SHA512), rsa_root_pem)
case(signing, "ok", device("device-under-p384-root.pem", f9, by=p384_root_key), p384_root_pem)
case(leaf("under-p256-device.pem", p256, by=f9_p256), "ok", device("device-p256.pem", f9_p256))

MESSAGE = "the signature on the certificate `CN={}` was not made by `CN={}`"
LEAF_FORGED = MESSAGE.format("YubiKey PIV Attestation 9c", F9)
ROCA_FIRMWARE = "the RSA key was generated by firmware 4.3.4, in the range of YSA-2017-01 (ROCA)"
case(signing, LEAF_FORGED, other_device)
case(leaf("made-by-its-own-key.pem", f9_p256.spki, by=f9_p256), "the key's certificate is signed with 1.2.840.10045.4.3.2, which is not checked here")
case(leaf("made-by-a-stranger.pem", p256, by=Key("rsa2048")), LEAF_FORGED)
case(leaf("made-by-a-stranger-p256.pem", p256, by=Key("p256")), LEAF_FORGED, "device-p256.pem")
case(signing, f"the device certificate was issued by `CN={ROOT}`, which is not accepted here", root_file=stranger_pem)
case(signing, MESSAGE.format(F9, ROOT), root_file=impostor_pem)
case(leaf("other-issuer.pem", p256, issuer="Yubico PIV Attestation"),
     f"the key's certificate was issued by `CN=Yubico PIV Attestation`, the device certificate is of `CN={F9}`")
case(leaf("sha1.pem", p256, algorithm=RSA_SHA1), "the key's certificate is signed with 1.2.840.113549.1.1.5, which is not checked here")
case(leaf("outer-algorithm-differs.pem", p256, outer=RSA_SHA512), "the key's certificate names its signature algorithm in two ways or with wrong parameters")
case(leaf("algorithm-without-null.pem", p256, algorithm=RSA_SHA256_BARE), "ok")
case(leaf("algorithm-with-integer.pem", p256, algorithm=RSA_SHA256_ODD),
     "the key's certificate names its signature algorithm in two ways or with wrong parameters")
case(leaf("version-1.pem", p256, version=0), "the key's certificate is not X.509 version 3")

# What the extensions say, and how.
for file, extensions, verdict in [
    ("firmware-in-der.pem", [extension(YUBICO + "3", tlv(0x04, bytes([5, 7, 4]))), SERIAL, policy(3, 3)],
     "has a malformed firmware: it has another length than a key writes"),
    ("policy-in-der.pem", [FIRMWARE, SERIAL, extension(YUBICO + "8", tlv(0x04, b"\x03\x03"))],
     "has a malformed policy: it has another length than a key writes"),
    ("form-in-der.pem", [FIRMWARE, SERIAL, policy(3, 3), extension(YUBICO + "9", tlv(0x04, b"\x03"))],
     "has a malformed form factor: it has another length than a key writes"),
    ("serial-raw.pem", [FIRMWARE, extension(YUBICO + "7", bytes.fromhex("01352565")), policy(3, 3)],
     "has a malformed serial number: it is not a DER INTEGER of up to 32 bits"),
    ("serial-not-minimal.pem", [FIRMWARE, extension(YUBICO + "7", bytes.fromhex("02050001352565")), policy(3, 3)],
     "has a malformed serial number: it is not a DER INTEGER of up to 32 bits"),
    ("serial-negative.pem", [FIRMWARE, extension(YUBICO + "7", bytes.fromhex("0204f1352565")), policy(3, 3)],
     "has a malformed serial number: it is not a DER INTEGER of up to 32 bits"),
    ("no-firmware.pem", [SERIAL, policy(3, 3)], f"does not tell the firmware (extension {YUBICO}3)"),
    ("no-policy.pem", [FIRMWARE, SERIAL], f"does not tell the policies (extension {YUBICO}8)"),
    ("unknown-pin-policy.pem", [FIRMWARE, SERIAL, policy(6, 3)],
     "has a malformed policy: its PIN policy is none that is known"),
    ("unknown-touch-policy.pem", [FIRMWARE, SERIAL, policy(3, 0)],
     "has a malformed policy: its touch policy is none that is known"),
    ("serial-twice.pem", [FIRMWARE, SERIAL, extension(YUBICO + "7", integer(1)), policy(3, 3)],
     f"has extension {YUBICO}7 twice"),
    ("unknown-critical.pem", [*LEAF, extension("1.3.6.1.4.1.41482.3.99", b"\x01", critical=True)],
     "has the unknown critical extension 1.3.6.1.4.1.41482.3.99"),
    ("17-extensions.pem", [*LEAF, *(extension(f"2.25.{i}", b"\x00") for i in range(13))],
     "has 17 extensions, more than 16"),
    ("too-long.pem", [*LEAF, extension("2.25.1", bytes(4096))], None),
]:
    written = leaf(file, p256, extensions)
    if verdict is None:
        size = len(base64.b64decode("".join((HERE / file).read_text().splitlines()[1:-1])))
        verdict = f"has {size} bytes, more than the 4096 that one can have"
    case(written, f"the key's certificate {verdict}")

# Slots.
for file, subject in [
    ("slot-f9.pem", "YubiKey PIV Attestation f9"),
    ("slot-96.pem", "YubiKey PIV Attestation 96"),
    ("slot-upper-case.pem", "YubiKey PIV Attestation 9C"),
    ("slot-missing.pem", "YubiKey PIV Attestation"),
    ("slot-of-another-maker.pem", "AnotherKey PIV Attestation 9c"),
]:
    case(leaf(file, p256, subject=subject), f"the key's certificate is for `CN={subject}`, which names no PIV slot")
case(leaf("slot-hidden.pem", p256, subject="YubiKey\u202e 9c"),
     "the key's certificate is for `CN=YubiKey\\u{202e} 9c`, which names no PIV slot")

# Keys. An RSA modulus of ROCA's form needs no factors here: leaves sign nothing.
ROCA_PRIMES = [p for p in range(3, 168) if all(p % q for q in range(2, p))]
product = 2
for prime in ROCA_PRIMES:
    product *= prime
roca = pow(65537, 4711, product) + product * ((1 << 2047) // product + 12345)
roca_spki = sequence(sequence(oid("1.2.840.113549.1.1.1"), tlv(0x05)),
                     tlv(0x03, b"\0", sequence(integer(roca), integer(65537))))
off_curve = p256[:-1] + bytes([p256[-1] ^ 1])
case(leaf("roca.pem", roca_spki), "the key's certificate has an RSA key of the broken form YSA-2017-01 (ROCA)")
for version, verdict in [((4, 3, 4), ROCA_FIRMWARE), ((4, 3, 5), "ok")]:
    told = extension(YUBICO + "3", bytes(version))
    file = "rsa-from-" + "-".join(map(str, version)) + ".pem"
    case(leaf(file, Key("rsa2048").spki, [told, policy(3, 2)]), verdict)
UNUSABLE = "the key's certificate has a public key that cannot be used: "
compressed = openssl("pkey", "-pubin", "-inform", "DER", "-pubout", "-outform", "DER", "-ec_conv_form", "compressed", stdin=p256)
case(leaf("point-compressed.pem", compressed), UNUSABLE + "its point is not written uncompressed")
case(leaf("p521.pem", Key("p521").spki), UNUSABLE + "its curve is neither P-256 nor P-384")
short_rsa = sequence(sequence(oid("1.2.840.113549.1.1.1"), tlv(0x05)),
                     tlv(0x03, b"\0", sequence(integer((1 << 1016) - 1), integer(65537))))
case(leaf("rsa-1016.pem", short_rsa), UNUSABLE + "its RSA modulus has less than 1,024 bits")
save("device-roca.pem", certificate(ROOT, F9, roca_spki, root_key, DEVICE))
case(signing, "the device certificate has an RSA key of the broken form YSA-2017-01 (ROCA)", "device-roca.pem")
case(leaf("point-off-curve.pem", off_curve), UNUSABLE + "its point is not on the curve P-256")

# Authorities.
NOT_AUTHORITY = f"the certificate `CN={F9}` is not one of an authority"
case(signing, NOT_AUTHORITY, device("device-without-constraints.pem", f9, [FIRMWARE]))
case(signing, NOT_AUTHORITY, device("device-not-ca.pem", f9, [FIRMWARE, NOT_CA]))
case(signing, NOT_AUTHORITY, device("device-may-not-certify.pem", f9, [*DEVICE, SIGN_ONLY]))
case(signing, "the device certificate has a malformed firmware: it has another length than a key writes",
     device("device-firmware-in-der.pem", f9, [extension(YUBICO + "3", tlv(0x04, bytes([5, 7, 4]))), constraints(0)]))
case(signing, f"the certificate `CN={ROOT}` does not allow 1 authorities below it",
     device("device-under-short-root.pem", f9, by=short_key), short_pem)
case(signing, "the attestation root has a public key that cannot be used: an RSA key that signs certificates has at least 2,048 bits",
     device("device-under-weak-root.pem", f9, by=weak_key), weak_pem)
case(signing, f"the certificate `CN=YubiKey PIV Attestation 9c` is not one of an authority", root_file=signing)

# --- openssl agrees about what is right ------------------------------------------------------------------------------
for leaf_file, device_file, root_file, verdict in CASES:
    if verdict == "ok":
        openssl("verify", "-CAfile", str(HERE / root_file), "-untrusted", str(HERE / device_file), str(HERE / leaf_file))

rows = "".join("\t".join(row) + "\n" for row in CASES)
(HERE / "index.tsv").write_text("leaf\tdevice\troot\tverdict\n" + rows)
print(f"{len(CASES)} cases, {len(list(HERE.glob('*.pem')))} certificates")
