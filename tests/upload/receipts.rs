//! Checkpoints and receipts, and stock tools that verify them.

use std::fs;
use std::process::Command;

use crate::site::{Site, said};
use crate::tools::python;

/// The code block of doc/upload.md that begins with this line.
fn from_the_page(first: &str) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/upload.md")).expect("the page");
    let at = page.find(first).unwrap_or_else(|| panic!("doc/upload.md has no {first:?}"));
    page[at..].split("```").next().expect("a block").to_owned()
}

fn shell(site: &Site, script: &str) -> String {
    let output = Command::new("sh").args(["-euc", script]).current_dir(site.path("")).output().expect("sh");
    said(&output)
}

#[test]
fn a_receipt_is_verified_by_us_by_openssl_and_by_a_page_of_python() {
    let site = Site::new(30);
    let receiver = site.receiver();
    let pushed = site.push(&receiver.url, &["--receipt", "receipt.txt"]);
    assert_eq!(pushed.status.code(), Some(1), "a receipt that was not verified is due: {}", said(&pushed));
    drop(receiver);
    let base = ["checkpoint", "--receipt", "receipt.txt", "--public", "ledger.key.pub", "records.jws"];
    let verified = site.audit(&base);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    assert!(said(&verified).contains("64 of 64 records are covered"), "{}", said(&verified));
    // openssl and the script, as the page has them.
    let openssl = from_the_page("# the signature, with openssl");
    site.write("checkpoint.txt", receipt_checkpoint(&site.read("receipt.txt")).as_bytes());
    site.write("ledger.pub", site.read("ledger.key.pub").as_bytes());
    assert!(shell(&site, &openssl).contains("Signature Verified Successfully"), "{}", shell(&site, &openssl));
    site.write("verify.py", from_the_page("# verify.py").as_bytes());
    let script = |site: &Site| {
        let output = Command::new(python())
            .args(["verify.py", "receipt.txt", "records.jws"])
            .current_dir(site.path(""))
            .output()
            .expect("python");
        (output.status.success(), said(&output))
    };
    let (good, told) = script(&site);
    assert!(good && told.matches("was number").count() == 2, "{told}");
    // One digit of the size, of a hash, of the index: nobody takes it.
    let receipt = site.read("receipt.txt");
    for (from, to) in [("\n64\n", "\n65\n"), ("index ", "index 1"), ("\n\n\u{2014}", "\n+\n\n\u{2014}")] {
        site.write("receipt.txt", receipt.replacen(from, to, 9).as_bytes());
        let verified = site.audit(&base);
        assert!(matches!(verified.status.code(), Some(5 | 6)), "{from}: {}", said(&verified));
        site.write("checkpoint.txt", receipt_checkpoint(&site.read("receipt.txt")).as_bytes());
        let both = script(&site).0 && shell(&site, &openssl).contains("Signature Verified Successfully");
        assert!(!both, "{from}");
    }
}

/// What a receipt begins with.
fn receipt_checkpoint(receipt: &str) -> String {
    receipt.split("\nc2sp.org/tlog-proof@v1\n").next().expect("a beginning").to_owned()
}

#[test]
fn an_older_checkpoint_shows_a_ledger_that_was_rewritten() {
    let site = Site::new(10);
    assert_eq!(site.audit(&["import", "records.jws"]).status.code(), Some(0));
    let signed = site.audit(&["checkpoint", "--key", "ledger.key", "--out", "old.txt"]);
    assert_eq!(signed.status.code(), Some(0), "{}", said(&signed));
    let check = ["checkpoint", "--check", "old.txt", "--public", "ledger.key.pub"];
    let same = site.audit(&check);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    assert!(said(&same).contains("its 24 records") && said(&same).contains("unchanged"), "{}", said(&same));
    let unsigned = site.audit(&["checkpoint", "--check", "old.txt"]);
    assert_eq!(
        unsigned.status.code(),
        Some(1),
        "a signature that was not checked is due: {}",
        said(&unsigned)
    );
    // Another ledger, with the same records in another order; and one that lacks some.
    let bundle = site.read("records.jws");
    let lines: Vec<&str> = bundle.lines().collect();
    let turned: Vec<&str> = lines[12..].iter().chain(&lines[..12]).copied().collect();
    for (lines, word) in [(&turned[..], "rewritten"), (&lines[..20], "taken away")] {
        fs::remove_file(site.path("ledger.db")).unwrap();
        site.write("other.jws", (lines.join("\n") + "\n").as_bytes());
        assert!(site.audit(&["import", "other.jws"]).status.code().is_some_and(|code| code < 2));
        let found = site.audit(&check);
        assert_eq!(found.status.code(), Some(6), "{}", said(&found));
        assert!(said(&found).contains("WRONG") && said(&found).contains(word), "{}", said(&found));
    }
    // A receipt whose beginning was changed, which is what a kit would anchor.
    let made = ["checkpoint", "--key", "ledger.key", "--for", "other.jws", "--out", "receipt.txt"];
    assert_eq!(site.audit(&made).status.code(), Some(0));
    let receipt = site.read("receipt.txt");
    let root = receipt.lines().nth(2).expect("a root");
    site.write("receipt.txt", receipt.replacen(root, &"A".repeat(root.len()), 1).as_bytes());
    let changed = site.audit(&["checkpoint", "--check", "receipt.txt", "--public", "ledger.key.pub"]);
    assert_eq!(changed.status.code(), Some(6), "{}", said(&changed));
    assert!(said(&changed).contains("what the receipt begins with"), "{}", said(&changed));
    // A checkpoint that somebody wrote himself.
    site.write("old.txt", site.read("old.txt").replace("\n24\n", "\n20\n").as_bytes());
    assert_eq!(site.audit(&check).status.code(), Some(6));
}

#[test]
fn a_receipt_says_what_it_does_not_cover() {
    let site = Site::new(10);
    assert_eq!(site.audit(&["import", "records.jws"]).status.code(), Some(0));
    let made =
        site.audit(&["checkpoint", "--key", "ledger.key", "--for", "records.jws", "--out", "receipt.txt"]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    // The kit has gone on since.
    let mut site = site;
    site.writers[0].open(3);
    let more: Vec<u8> = site.writers.iter().flat_map(|writer| writer.journal()).collect();
    site.write("more.jws", &more);
    let verified =
        site.audit(&["checkpoint", "--receipt", "receipt.txt", "--public", "ledger.key.pub", "more.jws"]);
    assert_eq!(verified.status.code(), Some(1), "{}", said(&verified));
    let told = said(&verified);
    assert!(told.contains("24 of 27 records are covered"), "{told}");
    assert!(
        told.contains(&format!("NOT COVERED: 3 of {}, from number 12 on", site.writers[0].name())),
        "{told}"
    );
    // Every record has its own proof where somebody wants that.
    let all =
        ["checkpoint", "--key", "ledger.key", "--every-record", "--out", "all.txt", "--for", "more.jws"];
    let made = site.audit(&all);
    assert_eq!(made.status.code(), Some(1), "three are not in the ledger: {}", said(&made));
    assert_eq!(site.read("all.txt").matches("c2sp.org/tlog-proof@v1").count(), 24);
}

#[test]
fn keys_and_files_are_not_written_over() {
    let site = Site::new(0);
    let again = site.audit(&["checkpoint", "--new-key", "ledger.key"]);
    assert_eq!(again.status.code(), Some(5), "{}", said(&again));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(site.path("ledger.key")).unwrap().permissions().mode() & 0o777, 0o600);
    site.audit(&["import", "records.jws"]);
    let refused = site.audit(&["checkpoint", "--key", "ledger.key", "--out", "token"]);
    assert_eq!(refused.status.code(), Some(5), "{}", said(&refused));
    assert!(said(&refused).contains("name another file"), "{}", said(&refused));
    // Half a pair of keys is not left behind, nor half a file.
    site.write("new.key.pub", b"another");
    assert_eq!(site.audit(&["checkpoint", "--new-key", "new.key"]).status.code(), Some(5));
    assert!(!site.path("new.key").exists());
    let program = env!("CARGO_BIN_EXE_breakglass-audit");
    let full = shell(&site, &format!("trap '' XFSZ; ulimit -f 0; '{program}' checkpoint --new-key full.key"));
    assert!(full.contains("full.key: File too large"), "{full}");
    assert!(!site.path("full.key").exists() && !site.path("full.key.pub").exists());
    // openssl reads what we write, and we read what openssl writes.
    let made = shell(
        &site,
        "openssl pkey -in ledger.key -pubout; openssl genpkey -algorithm ed25519 -out theirs.key",
    );
    assert!(made.contains(site.read("ledger.key.pub").trim()), "{made}");
    let signed = site.audit(&["checkpoint", "--key", "theirs.key"]);
    assert_eq!(signed.status.code(), Some(0), "{}", said(&signed));
}
