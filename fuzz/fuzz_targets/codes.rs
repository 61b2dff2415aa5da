//! Codes off a screen: foreign text, foreign pictures, foreign packed bytes, and the parts of a good bundle with some of
//! them missing, repeated, out of order or misread.
#![no_main]

use breakglass::audit::qr::picture;
use breakglass::record::codes::Codes;
use breakglass::record::packed::{UNPACKED_CAP, pack, unpack};
use libfuzzer_sys::fuzz_target;

#[path = "../../src/record/sample.rs"]
mod sample;

// What the sample is made of.
use breakglass::attestation;
use breakglass::record::{event, hash, token};

fuzz_target!(|data: &[u8]| {
    foreign(data);
    parts(data);
});

fn foreign(data: &[u8]) {
    if let Ok(bundle) = unpack(data) {
        assert!(bundle.len() <= UNPACKED_CAP);
        assert_eq!(unpack(&pack(&bundle)).expect("packed a moment ago"), bundle);
    }
    let mut codes = Codes::default();
    let _ = picture(data, &mut codes);
    for text in data.split(|byte| *byte == 0) {
        codes.text(text.to_vec());
        codes.text([b"ur:bytes/", text].concat());
    }
    codes.finish();
}

/// Two bytes a code: which part, and which of its characters is misread; 255 leaves it as it is.
fn parts(program: &[u8]) {
    let writer = sample::Writer::founder(1);
    let bundle = writer.journal();
    let mut encoder = ur::Encoder::bytes(&pack(&bundle), 200).expect("parts");
    let all: Vec<String> = (0..256).map(|_| encoder.next_part().expect("a part")).collect();
    let mut codes = Codes::default();
    let mut misread = false;
    for step in program.chunks_exact(2) {
        let mut text = all[usize::from(step[0])].clone().into_bytes();
        if step[1] != 255 {
            let at = usize::from(step[1]) % text.len();
            text[at] = if text[at] == b'a' { b'e' } else { b'a' };
            misread = true;
        }
        codes.text(text);
    }
    let from = codes.finish();
    // Each part carries a checksum of its own: what comes whole is what was shown.
    assert!(from.bundles.iter().all(|read| *read == bundle));
    assert!(misread || (from.strangers == 0 && from.damaged.is_empty()));
}
