//! The last pages: how to verify without us, and what can never be seen.

use maud::{Markup, html};

use super::Book;

/// Takes the records out of the file and verifies every signature and every link with PyJWT.
const PYTHON: &str = r#"grep '^eyJ' report.html > records.jws
python3 - <<'END'
import base64, hashlib, json, jwt                      # pip install PyJWT cryptography
from cryptography.hazmat.primitives.asymmetric import ec
part = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
lines = open("records.jws").read().split()
event = lambda claims: next(iter(claims["events"].values()))
keys, last = {}, {}
for line in lines:
    header, claims = (json.loads(part(text)) for text in line.split(".")[:2])
    if event(claims)["seq"] == 0:                      # an enrolment names its own key
        keys[header["kid"]] = ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256R1(), part(event(claims)["facts"]["signing"]))
for line in lines:
    kid = jwt.get_unverified_header(line)["kid"]
    claims = jwt.decode(line, keys[kid], algorithms=["ES256"], options={"verify_iat": False})
    assert event(claims).get("prev") == last.get(kid), "a link is broken"
    last[kid] = base64.urlsafe_b64encode(hashlib.sha256(line.encode()).digest()).decode().rstrip("=")
    if next(iter(claims["events"])).endswith("/kit.founded"):
        print("kit", last[kid], event(claims)["facts"]["name"])
print(len(lines), "records verified")
END"#;

const JOSE: &str = r#"import { compactVerify, importJWK } from "jose";   // npm install jose; one record, its key from a pinned key set
const { payload } = await compactVerify(record, await importJWK(jwk, "ES256"));"#;

const OPENSSL: &str = r#"breakglass records export --openssl RECORD       writes what was signed, the signature in DER, the key, and this command:
openssl dgst -sha256 -verify key.pem -signature signature.der signed.txt"#;

const OURS: &str = "breakglass-audit --ledger new.db import records.jws
breakglass-audit --ledger new.db report";

pub(super) fn method(book: &Book<'_>, script: &str) -> Markup {
    html! {
        section #method .chapter {
            h2 { "How to verify this" }
            h3 { "In your browser" }
            ol {
                li { "The records are in this file as they were signed, one a line. Each is hashed, and its ES256 signature verified, with the key that its chain's first record names." }
                li { "In each chain, places count up from 0 without holes, and each record names the hash of the one before. What records say that they have seen of other chains must be here." }
                li { "Where a key's FIDO2 side signed a record, that signature is verified too, and its counter must rise." }
                li { "The founding record's hash is the kit's identity; its first 66 bits are the six words on the bags. You type them; nothing in the file can stand in for them. From the founder, each key must have been signed for by one that was signed for." }
                li { "What this page tells of a record (who, why, what, when) is made again from the verified bytes, and must be the same, letter for letter." }
            }
            p { "Findings, bounds of time, custody and places are conclusions of the program that made this report. They are not signed, and your browser does not check them: derive them again from the records with the commands below." }
            p {
                "A file can carry any script, so a green mark is worth what the script is worth. That of breakglass-audit " (book.report.version) " has the hash "
                code { (script) } ", which stands near the top of this file and is printed by " code { "breakglass-audit report --script-hash" } "."
            }
            h3 { "Without this page" }
            p { "With PyJWT, every signature and every link:" }
            pre { code { (PYTHON) } }
            p { "With jose (JavaScript), one record:" }
            pre { code { (JOSE) } }
            p { "With openssl, one record, which has to be taken apart first:" }
            pre { code { (OPENSSL) } }
            p { "With this program, everything again from the records alone, in a ledger of your own:" }
            pre { code { (OURS) } }
            h3 { "What nobody can see" }
            ul {
                li { "Records that were cut off the end of every copy of a kit, of a key that was neither used nor looked at since." }
                li { "An opening by a changed program with a key that has no FIDO2 side: PIV keeps no count." }
                li { "What a compromised machine showed to the person, while the key signed something else: a key has no display." }
                li { "What was done with a secret after it was handed out, but for what the platforms log." }
                li { "People who agree: operator, custodian and auditor together can keep silent." }
            }
            p .small { "doc/assurance.md grades each claim and names the rule, the function and the test behind it." }
        }
    }
}
