//! `doc/cli-json.md` is what `--json` prints: every verb is run, and its top-level fields are compared. The rules of the
//! document are those of the code.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use breakglass::attestation::Serial;
use breakglass::device::Readers;
use breakglass::device::practice::{PracticeReaders, Surroundings};
use breakglass::secret::Fido2Pin;
use practice::{PIN, PUK, PracticeKit, run};

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/cli-json.md");
    std::fs::read_to_string(path).expect("the document")
}

/// First column of the table of each section, by the section's heading.
fn tables() -> BTreeMap<String, BTreeSet<String>> {
    let mut tables = BTreeMap::new();
    for section in document().split("\n## ").skip(1) {
        let (heading, text) = section.split_once('\n').expect("a heading");
        let first = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
        tables.insert(heading.to_owned(), text.lines().filter_map(first).collect());
    }
    tables
}

/// Runs with `--json`, and holds the fields against that section.
fn hold(kit: &Path, heading: &str, arguments: &[&str], pins: &[&str], code: i32) {
    let output = run(kit, &[&["--json"], arguments].concat(), pins);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{told}");
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{told}"));
    let fields: BTreeSet<String> = object.keys().cloned().collect();
    let table = tables().remove(heading).unwrap_or_else(|| panic!("no section {heading}"));
    assert_eq!(fields, table, "{arguments:?}");
    let findings = object.get("findings").and_then(|findings| findings.as_array()).into_iter().flatten();
    let of_a_finding = tables().remove("A finding").expect("a section about findings");
    for finding in findings {
        let fields: BTreeSet<String> = finding.as_object().expect("an object").keys().cloned().collect();
        assert!(fields.is_subset(&of_a_finding), "{arguments:?}: {finding:#}");
    }
}

#[test]
fn every_verb_prints_what_the_document_says() {
    let pin = |serial: u32| format!("{serial} pin {PIN}");
    let (one, two) = (pin(23112), pin(23115));
    let fresh = tempfile::tempdir().unwrap();
    let kit = fresh.path();
    hold(kit, "`init`", &["init", "--practice"], &[], 0);
    let whole = tempfile::tempdir().unwrap();
    let folder = whole.path().display().to_string();
    hold(kit, "`practice start`", &["practice", "start", &folder], &[], 0);
    let serials = ["23112", "23115", "30877"];
    for serial in serials {
        hold(kit, "`practice`", &["practice", "new", "--serial", serial], &[], 0);
        let new = [format!("{serial} new-pin {PIN}"), format!("{serial} new-puk {PUK}")];
        let provision = ["key", "provision", "--serial", serial, "--confirm", serial];
        hold(kit, "`key provision`", &provision, &new.each_ref().map(|line| line.as_str()), 0);
    }
    let admit = ["key", "admit", "23112", "--confirm", "found 23112"];
    hold(kit, "`key admit` of the first key", &admit, &[&one], 0);
    let changes = "`key admit`, `key retire`, `policy adopt`";
    hold(kit, changes, &["key", "admit", "23115", "--with", "23112", "--confirm", "admit 23115"], &[&one], 0);
    for (with, pin) in [("23112", &one), ("23115", &two)] {
        hold(kit, changes, &["key", "admit", "30877", "--with", with, "--confirm", "admit 30877"], &[pin], 0);
    }
    hold(kit, "`practice`", &["practice", "new", "--serial", "7"], &[], 0);
    let mut readers = PracticeReaders::new(&practice::keys_of(kit), Surroundings::of_this_machine());
    let fido2_pin = Fido2Pin::parse(PIN.as_bytes()).unwrap();
    readers.authenticator(Serial(7)).unwrap().set_pin(&fido2_pin).unwrap();
    let typed = format!("7 fido2-pin {PIN}");
    hold(kit, "`key calibrate`", &["key", "calibrate", "7"], &[&typed], 0);
    hold(kit, "`policy check`", &["policy", "check"], &[], 0);
    let toml = std::fs::read_to_string(kit.join("kit.toml")).unwrap();
    std::fs::write(kit.join("kit.toml"), toml + "# edited\n").unwrap();
    hold(kit, "`policy check`", &["policy", "check"], &[], 1);
    hold(kit, changes, &["policy", "adopt", "--with", "23112", "--confirm", "adopt policy"], &[&one], 0);
    let seal = ["--generate", "--with", "23112", "--confirm", "seal core-db"];
    hold(kit, "`seal`, `rotate`", &[&["seal", "core-db/root", "-k", "2"][..], &seal].concat(), &[&one], 0);
    hold(kit, "`seal`, `rotate`", &[&["rotate", "core-db/root"][..], &seal].concat(), &[&one], 0);
    let confirm =
        ["rotate", "core-db/root", "--confirm-pending", "--with", "23112", "--confirm", "confirm core-db"];
    hold(kit, "`rotate --confirm-pending`", &confirm, &[&one], 0);
    let new = format!("23112 new-pin {}", "73625140");
    hold(kit, "`key pin`", &["key", "pin", "23112"], &[&one, &new], 0);
    hold(
        kit,
        changes,
        &["key", "retire", "30877", "--why", "lost", "--with", "23115", "--confirm", "retire 30877"],
        &[&two],
        0,
    );
}

#[test]
fn an_opening_prints_what_the_document_says() {
    let kit = PracticeKit::new();
    let pins = PracticeKit::pins(1);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    // Descriptor 2 takes the secret: nothing else is said on it.
    let open = [PracticeKit::opening("core-fw/admin"), vec!["--fd", "2", "--key", "23112"]].concat();
    hold(kit.path(), "`open`", &open, &pins, 0);
}

#[test]
fn minting_and_trust_print_what_the_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let kit = folder.path();
    let ok = |arguments: &[&str], pins: &[&str]| practice::done(&run(kit, arguments, pins));
    ok(&["init", "--practice"], &[]);
    let text = std::fs::read_to_string(kit.join("kit.toml")).unwrap().replace("# mints = ", "mints = ");
    let table = "\n[[mint]]\nname = \"jump-hosts\"\nkind = \"ssh\"\nprincipals = [\"breakglass\"]\n\
                 \n[[mint]]\nname = \"db\"\nkind = \"x509\"\nuser = \"ada\"\ngroups = [\"dba\"]\n\
                 \n[[mint]]\nname = \"api\"\nkind = \"token\"\nissuer = \"urn:example:emergency\"\n\
                 resource = \"https://api.example\"\nclient = \"breakglass\"\nscopes = [\"read\"]\n\
                 \n[[mint]]\nname = \"log-in\"\nkind = \"assertion\"\nclient = \"breakglass\"\n\
                 server = \"https://as.example\"\ntoken-endpoint = \"https://as.example/token\"\n";
    std::fs::write(kit.join("kit.toml"), text + table).unwrap();
    ok(&["practice", "new", "--serial", "23112"], &[]);
    let new = [format!("23112 new-pin {PIN}"), format!("23112 new-puk {PUK}")];
    ok(&["key", "provision", "--confirm", "23112"], &new.each_ref().map(|line| line.as_str()));
    let pin = format!("23112 pin {PIN}");
    ok(&["key", "admit", "23112", "--confirm", "found 23112"], &[&pin]);
    let [minted, client, trust] =
        ["minted", "client", "trust"].map(|name| kit.join(name).display().to_string());
    let why = ["--emergency", "attack", "--incident", "INC-1", "--reason", "test", "--operator", "ada"];
    let words =
        [&["mint", "ssh", "jump-hosts", "--out", &minted][..], &why, &["--confirm", "mint jump-hosts"]];
    hold(kit, "`mint ssh`", &words.concat(), &[&pin], 0);
    let words = ["trust", "authority", "--confirm", "authority 23112"];
    hold(kit, "`trust authority`", &words, &[&pin], 0);
    let words = [&["mint", "x509", "db", "--out", &client][..], &why, &["--confirm", "mint db"]];
    hold(kit, "`mint x509`", &words.concat(), &[&pin], 0);
    let out = |name: &str| kit.join(name).display().to_string();
    let (token, assertion, key) = (out("token"), out("assertion"), out("key"));
    let words = [&["mint", "token", "api", "--out", &token][..], &why, &["--confirm", "mint api"]];
    hold(kit, "`mint token`", &words.concat(), &[&pin], 0);
    let words =
        [&["mint", "assertion", "log-in", "--out", &assertion][..], &why, &["--confirm", "mint log-in"]];
    hold(kit, "`mint assertion`", &words.concat(), &[&pin], 0);
    hold(kit, "`mint key`", &["mint", "key", "--out", &key], &[], 0);
    let private = kit.join("key/key.pem").display().to_string();
    let asked = ["token", "proof", "--key", &private, "--method", "GET", "--url", "https://api.example/"];
    hold(kit, "`token proof`", &asked, &[], 0);
    hold(kit, "`trust export`", &["trust", "export", &trust], &[], 0);
    let lists = kit.join("lists").display().to_string();
    let words = ["revoke", "--incident", "INC-1", "--why", "left behind", "--out", &lists];
    hold(kit, "`revoke`", &[&words[..], &["--confirm", "revoke INC-1"]].concat(), &[&pin], 0);
    hold(kit, "`incident list`", &["incident", "list"], &[], 0);
    hold(kit, "`incident show`", &["incident", "show", "INC-1"], &[], 0);
}

#[test]
fn a_drill_prints_what_the_document_says() {
    let kit = PracticeKit::new();
    let words =
        ["drill", "core-fw/admin", "--key", "23112", "--operator", "ada", "--confirm", "drill core-fw"];
    hold(kit.path(), "`drill`", &words, &[&format!("23112 pin {PIN}")], 0);
}

#[test]
fn every_looking_verb_prints_what_the_document_says() {
    let kit = PracticeKit::new();
    let other = PracticeKit::new();
    let pin = format!("23112 pin {PIN}");
    let there = tempfile::tempdir().unwrap();
    let to = there.path().display().to_string();
    let bundle = there.path().join("records.jws").display().to_string();
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/attestation");
    let vector = |name: &str| format!("{vectors}/{name}");
    let (leaf, device, root) = (vector("signing.pem"), vector("device.pem"), vector("root.pem"));
    let copy = other.path().display().to_string();
    let looks: [(&str, &[&str], i32); 18] = [
        ("`key list`", &["key", "list"], 0),
        ("`key inspect`", &["key", "inspect", "23112"], 0),
        ("`coverage`", &["coverage"], 1),
        ("`change`", &["change", "--lost", "30877"], 1),
        ("`change`", &["change", "--joins", "ada"], 0),
        ("`inventory`", &["inventory", "--all"], 0),
        ("`inventory --witness`", &["inventory", "--witness"], 1),
        ("`status`", &["status"], 1),
        ("`records list`", &["records", "list"], 0),
        ("`records verify`", &["records", "verify"], 0),
        ("`records export`", &["records", "export", &to], 0),
        ("`records verify`", &["records", "verify", &bundle], 1),
        ("`records export`", &["records", "export", &to, "--with", "23112"], 0),
        ("`records verify`", &["records", "verify", &bundle], 0),
        ("`records export`", &["records", "export", &to], 0),
        ("`records export --openssl`", &["records", "export", &to, "--openssl", "3"], 0),
        ("`kit merge`", &["kit", "merge", &copy], 0),
        ("`attestation`", &["attestation", &leaf, &device, "--root", &root], 0),
    ];
    for (heading, arguments, code) in looks {
        hold(kit.path(), heading, arguments, &[&pin], code);
    }
}

#[test]
fn closing_and_anchoring_print_what_the_document_says() {
    let kit = PracticeKit::new();
    let pins = PracticeKit::pins(1);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    let open = [PracticeKit::opening("core-fw/admin"), vec!["--key", "23112"]].concat();
    assert!(kit.run(&open, &pins).status.success());
    let pin = format!("23115 pin {PIN}");
    let close = ["close", "INC-4711", "--verdict", "drill", "--outcome", "over", "--with", "23115"];
    let words = [&close[..], &["--confirm", "close INC-4711"]].concat();
    hold(kit.path(), "`close`", &words, &[&pin], 0);
    hold(kit.path(), "`incident list`", &["incident", "list"], &[], 0);
    hold(kit.path(), "`incident show`", &["incident", "show", "INC-4711"], &[], 0);
    let back = ["discharge", "INC-4711", "return 23112", "--by", "ada", "--how", "in its bag"];
    let words = [&back[..], &["--with", "23115", "--confirm", "discharge return 23112"]].concat();
    hold(kit.path(), "`discharge`", &words, &[&pin], 0);
    let review = ["review", "INC-4711", "--by", "dana", "--judgement", "agree", "--text", "as rehearsed"];
    let words = [&review[..], &["--with", "23115", "--confirm", "review INC-4711"]].concat();
    hold(kit.path(), "`review`", &words, &[&pin], 0);
    let checkpoint = kit.path().join("checkpoint");
    std::fs::write(
        &checkpoint,
        "audit.example.org/ledger\n42\nqINS1GRFhWHwdkU=\n\n— audit.example.org/ledger wXyz\n",
    )
    .unwrap();
    let words = ["records", "anchor", checkpoint.to_str().unwrap(), "--with", "23115"];
    hold(kit.path(), "`records anchor`", &words, &[&pin], 0);
}

#[test]
fn asking_and_approving_print_what_the_document_says() {
    let kit = PracticeKit::new();
    let toml = kit.path().join("kit.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let text = text.replacen("# approval = ", "approval = ", 1);
    let person = "\n[[person]]\nname = \"bob\"\nroles = [\"approver\"]\nkeys = [23115]\n";
    std::fs::write(&toml, text + person).unwrap();
    let (one, two) = (format!("23112 pin {PIN}"), format!("23115 pin {PIN}"));
    for (serial, pin) in [("23112", &one), ("23115", &two)] {
        let adopt = ["policy", "adopt", "--with", serial, "--confirm", "adopt policy"];
        practice::done(&run(kit.path(), &adopt, &[pin]));
    }
    let file = kit.path().join("request.json").display().to_string();
    let words = ["request", "core-fw/admin", "--emergency", "pam-outage", "--incident", "INC-4711"];
    let who =
        ["--reason", "PAM lost quorum", "--operator", "ada", "--document", "badge", "--seen-by", "dana"];
    hold(kit.path(), "`request`", &[&words[..], &who, &["--out", &file]].concat(), &[], 0);
    let approval = kit.path().join("approval.txt").display().to_string();
    let words = ["approve", &file, "--with", "23115", "--out", &approval, "--confirm", "approve core-fw"];
    hold(kit.path(), "`approve`", &words, &[&two], 0);
    let open = ["open", "--approval", &approval, "--key", "23112", "--confirm", "open core-fw"];
    practice::done(&run(kit.path(), &open, &[&one]));
    let notices = kit.path().join("notices").display().to_string();
    hold(kit.path(), "`notify`", &["notify", "--out", &notices], &[], 0);
}

#[test]
fn custody_and_paper_print_what_the_document_says() {
    let kit = PracticeKit::new();
    practice::add_person(kit.path(), "bob", "custodian");
    let pin = format!("23115 pin {PIN}");
    let who = ["--person", "ada", "--witness", "bob", "--with", "23115"];
    let out = ["key", "checkout", "23112", "--bag", "0417", "--seal", "intact", "--why", "INC-4711"];
    let words = [&out[..], &who, &["--confirm", "checkout 23112"]].concat();
    hold(kit.path(), "`key checkout`", &words, &[&pin], 0);
    let back = ["key", "checkin", "23112", "--place", "safe A", "--bag", "0502"];
    let words = [&back[..], &who, &["--confirm", "checkin 23112"]].concat();
    hold(kit.path(), "`key checkin`", &words, &[&pin], 0);
    let page = kit.path().join("page.html").display().to_string();
    let paper = "`label`, `letter`, `runbook`";
    for words in [&["label"][..], &["letter", "23112"], &["runbook"], &["runbook", "--html", &page]] {
        hold(kit.path(), paper, words, &[], 0);
    }
}

#[test]
fn a_gap_is_accepted_as_the_document_says() {
    let kit = PracticeKit::new();
    let journal = std::fs::read_dir(kit.path().join("journal")).unwrap();
    let mut files = journal.map(|entry| entry.unwrap().path());
    let chain = files.find(|path| path.to_string_lossy().contains("23112")).unwrap();
    let text = std::fs::read_to_string(&chain).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(3);
    std::fs::write(&chain, lines.join("\n") + "\n").unwrap();
    let pin = format!("23115 pin {PIN}");
    let words = ["kit", "accept-gap", "--why", "lost", "--with", "23115", "--confirm", "accept gap"];
    hold(kit.path(), "`kit accept-gap`", &words, &[&pin], 0);
}

#[test]
fn doctor_prints_what_the_document_says() {
    let kit = PracticeKit::new();
    let output = run(kit.path(), &["--json", "doctor"], &[]);
    // Whether this machine lacks something is its own affair.
    assert!(matches!(output.status.code(), Some(0 | 1)));
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let fields: BTreeSet<String> = object.keys().cloned().collect();
    assert_eq!(Some(fields), tables().remove("`doctor`"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("a practice kit needs no pcscd"), "{text}");
}

#[test]
fn every_section_is_held() {
    let tests = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file!())).unwrap();
    for heading in tables().into_keys().filter(|heading| heading.starts_with('`')) {
        assert!(tests.contains(&format!("\"{heading}\"")), "{heading} is not tested");
    }
}

#[test]
fn the_rules_of_the_document_are_those_of_the_code() {
    let mut code = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                // The auditor's rules are held against doc/audit-rules.md.
                true if path.ends_with("audit") => {}
                true => folders.push(path),
                false => code.extend(rules(&std::fs::read_to_string(path).unwrap())),
            }
        }
    }
    assert_eq!(tables().remove("Rules"), Some(code));
}

/// The identifier after each call that makes a finding.
fn rules(code: &str) -> BTreeSet<String> {
    let calls =
        ["Finding::wrong(", "Finding::not_checked(", "Finding::due(", "Finding::note(", ".due(", "wrong("];
    let mut found = BTreeSet::new();
    for call in calls {
        for (at, _) in code.match_indices(call) {
            let Some(literal) = code[at + call.len()..].trim_start().strip_prefix('"') else { continue };
            let name = literal.split('"').next().unwrap_or("");
            // `no`-like words of other calls are not identifiers of findings.
            if name.len() > 2
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
            {
                found.insert(name.to_owned());
            }
        }
    }
    found
}
