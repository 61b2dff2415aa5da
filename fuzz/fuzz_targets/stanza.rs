//! Foreign bytes as a sealed file; as the stanzas of one, so that the fuzzer reaches what is below the header's form;
//! and as a program that edits a good file.
#![no_main]

use std::sync::OnceLock;

use breakglass::device::{Agree, DeviceError};
use breakglass::kit::sealed::{Tag, inspect, open_single, unwrap_share};
use breakglass::secret::SharedSecret;
use libfuzzer_sys::fuzz_target;
use p256::{PublicKey, SecretKey};

const GOOD: &[u8] = include_bytes!("../../tests/vectors/piv-p256/one-key.age");

fuzz_target!(|data: &[u8]| {
    hold(data);
    hold(&[b"age-encryption.org/v1\n", data, END].concat());
    hold(&edited(data));
});

/// A MAC and a payload, of the right length.
const END: &[u8] = b"\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef0123456789abcdef!";

/// Nothing but the good file opens; a file that is not for the key costs it nothing, and no file many agreements.
fn hold(file: &[u8]) {
    let mut key = Key { agreements: 0 };
    let me = secret().public_key();
    let opened = open_single(file, &me, &mut key);
    assert_eq!(opened.is_ok(), file == GOOD);
    assert!(unwrap_share(file, &me, &mut key).is_err());
    match inspect(file) {
        Ok(found) => {
            let mine = found.tags.iter().filter(|tag| **tag == Tag::of(&me)).count();
            assert!(
                key.agreements <= 2 * mine.min(4),
                "one for each stanza with its tag, four at most, in two readings"
            );
        }
        Err(_) => assert_eq!(key.agreements, 0, "what cannot be inspected does not reach a key"),
    }
}

/// Three bytes an edit: overwrite, remove, or repeat a line.
fn edited(program: &[u8]) -> Vec<u8> {
    let mut file = GOOD.to_vec();
    for edit in program.chunks_exact(3).take(8) {
        let at = usize::from(edit[1]) % file.len();
        match edit[0] % 4 {
            0 => file[at] = edit[2],
            1 => drop(file.remove(at)),
            2 => file.insert(at, edit[2]),
            _ => {
                let mut lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
                lines.insert(at % lines.len(), lines[usize::from(edit[2]) % lines.len()]);
                file = lines.concat();
            }
        }
    }
    file
}

fn secret() -> &'static SecretKey {
    static SECRET: OnceLock<SecretKey> = OnceLock::new();
    SECRET.get_or_init(|| SecretKey::from_slice(&[0x11; 32]).expect("a scalar in range"))
}

struct Key {
    agreements: usize,
}

impl Agree for Key {
    fn agree(&mut self, peer: &PublicKey) -> Result<SharedSecret, DeviceError> {
        self.agreements += 1;
        Ok(SharedSecret::new((*secret().diffie_hellman(peer).raw_secret_bytes()).into()))
    }
}
