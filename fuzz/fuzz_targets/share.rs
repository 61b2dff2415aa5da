//! Foreign bytes as the text of a share; and as a program that chooses among good shares and damages them.
#![no_main]

use breakglass::kit::sealed::{Share, combine};
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = b"correct horse battery staple";
const PAYLOAD: &[u8] = include_bytes!("../../tests/vectors/shares/payload.age");
const SHARES: [&[u8]; 5] = [
    include_bytes!("../../tests/vectors/shares/share-1.txt"),
    include_bytes!("../../tests/vectors/shares/share-2.txt"),
    include_bytes!("../../tests/vectors/shares/share-3.txt"),
    include_bytes!("../../tests/vectors/shares/share-4.txt"),
    include_bytes!("../../tests/vectors/shares/share-5.txt"),
];

fuzz_target!(|data: &[u8]| {
    if let Ok(share) = Share::parse(data) {
        assert_eq!(&share.expose_text()[..], data, "one spelling only");
        let two = [share, Share::parse(data).expect("it was read before")];
        assert!(combine(two.into(), PAYLOAD).is_err(), "one share, twice");
    }
    let chosen: Vec<Vec<u8>> = data.chunks_exact(3).take(6).map(damaged).collect();
    let read: Vec<Share> = chosen.iter().filter_map(|text| Share::parse(text).ok()).collect();
    match combine(read, PAYLOAD) {
        Ok(opened) => assert_eq!(opened.expose_bytes(), SECRET),
        Err(error) => drop(error.to_string()),
    }
});

/// A good share's text; the third byte, unless zero, is laid over the byte that the second points at.
fn damaged(edit: &[u8]) -> Vec<u8> {
    let mut text = SHARES[usize::from(edit[0]) % SHARES.len()].to_vec();
    let at = usize::from(edit[1]) * text.len() / 256;
    text[at] ^= edit[2];
    text
}
