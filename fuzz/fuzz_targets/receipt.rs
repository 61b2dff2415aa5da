//! Foreign text as a checkpoint, as a receipt and as a ledger's public key; and as the text of a checkpoint that is rightly
//! signed, so that the fuzzer reaches what stands behind the signature.
#![no_main]

use std::sync::OnceLock;

use breakglass::audit::checkpoint::note::{LedgerKey, LedgerPublic};
use breakglass::audit::checkpoint::receipt::{Proof, newest_checkpoint, verify};
use breakglass::audit::checkpoint::{Checkpoint, tree};
use breakglass::record::hash::Hash;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    static KEY: OnceLock<LedgerKey> = OnceLock::new();
    let key = KEY.get_or_init(|| LedgerKey::new(&[1; 32].into()).0);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(public) = LedgerPublic::parse(text) {
        assert_eq!(LedgerPublic::parse(&public.to_line()).expect("what is written can be read"), public);
    }
    // Nobody has this key's signature but this key.
    assert!(Checkpoint::verify(text, key.public()).is_err() || text.contains(key.public().name()));
    let _ = (newest_checkpoint(text), verify(text, key.public()));
    if text.contains(|c: char| c < ' ' && c != '\n') {
        return;
    }
    let signed = key.sign(&format!("{}\n{text}\n", key.public().name()));
    if let Ok(checkpoint) = Checkpoint::verify(&signed, key.public()) {
        let record = Hash::of(b"record");
        let proof = Proof { record, index: 0, path: vec![] };
        let holds = checkpoint.size == 1 && checkpoint.root == tree::leaf(&record);
        assert_eq!(verify(&proof.text(&signed), key.public()).is_ok(), holds);
    }
});
