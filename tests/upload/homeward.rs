//! Receipts on their way home, where something is not as it should be: the summary is told all the same, and nobody is told that
//! a receipt is good, or that records are there, where they are not.

use std::fs;
use std::process::Output;

use crate::sample::{self, Writer};
use crate::site::{Running, Site, said};

fn push(site: &Site, receiver: &Running, more: &[&str]) -> Output {
    let base = [
        "push",
        "records.jws",
        "--to",
        &receiver.url,
        "--receipt",
        "receipt.txt",
        "--public",
        "ledger.key.pub",
    ];
    site.audit(&[&base[..], more].concat())
}

/// A record that says it is far ahead, with the signature of another.
fn forged(writer: &Writer) -> Vec<u8> {
    let mut draft = writer.draft(sample::intent());
    draft.link.seq = 1_000_000;
    let record = writer.sign(draft);
    let signature = |bytes: &[u8]| bytes.rsplit(|byte| *byte == b'.').next().expect("a signature").to_vec();
    let own = signature(record.bytes());
    let input = &record.bytes()[..record.bytes().len() - own.len()];
    [input, &signature(writer.records[1].bytes()), b"\n"].concat()
}

#[test]
fn a_forged_line_does_not_take_the_receipt_for_the_others_away() {
    let site = Site::new(2);
    let receiver = site.plain_receiver(&["--anyone"]);
    let good = site.read("records.jws");
    site.write("records.jws", &[good.as_bytes(), &forged(&site.writers[0])].concat());
    let pushed = push(&site, &receiver, &[]);
    let told = said(&pushed);
    assert_eq!(pushed.status.code(), Some(6), "{told}");
    assert!(told.contains("8 sent and accepted · 0 accepted before · 1 refused"), "{told}");
    assert!(told.contains("the receipt holds for 8 of 9 records, and says nothing of the other 1"), "{told}");
    site.write("good.jws", good.as_bytes());
    let verified =
        site.audit(&["checkpoint", "--receipt", "receipt.txt", "--public", "ledger.key.pub", "good.jws"]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    // So with a receipt that the ledger's keeper makes of the same bundle, had the forged line never come.
    drop(receiver);
    fs::remove_file(site.path("ledger.db")).unwrap();
    assert_eq!(site.audit(&["import", "good.jws"]).status.code(), Some(0));
    let made = ["checkpoint", "--key", "ledger.key", "--out", "made.txt", "--for", "records.jws"];
    assert_eq!(site.audit(&made).status.code(), Some(1), "the forged line is not there");
    let verify = ["checkpoint", "--receipt", "made.txt", "--public", "ledger.key.pub", "good.jws"];
    let verified = site.audit(&verify);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    // And where it did come, with its signature that is nobody's.
    assert_eq!(site.audit(&["import", "records.jws"]).status.code(), Some(6));
    fs::remove_file(site.path("made.txt")).unwrap();
    assert_eq!(site.audit(&made).status.code(), Some(0));
    let verified = site.audit(&verify);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
}

#[test]
fn a_receiver_that_lost_its_ledger_is_not_said_to_hold_the_records() {
    let site = Site::new(1);
    let receiver = site.plain_receiver(&["--anyone"]);
    let first = push(&site, &receiver, &["--state", "state"]);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert!(said(&first).contains("the receipt holds for all 6 records"), "{}", said(&first));
    fs::remove_file(site.path("receipt.txt")).unwrap();
    let address = receiver.address();
    receiver.kill();
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(site.path(name));
    }
    let receiver = Running::start(site.command(&[
        "receive",
        "--listen",
        &address,
        "--plain-http",
        "--anyone",
        "--key",
        "ledger.key",
    ]));
    let pushed = push(&site, &receiver, &["--state", "state"]);
    let told = said(&pushed);
    assert_eq!(pushed.status.code(), Some(6), "{told}");
    assert!(told.contains("0 sent and accepted · 6 accepted before"), "{told}");
    assert!(
        told.contains("the receiver does not hold record ") && told.contains("name a new --state"),
        "{told}"
    );
    assert!(!site.path("receipt.txt").exists());
}

#[test]
fn a_receiver_without_a_key_gives_no_receipt_and_that_is_said() {
    let site = Site::new(0);
    let receiver =
        Running::start(site.command(&["receive", "--listen", "127.0.0.1:0", "--plain-http", "--anyone"]));
    let pushed = push(&site, &receiver, &[]);
    let told = said(&pushed);
    assert_eq!(pushed.status.code(), Some(1), "{told}");
    assert!(told.contains("4 sent and accepted"), "{told}");
    assert!(
        told.contains("the receiver gives no receipts: status 404: this receiver signs nothing"),
        "{told}"
    );
}

#[test]
fn a_receipt_that_cannot_be_kept_or_asked_for_does_not_hide_what_was_sent() {
    let site = Site::new(0);
    let receiver = site.plain_receiver(&["--anyone"]);
    // It is there already: said before anything is sent.
    site.write("receipt.txt", b"another");
    let pushed = push(&site, &receiver, &[]);
    assert_eq!(pushed.status.code(), Some(5), "{}", said(&pushed));
    assert!(said(&pushed).contains("name another file"), "{}", said(&pushed));
    assert_eq!(site.arrived(), []);
    // It can not be written.
    let all = ["push", "records.jws", "--to", &receiver.url, "--receipt", "nowhere/receipt.txt", "--json"];
    let pushed = site.audit(&all);
    assert_eq!(pushed.status.code(), Some(5), "{}", said(&pushed));
    let told: serde_json::Value = serde_json::from_slice(&pushed.stdout).expect("the summary");
    assert_eq!((&told["accepted"], &told["receipt"]), (&4.into(), &"not-written".into()));
    // The key is another's.
    fs::remove_file(site.path("receipt.txt")).unwrap();
    site.audit(&["checkpoint", "--new-key", "other.key"]);
    let other = [
        "push",
        "records.jws",
        "--to",
        &receiver.url,
        "--receipt",
        "receipt.txt",
        "--public",
        "other.key.pub",
    ];
    let pushed = site.audit(&other);
    assert_eq!(pushed.status.code(), Some(6), "{}", said(&pushed));
    assert!(said(&pushed).contains("4 sent and accepted"), "{}", said(&pushed));
    assert!(!site.path("receipt.txt").exists());
    // Nothing was accepted.
    site.write("records.jws", b"damage\n");
    let pushed = push(&site, &receiver, &[]);
    assert_eq!(pushed.status.code(), Some(6), "{}", said(&pushed));
    assert!(said(&pushed).contains("none was asked for"), "{}", said(&pushed));
    assert!(said(&pushed).contains("1 refused"), "{}", said(&pushed));
}

#[test]
fn what_is_no_file_and_no_number_is_usage() {
    let site = Site::new(0);
    for more in [
        &["push", "-", "--to", "http://127.0.0.1:1/"][..],
        &["push", "/dev/null", "--to", "http://127.0.0.1:1/"],
        &["push", "records.jws", "--to", "http://127.0.0.1:1/", "--timeout", "18446744073709551615"],
        &["push", "records.jws", "--to", "http://127.0.0.1:1/", "--patience", "18446744073709551615"],
        &[
            "receive",
            "--listen",
            "127.0.0.1:0",
            "--plain-http",
            "--anyone",
            "--connections",
            "18446744073709551615",
        ],
    ] {
        let refused = site.audit(more);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    }
    assert!(said(&site.audit(&["push", "-", "--to", "http://127.0.0.1:1/"])).contains("- is no file"));
}
