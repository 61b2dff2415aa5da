//! One line of foreign bytes as a record; and as header and claims under a good signature, so that the fuzzer reaches
//! the JSON below the base64.
#![no_main]

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass::record::hash::Hash;
use breakglass::record::token::{Record, RecordError};
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};

fuzz_target!(|data: &[u8]| {
    hold(data);
    let mut parts = data.splitn(2, |byte| *byte == 0);
    if let (Some(header), Some(claims)) = (parts.next(), parts.next()) {
        hold(&signed(header, claims));
    }
});

/// What is read as a record is just these bytes, and what it says can be written and read again.
fn hold(bytes: &[u8]) {
    let Ok(record) = Record::parse(bytes) else { return };
    assert_eq!(record.bytes(), bytes);
    assert_eq!(record.hash(), Hash::of(bytes));
    match (*record).clone().signing_input() {
        Ok(input) => {
            let again = input.finish(record.signature());
            assert_eq!(*again, *record);
            assert_eq!(Record::parse(again.bytes()).expect("what is written can be read"), again);
        }
        // A record may be read that nobody would write.
        Err(RecordError::TooLong { .. } | RecordError::ReasonTooLong { .. }) => {}
        Err(error) => panic!("read but not written: {error}"),
    }
}

/// These bytes as header and claims, rightly signed.
fn signed(header: &[u8], claims: &[u8]) -> Vec<u8> {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    let key = KEY.get_or_init(|| SigningKey::from_slice(&[1; 32]).expect("a scalar in range"));
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature: Signature = key.sign_prehash(&Hash::of(input.as_bytes()).0).expect("32 bytes");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.normalize_s().to_bytes())).into_bytes()
}
