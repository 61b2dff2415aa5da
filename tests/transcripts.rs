//! Transcripts in `tests/cli`: what a person types and what they read. Each is named as a sentence.
//!
//! They run in a folder of kits that this test makes first. `TRYCMD=overwrite cargo test --test transcripts` writes them
//! anew; what differs each time (words, key ids, times) is then to be replaced by `[..]` again.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use std::path::Path;

use practice::{PIN, PracticeKit, add_person, copy, done, run};

/// The kits by the names that the transcripts use.
fn kits(folder: &Path) {
    let place = |name: &str| {
        let kit = folder.join(name);
        std::fs::create_dir(&kit).expect("a folder for a kit");
        kit
    };
    let made = PracticeKit::new();
    for name in [
        "whole", "practice", "refused", "edited", "changed", "lacking", "custody", "opened", "drilled",
        "ruled", "misruled", "asked",
    ] {
        copy(made.path(), &place(name));
    }
    place("nothing");
    let empty = place("empty");
    done(&run(&empty, &["init", "--practice", "--name", "DC1 emergency kit"], &[]));

    let toml = folder.join("edited/kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    std::fs::write(&toml, text.replace("safe B", "safe C").replace("\"attack\", ", "")).expect("kit.toml");

    minting(&place("minting"), "\"ssh\"", SSH);
    minting(&place("certifying"), "\"x509\"", X509);
    minting(&place("oauth"), "\"token\"", OAUTH);
    let certified = place("certified");
    copy(&folder.join("certifying"), &certified);
    let words = ["trust", "authority", "--confirm", "authority 23112"];
    done(&run(&certified, &words, &[&format!("23112 pin {PIN}")]));
    rule(&folder.join("ruled"));
    ask(&folder.join("asked"));
    let toml = folder.join("misruled/kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    std::fs::write(&toml, text.replacen("quorum = 2", "quorum = 0", 1)).expect("kit.toml");

    let journal = |kit: &str, serial: &str| {
        let entries = std::fs::read_dir(folder.join(kit).join("journal")).expect("a journal");
        let mut paths = entries.map(|entry| entry.expect("an entry").path());
        paths.find(|path| path.display().to_string().contains(&format!("/{serial}-"))).expect("a chain")
    };
    let opened = folder.join("opened");
    let open = [PracticeKit::opening("core-db/root"), vec!["--key", "23112,23115"]].concat();
    let pin = format!("23112 pin {PIN}");
    done(&run(&opened, &open, &[&pin, &format!("23115 pin {PIN}")]));
    let words =
        ["--verdict", "real", "--outcome", "quorum is back", "--switched-off", "SCP deny-all of Production"];
    let sign = ["--with", "23112", "--confirm", "close INC-4711"];
    done(&run(&opened, &[&["close", "INC-4711"][..], &words, &sign].concat(), &[&pin]));
    let words = ["discharge", "INC-4711", "return 23112", "--by", "ada", "--how", "safe A, new bag 0421"];
    let sign = ["--with", "23112", "--confirm", "discharge return 23112"];
    done(&run(&opened, &[&words[..], &sign].concat(), &[&pin]));

    let path = journal("changed", "23112");
    let mut bytes = std::fs::read(&path).expect("a journal");
    let at = bytes.len() - 300;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    std::fs::write(&path, bytes).expect("a journal");

    let lacking = folder.join("lacking");
    let new = [format!("23112 pin {PIN}"), "23112 new-pin 73625140".to_owned()];
    done(&run(&lacking, &["key", "pin", "23112"], &new.each_ref().map(|line| line.as_str())));
    let open = [PracticeKit::opening("core-fw/admin"), vec!["--key", "23115"]].concat();
    done(&run(&lacking, &open, &[&format!("23115 pin {PIN}")]));
    let path = journal("lacking", "23112");
    let text = std::fs::read_to_string(&path).expect("a journal");
    let whole: Vec<&str> = text.split_inclusive('\n').collect();
    std::fs::write(&path, whole[..whole.len() - 1].concat()).expect("a journal");

    // One key is out, its bag with another number than it should have; another lies in a new place.
    let custody = folder.join("custody");
    add_person(&custody, "bob", "custodian");
    let who = ["--person", "ada", "--witness", "bob", "--with", "23115"];
    let pin = format!("23115 pin {PIN}");
    let out = ["key", "checkout", "23112", "--bag", "0471", "--seal", "intact", "--why", "INC-4711"];
    done(&run(&custody, &[&out[..], &who, &["--confirm", "checkout 23112"]].concat(), &[&pin]));
    let back = ["key", "checkin", "23115", "--place", "safe C", "--bag", "0502"];
    done(&run(&custody, &[&back[..], &who, &["--confirm", "checkin 23115"]].concat(), &[&pin]));
}

/// A policy by which others approve, adopted: of core-db two, or the operator goes on; of all else one.
fn ask(kit: &Path) {
    let toml = kit.join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    let tables = r#"
[[person]]
name = "bob"
roles = ["approver"]
contact = "+49 30 1234"
keys = [23115]

[[person]]
name = "carol"
roles = ["approver"]
keys = [30877]

[[credential]]
name = "core-db/*"
approval = 2
open-unapproved = true
"#;
    let text = text.replacen("# approval = \"notify\"", "approval = 1", 1);
    let text = text.replacen("contact = \"\"", "keys = [23112]", 1) + tables;
    std::fs::write(&toml, text).expect("kit.toml");
    for serial in ["23112", "23115"] {
        let adopt = ["policy", "adopt", "--with", serial, "--confirm", "adopt policy"];
        done(&run(kit, &adopt, &[&format!("{serial} pin {PIN}")]));
    }
}

const SSH: &str = "
[[mint]]
name = \"jump-hosts\"
kind = \"ssh\"
emergencies = [\"pam-outage\"]
principals = [\"breakglass\"]
sources = [\"192.0.2.0/24\"]
terminal = true
";

const X509: &str = "
[[mint]]
name = \"cluster\"
kind = \"x509\"
emergencies = [\"pam-outage\"]
user = \"ada\"
groups = [\"breakglass:cluster-admins\"]
";

const OAUTH: &str = "
[[mint]]
name = \"api\"
kind = \"token\"
emergencies = [\"pam-outage\"]
issuer = \"urn:example:emergency\"
resource = \"https://api.example\"
client = \"breakglass\"
scopes = [\"read\"]

[[mint]]
name = \"log-in\"
kind = \"assertion\"
emergencies = [\"pam-outage\"]
client = \"breakglass\"
server = \"https://as.example\"
token-endpoint = \"https://as.example/token\"
scopes = [\"read\"]
";

/// A kit of one key that mints what the table says.
fn minting(kit: &Path, kind: &str, table: &str) {
    done(&run(kit, &["init", "--practice", "--name", "DC1 emergency kit"], &[]));
    let toml = kit.join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    let mints = text.replace("# mints = [\"ssh\", \"x509\", \"token\"]", &format!("mints = [{kind}]"));
    std::fs::write(&toml, mints + table).expect("kit.toml");
    done(&run(kit, &["practice", "new", "--serial", "23112"], &[]));
    let new = [format!("23112 new-pin {PIN}"), format!("23112 new-puk {}", practice::PUK)];
    let provision = ["key", "provision", "--confirm", "23112"];
    done(&run(kit, &provision, &new.each_ref().map(|line| line.as_str())));
    done(&run(kit, &["key", "admit", "23112", "--confirm", "found 23112"], &[&format!("23112 pin {PIN}")]));
    std::fs::write(kit.with_file_name("pin"), format!("23112 pin {PIN}\n")).expect("a line");
}

/// A policy of groups, credentials and platforms, adopted; and a change that lacks one of a group.
fn rule(kit: &Path) {
    let toml = kit.join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    let tables = r#"
[[quorum-group]]
name = "security"
keys = [23115, 30877]

[[credential]]
name = "core-db/*"
emergencies = ["attack", "lockout"]
grant = "2h"

[[platform]]
name = "core-db"
checklist = ["exempt from MFA and conditional access"]

[[platform]]
name = "core-fw"
backup-waived = "serial console in the rack"
"#;
    let text = text.replace("contact = \"\"", "keys = [23112]") + tables;
    std::fs::write(&toml, text).expect("kit.toml");
    for serial in ["23112", "23115"] {
        let adopt = ["policy", "adopt", "--with", serial, "--confirm", "adopt policy"];
        done(&run(kit, &adopt, &[&format!("{serial} pin {PIN}")]));
    }
    let retire = ["key", "retire", "30877", "--why", "lost", "--with", "23112", "--confirm", "retire 30877"];
    done(&run(kit, &retire, &[&format!("23112 pin {PIN}")]));
}

#[test]
fn the_screens_are_as_the_transcripts_show_them() {
    let folder = tempfile::tempdir().expect("a folder");
    kits(folder.path());
    std::env::set_current_dir(folder.path()).expect("the folder of kits");
    let transcripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/*.trycmd");
    trycmd::TestCases::new().case(transcripts).env("TZ", "UTC");
}
