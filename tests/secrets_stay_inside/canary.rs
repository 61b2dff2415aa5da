//! What is looked for, in every form in which careless code writes bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::path::Path;

use crate::real::{ADMIN_SECRET, ROOT_SECRET};

/// The beginning of every PIN and of every PUK in the kit; the last character differs by key.
pub(crate) const PIN: &[u8] = b"pIN-x7Q";
pub(crate) const PUK: &[u8] = b"pUK+9wV";

/// The secrets that are sealed from outside; of the first what is ASCII, as strace writes the rest in numbers.
pub(crate) fn root_secret() -> &'static [u8] {
    &ROOT_SECRET[..16]
}
pub(crate) fn admin_secret() -> &'static [u8] {
    ADMIN_SECRET
}

/// All of them, by name.
pub(crate) fn all() -> [(&'static str, &'static [u8]); 4] {
    [("PIN", PIN), ("PUK", PUK), ("secret from stdin", root_secret()), ("secret from a file", admin_secret())]
}

/// As they are, in hexadecimal (as one word, or by bytes), as decimal numbers, in base64.
pub(crate) fn forms(canary: &[u8]) -> Vec<Vec<u8>> {
    let joined = |each: &dyn Fn(&u8) -> String, by: &str| {
        canary.iter().map(each).collect::<Vec<_>>().join(by).into_bytes()
    };
    let mut forms = vec![canary.to_vec()];
    for by in ["", " ", ":", ", ", ","] {
        forms.push(joined(&|byte| format!("{byte:02x}"), by));
        forms.push(joined(&|byte| format!("{byte:02X}"), by));
    }
    for by in [", ", ",", " "] {
        forms.push(joined(&|byte| byte.to_string(), by));
        forms.push(joined(&|byte| format!("0x{byte:02x}"), by));
        forms.push(joined(&|byte| format!("0x{byte:02X}"), by));
    }
    // Base64 in each of the three places where the canary can begin; the first and last characters hold other bits.
    for before in 0..3 {
        let shifted = [&vec![0; before][..], canary].concat();
        let text = STANDARD_NO_PAD.encode(&shifted[..shifted.len() / 3 * 3]);
        forms.push(text.into_bytes()[(before * 8).div_ceil(6)..].to_vec());
    }
    forms
}

/// Which canaries are in there.
pub(crate) fn found_in(bytes: &[u8]) -> Vec<&'static str> {
    let has = |form: &[u8]| memchr::memmem::find(bytes, form).is_some();
    all()
        .into_iter()
        .filter(|(_, canary)| forms(canary).iter().any(|form| has(form)))
        .map(|(name, _)| name)
        .collect()
}

/// No file below this folder holds any of them.
pub(crate) fn none_below(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            none_below(&path);
        } else {
            let found = found_in(&std::fs::read(&path).expect("a file"));
            assert!(found.is_empty(), "{found:?} in {}", path.display());
        }
    }
}

#[test]
fn a_canary_is_found_in_every_form() {
    for (name, canary) in all() {
        let logged = [
            format!("{canary:?}"),
            format!("{canary:02x?}"),
            format!("{canary:02X?}"),
            format!("{canary:#04x?}").replace(['\n', ' '], ""),
            hex::encode(canary),
            hex::encode_upper([b"\0\x20\0\x80\x08", canary].concat()),
            STANDARD_NO_PAD.encode([b"{\"pin\":\"", canary, b"\"}"].concat()),
            STANDARD_NO_PAD.encode([b"{\"pi\":\"", canary, b"\"}"].concat()),
            STANDARD_NO_PAD.encode([b"{\"p\":\"", canary, b"\"}"].concat()),
        ];
        for text in logged {
            assert_eq!(found_in(text.as_bytes()), [name], "{text}");
        }
    }
    assert!(found_in(b"4000001 pin ********").is_empty());
}
