//! Makes bundles: distinct chained records with real signatures, by ring, as its signatures take a tenth of the time.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use breakglass::attestation;
use breakglass::record::chain::{Chain, Depth};
use breakglass::record::interop::jwks;
use breakglass::record::{event, hash, token};
use event::Event;
use hash::Hash;
use p256::ecdsa::Signature;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

#[path = "../../src/record/sample.rs"]
mod sample;

use sample::Writer;

const KITS: u8 = 4;
const KEYS: u8 = 4;
pub(crate) const CHAINS: usize = KITS as usize * KEYS as usize;

/// Files of a bundle.
pub(crate) struct Bundle {
    pub(crate) records: PathBuf,
    pub(crate) keys: PathBuf,
}

/// A bundle of so many records, made once and kept.
pub(crate) fn bundle(folder: &Path, number: usize) -> Bundle {
    let name = format!("{number}.jws");
    let bundle = Bundle { records: folder.join(&name), keys: folder.join(format!("{number}.jwks.json")) };
    if bundle.records.exists() && bundle.keys.exists() {
        return bundle;
    }
    let unfinished = folder.join(format!("{name}.unfinished"));
    let mut file = BufWriter::new(File::create(&unfinished).expect("a file"));
    let mut chains = Vec::new();
    for kit in 0..KITS {
        let mut id = None;
        for key in 0..KEYS {
            let at = usize::from(kit * KEYS + key);
            let length = number * (at + 1) / CHAINS - number * at / CHAINS;
            let mut writer = Writer::new(1 + kit * KEYS + key);
            let enrolment = writer.enrolment();
            writer.write(enrolment);
            writer.kit = id;
            if id.is_none() {
                let mut founding = sample::founding();
                if let Event::KitFounded(facts) = &mut founding {
                    facts.name = format!("kit {kit}");
                }
                let founding = writer.write(founding);
                id = Some(founding.hash());
                writer.kit = id;
            }
            write(&writer, length, &mut file);
            chains.push(Chain::read(&writer.name(), &writer.journal(), Depth::Every));
        }
    }
    file.flush().expect("writes");
    fs::write(&bundle.keys, jwks(&chains)).expect("writes");
    fs::rename(&unfinished, &bundle.records).expect("renames");
    bundle
}

/// Writes a chain that goes on from these records until it has so many: openings, with heads of others seen.
fn write(writer: &Writer, length: usize, file: &mut impl Write) {
    let random = SystemRandom::new();
    let scalar = writer.key.to_bytes();
    let point = writer.verifying_key().to_sec1_point(false);
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &scalar,
        point.as_bytes(),
        &random,
    )
    .expect("a key");
    for record in &writer.records {
        file.write_all(record.bytes()).and_then(|()| file.write_all(b"\n")).expect("writes");
    }
    let mut last = writer.records.last().expect("an enrolment").hash();
    for seq in writer.records.len() as u64..length as u64 {
        let mut opening = sample::intent();
        if let Event::OpenIntent(facts) = &mut opening {
            facts.reason = format!("storage controller {seq} of rack 7 lost, console unreachable");
        }
        let mut draft = writer.draft(opening);
        draft.jti = format!("{}-{seq}", writer.serial);
        draft.txn = Some(format!("INC-{}", seq / 4));
        draft.iat += 60 * seq as i64;
        (draft.link.seq, draft.link.prev) = (seq, Some(last));
        for other in 0..3u64 {
            let head = (seq, Hash::of(&(seq + other).to_be_bytes()));
            draft.link.seen.insert(format!("2000009{other}-0a1b2c3d"), head);
        }
        let input = draft.signing_input().expect("within the format");
        let signature = pair.sign(&random, input.bytes()).expect("signs");
        let record = input.finish(&Signature::from_slice(signature.as_ref()).expect("a signature"));
        last = record.hash();
        file.write_all(record.bytes()).and_then(|()| file.write_all(b"\n")).expect("writes");
    }
}
