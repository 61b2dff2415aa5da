//! Foreign bytes as a journal; and as a program that edits a good one, so that the fuzzer begins where damage does.
#![no_main]

use std::sync::OnceLock;

use breakglass::attestation;
use breakglass::record::bundle::{Bundle, unbundle};
use breakglass::record::chain::{Chain, Depth, Relation, Tail};
use breakglass::record::{event, hash, token};
use libfuzzer_sys::fuzz_target;

#[path = "../../src/record/sample.rs"]
mod sample;

use sample::Writer;

fuzz_target!(|data: &[u8]| {
    let (writer, other) = good();
    hold(writer, other, data);
    hold(writer, other, &edited(writer, other, data));
});

/// A chain of twelve records, and one of another key.
fn good() -> &'static (Writer, Writer) {
    static GOOD: OnceLock<(Writer, Writer)> = OnceLock::new();
    GOOD.get_or_init(|| {
        let mut writer = Writer::founder(1);
        writer.open(4);
        sample::every_event().into_iter().skip(1).take(3).for_each(|event| drop(writer.write(event)));
        writer.open(3);
        (writer, Writer::founder(2))
    })
}

/// Three bytes an edit: what, where, and with what.
fn edited(writer: &Writer, other: &Writer, program: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = writer.records.iter().map(|record| record.bytes().to_vec()).collect();
    let mut unterminated = false;
    for edit in program.chunks_exact(3).take(8) {
        if lines.is_empty() {
            break;
        }
        let (at, with) = (usize::from(edit[1]) % lines.len(), edit[2]);
        match edit[0] % 7 {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[usize::from(with) % lines.len()].clone()),
            2 => {
                let other = usize::from(with) % lines.len();
                lines.swap(at, other);
            }
            3 => lines.insert(at, other.records[usize::from(with) % other.records.len()].bytes().to_vec()),
            4 => {
                let line = &mut lines[at];
                let place = usize::from(with) * line.len() / 256;
                if let Some(byte) = line.get_mut(place) {
                    *byte = if *byte == b'A' { b'B' } else { b'A' };
                }
            }
            5 => {
                let keep = usize::from(with) * lines[at].len() / 256;
                lines[at].truncate(keep);
            }
            _ => unterminated = true,
        }
    }
    let mut file: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    if unterminated {
        file.pop();
    }
    file
}

/// Both depths agree; what is called intact was signed, in its order; nothing of the file is lost.
fn hold(writer: &Writer, other: &Writer, file: &[u8]) {
    let name = writer.name();
    let [links, every] = [Depth::Links, Depth::Every].map(|depth| Chain::read(&name, file, depth));
    assert_eq!(links.check(), every.check());
    // If nothing of the chain itself is left, the file is another's under this name; `check` says so.
    let whose = match links.head() {
        Some(head) if head.chain_name() == other.name() => other,
        _ => writer,
    };
    let mut next = 0;
    for record in links.records() {
        assert!(record.link.seq >= next, "records in order");
        next = record.link.seq + 1;
        assert_eq!(record, &whose.records[usize::try_from(record.link.seq).expect("a small number")]);
    }
    assert_eq!(links.compare(&every), Relation::Equal);
    let mut again = Bundle::of([&links]).into_bytes();
    unbundle(&again);
    match links.tail() {
        Tail::None => {}
        Tail::Complete(record) => again.extend_from_slice(record.bytes()),
        Tail::Torn(bytes) => again.extend_from_slice(bytes),
    }
    assert_eq!(again, file);
    let whole = file.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    assert_eq!(links.check().is_ok(), writer.journal().starts_with(&file[..whole]));
}
