use proptest::prelude::*;
use zeroize::Zeroizing;

use super::receipt::{Proof, ReceiptError, newest_checkpoint, verify};
use super::*;

/// 2026-11-21 12:00:00 UTC.
const NOON: i64 = 1_795_262_400;

fn key(n: u8) -> LedgerKey {
    LedgerKey::new(&Zeroizing::new([n; 32])).0
}

fn records(n: u64) -> Vec<Hash> {
    (0..n).map(|i| Hash::of(&i.to_be_bytes())).collect()
}

fn checkpoint(records: &[Hash]) -> Checkpoint {
    Checkpoint {
        origin: key(1).public().name().into(),
        size: records.len() as u64,
        root: tree::root(records.iter().copied()),
        at: Some(NOON),
    }
}

/// A receipt for some of the records.
fn receipt(records: &[Hash], of: &[u64]) -> String {
    super::receipt::of(&proofs(records, of)).unwrap()
}

fn proofs(records: &[Hash], of: &[u64]) -> Vec<String> {
    let mut tree = tree::Tree::new(of.iter().copied());
    records.iter().for_each(|record| tree.push(record));
    let signed = checkpoint(records).sign(&key(1));
    let (_, mut paths) = tree.finish();
    let proof = |at: &u64| Proof {
        record: records[*at as usize],
        index: *at,
        path: paths.remove(at).expect("asked for"),
    };
    of.iter().map(proof).map(|proof| proof.text(&signed)).collect()
}

#[test]
fn a_checkpoint_is_four_lines_and_a_signature() {
    let checkpoint = checkpoint(&records(5));
    let signed = checkpoint.sign(&key(1));
    let lines: Vec<&str> = signed.lines().collect();
    let name = "breakglass.example/ledger/34750f98";
    assert_eq!(lines[..2], [name, "5"]);
    assert_eq!(lines[3..5], ["time 2026-11-21T12:00:00Z", ""]);
    assert!(lines[5].starts_with(&format!("\u{2014} {name} ")), "{signed}");
    assert_eq!(lines.len(), 6);
    assert_eq!(Checkpoint::verify(&signed, key(1).public()), Ok(checkpoint.clone()));
    assert_eq!(Checkpoint::believe(&signed), Ok(checkpoint.clone()));
    assert_eq!(checkpoint.sign(&key(1)), signed, "equal contents have equal bytes");
}

#[test]
fn a_checkpoint_of_another_program_is_read_without_its_time() {
    let text = "breakglass.example/ledger/34750f98\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nsomething else\n";
    let read = Checkpoint::verify(&key(1).sign(text), key(1).public()).unwrap();
    assert_eq!((read.size, read.at, read.root), (0, None, tree::root([])));
}

#[test]
fn what_is_signed_but_no_checkpoint_is_refused() {
    let good = checkpoint(&records(3)).text();
    let wrong = [
        "one line\n".into(),
        good.replace("\n3\n", "\n03\n"),
        good.replace("\n3\n", "\n-3\n"),
        good.replace("\n3\n", "\n\n"),
        good.replace("=\n", "\n"),
        good.replace("00:00Z", "00:00.5Z"),
        good.replace("00:00Z", "00:00+01:00"),
        good.replace("00:00Z", "00:61Z"),
        format!("{good}time 2026-11-21T12:00:00Z\n"),
        format!("{good}\n"),
    ];
    for text in wrong {
        let signed = key(1).sign(&text);
        assert!(
            matches!(Checkpoint::verify(&signed, key(1).public()), Err(CheckpointError::Text(_))),
            "{text}"
        );
    }
    let stranger = Checkpoint { origin: "example.com/other".into(), ..checkpoint(&records(3)) };
    assert!(matches!(
        Checkpoint::verify(&stranger.sign(&key(1)), key(1).public()),
        Err(CheckpointError::Origin { .. })
    ));
}

#[test]
fn a_ledger_that_only_grew_is_told_from_one_that_was_rewritten() {
    let records = records(40);
    let old: Vec<Checkpoint> = [0, 1, 7, 40, 40].map(|n| checkpoint(&records[..n])).into();
    assert_eq!(compare(&old, records.iter().copied()), vec![Consistency::Same; 5]);
    // One record was taken out, exchanged, or two have changed places.
    let mut without = records.clone();
    without.remove(3);
    let answers = compare(&old, without);
    assert_eq!(answers[..2], [Consistency::Same; 2]);
    assert!(matches!(answers[2], Consistency::Other { .. }));
    assert_eq!(answers[3..], [Consistency::Shorter { holds: 39 }; 2]);
    let mut swapped = records.clone();
    swapped.swap(8, 9);
    let answers = compare(&old, swapped);
    assert_eq!(answers[..3], [Consistency::Same; 3]);
    assert!(matches!(answers[3..], [Consistency::Other { .. }, Consistency::Other { .. }]));
    let other = compare(&old, (100..160u64).map(|n| Hash::of(&n.to_be_bytes())));
    assert_eq!(other[0], Consistency::Same, "the empty beginning is everybody's");
    assert!(other[1..].iter().all(|answer| matches!(answer, Consistency::Other { .. })));
}

#[test]
fn a_receipt_proves_each_of_its_records() {
    let records = records(21);
    let text = receipt(&records, &[0, 7, 20]);
    let proven = verify(&text, key(1).public()).unwrap();
    let found: Vec<_> = proven.iter().map(|one| (one.proof.index, one.proof.record)).collect();
    assert_eq!(found, [0, 7, 20].map(|at| (at as u64, records[at])));
    assert!(proven.iter().all(|one| one.checkpoint == checkpoint(&records)));
    let signed = checkpoint(&records).sign(&key(1));
    assert_eq!(proven[0].checkpoint_id, id(&signed));
    assert_eq!(newest_checkpoint(&text), Ok(signed.as_str()));
    assert!(matches!(verify(&text, key(2).public()), Err(ReceiptError::Checkpoint { number: 1, .. })));
    assert_eq!(verify("", key(1).public()), Err(ReceiptError::Empty));
    // Of a ledger of one record the proof has no path.
    assert_eq!(verify(&receipt(&records[..1], &[0]), key(1).public()).unwrap()[0].proof.path.len(), 0);
}

#[test]
fn receipts_of_different_times_stand_in_one_file() {
    let records = records(21);
    let all = [proofs(&records[..9], &[4, 8]), proofs(&records, &[4])].concat();
    let text = super::receipt::of(&all).unwrap();
    assert!(text.starts_with(&checkpoint(&records).sign(&key(1))), "the newest is what a kit anchors");
    let proven = verify(&text, key(1).public()).unwrap();
    assert_eq!(proven.iter().map(|one| one.checkpoint.size).collect::<Vec<_>>(), [9, 9, 21]);
    assert_eq!(newest_checkpoint(&text), Ok(checkpoint(&records).sign(&key(1)).as_str()));
    // Bare proofs are a receipt too; another checkpoint before them is not theirs.
    assert_eq!(verify(&all.concat(), key(1).public()).unwrap(), proven);
    let other = checkpoint(&records[..5]).sign(&key(1));
    assert_eq!(verify(&format!("{other}\n{}", all.concat()), key(1).public()), Err(ReceiptError::Lead));
    // A kit would anchor what stands at the beginning: one that was changed, or an older one, is not taken for the newest.
    let older = checkpoint(&records[..9]).sign(&key(1));
    for lead in [text[..text.find("\nc2sp").unwrap()].replacen('A', "B", 1), older] {
        let changed = format!("{lead}\n{}", all.concat());
        assert_eq!(newest_checkpoint(&changed), Err(ReceiptError::Lead));
        assert_eq!(verify(&changed, key(1).public()), Err(ReceiptError::Lead));
    }
    assert_eq!(super::receipt::of(&[]), Err(ReceiptError::Empty));
}

#[test]
fn a_proof_for_another_record_is_named() {
    let records = records(8);
    let text = receipt(&records, &[2, 5]);
    let stranger = STANDARD.encode(Hash::of(b"never sent").0);
    let changed = text.replacen(&STANDARD.encode(records[5].0), &stranger, 1);
    let error = verify(&changed, key(1).public()).unwrap_err();
    assert_eq!(error, ReceiptError::NotIncluded { number: 2, record: Hash::of(b"never sent") });
}

proptest! {
    /// A receipt in which one character was changed proves nothing, or what it proved before.
    #[test]
    fn a_changed_receipt_does_not_hold(at in any::<prop::sample::Index>(), to in "[ -~\n]") {
        let text = receipt(&records(9), &[3, 8]);
        let places: Vec<(usize, char)> = text.char_indices().collect();
        let (at, c) = places[at.index(places.len())];
        let changed = format!("{}{to}{}", &text[..at], &text[at + c.len_utf8()..]);
        prop_assert_eq!(verify(&changed, key(1).public()).is_ok(), changed == text);
    }

    /// Foreign text is answered.
    #[test]
    fn any_text_is_answered(text in "(c2sp.org/tlog-proof@v1\n)?(extra [A-Za-z0-9+/=]{0,44}\n|index [0-9]{0,20}\n|[A-Za-z0-9+/=]{0,44}\n|\n|\u{2014} a b\n|\\PC){0,12}") {
        prop_assert!(verify(&text, key(1).public()).is_err());
        let _ = newest_checkpoint(&text);
    }
}
