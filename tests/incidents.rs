//! An incident through the program, on practice keys: what it leaves to be done, who may judge it, and what the policy makes
//! of that.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use practice::{PIN, PracticeKit, done};
use serde_json::Value;

/// Runs with `--json` and the PIN of every key as often as it takes; the exit code and the object.
fn json(kit: &PracticeKit, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = kit.run(&[&["--json"], arguments].concat(), &[]);
    let told = String::from_utf8_lossy(&output.stderr);
    let value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{told}"));
    (output.status.code(), value)
}

/// Rules of what `status` finds due, but for what the practice kit always lacks.
fn due(kit: &PracticeKit) -> Vec<String> {
    let (_, status) = json(kit, &["status"]);
    let findings = status["findings"].as_array().expect("findings").iter();
    findings
        .filter(|finding| finding["weight"] != "note" && finding["rule"] != "COVERAGE-PLACE")
        .map(|finding| finding["rule"].as_str().expect("a rule").to_owned())
        .collect()
}

/// Signs with 23112, after the exact word.
fn sign(kit: &PracticeKit, arguments: &[&str], word: &str) {
    let words = [arguments, &["--with", "23112", "--confirm", word]].concat();
    done(&kit.run(&words, &[&format!("23112 pin {PIN}")]));
}

fn open(kit: &PracticeKit, incident: &str, more: &[&str]) -> std::process::Output {
    let opening = ["open", "core-fw/admin", "--emergency", "pam-outage", "--incident", incident];
    let words = ["--reason", "PAM lost quorum", "--operator", "ada", "--confirm", "open core-fw"];
    let all = [&opening[..], &words, &["--key", "23112"], more].concat();
    kit.run(&all, &[&format!("23112 pin {PIN}")])
}

fn refused(output: &std::process::Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for part in words {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn what_an_incident_leaves_is_due_until_each_has_its_record() {
    let kit = PracticeKit::new();
    let opened = open(&kit, "INC-4711", &[]);
    done(&opened);
    let said = String::from_utf8_lossy(&opened.stderr);
    for line in [
        "when you are done:  breakglass close INC-4711\n",
        "then due: rotate core-fw/admin · change the PIN of 23112 · return 23112 to safe A · disable or recreate the \
         account core-fw/admin · give the records to the auditor · review by someone else\n",
        "the command for each:  breakglass incident show INC-4711\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let all = [
        "ROTATE-USED",
        "INCIDENT-OPEN",
        "PIN-TYPED",
        "KEY-RETURN",
        "ACCOUNT-RENEW",
        "RECORDS-UPLOAD",
        "REVIEW-UNDONE",
    ];
    assert_eq!(due(&kit), all);
    let close = ["close", "INC-4711", "--verdict", "false-alarm", "--outcome", "a cable"];
    sign(&kit, &[&close[..], &["--switched-off", "MFA for admins"]].concat(), "close INC-4711");
    let mut left: Vec<&str> = all.into_iter().filter(|rule| *rule != "INCIDENT-OPEN").collect();
    left.insert(4, "RESTORE-UNDONE");
    assert_eq!(due(&kit), left);

    let rotate = ["rotate", "core-fw/admin"];
    sign(&kit, &[&rotate[..], &["--generate"]].concat(), "seal core-fw");
    sign(&kit, &[&rotate[..], &["--confirm-pending"]].concat(), "confirm core-fw");
    for debt in ["return 23112", "account core-fw/admin", "restore MFA for admins"] {
        let words = ["discharge", "INC-4711", debt, "--by", "ada", "--how", "seen by two"];
        sign(&kit, &words, &format!("discharge {debt}"));
        let again = kit.run(&words, &[]);
        refused(&again, &[&format!("{debt} was done already.")]);
    }
    let review = ["review", "INC-4711", "--by", "dana", "--judgement", "disagree", "--text", "nobody called"];
    let review = [&review[..], &["--lesson", "call the datacentre first"]].concat();
    sign(&kit, &review, "review INC-4711");
    let there = tempfile::tempdir().unwrap();
    let to = there.path().display().to_string();
    let pin = format!("23112 pin {PIN}");
    done(&kit.run(&["records", "export", &to, "--with", "23112"], &[&pin]));
    done(&kit.run(&["key", "pin", "23112"], &[&pin, "23112 new-pin 73625140"]));
    assert_eq!(due(&kit), [""; 0]);

    let (code, shown) = json(&kit, &["incident", "show", "INC-4711"]);
    assert_eq!(code, Some(0));
    let debts = shown["debts"].as_array().expect("debts");
    assert_eq!(debts.len(), 7, "{shown:#}");
    for debt in debts {
        assert!(debt["next"].is_null() && debt["done"]["record"].is_string(), "{debt:#}");
    }
    assert_eq!(shown["reviews"][0]["lesson"], "call the datacentre first");
    assert_eq!(shown["openings"][0]["keys"], serde_json::json!([23112]));
    let (_, list) = json(&kit, &["incident", "list"]);
    assert_eq!(
        (&list["incidents"][0]["debts"], &list["incidents"][0]["verdict"]),
        (&0.into(), &"false-alarm".into())
    );
    done(&kit.run(&["records", "verify"], &[]));
    // Whoever opens for it again owes it all again, the rotation of the new generation too.
    let pin = ["23112 pin 73625140"];
    let again = [PracticeKit::opening("core-fw/admin"), vec!["--key", "23112"]].concat();
    done(&kit.run(&again, &pin));
    assert_eq!(due(&kit), all);
}

#[test]
fn nobody_judges_their_own_and_nobody_outside_the_policy_judges() {
    let kit = PracticeKit::new();
    done(&open(&kit, "INC-4711", &[]));
    let review = |by: &str| {
        kit.run(
            &["review", "INC-4711", "--by", by, "--judgement", "agree", "--text", "fine", "--with", "23112"],
            &[],
        )
    };
    refused(
        &review("ada"),
        &["ada opened in INC-4711 and cannot review it.", "people who did not open for it: dana"],
    );
    refused(&review("eve"), &["the policy has no eve.", "people of the policy: ada, dana"]);
    refused(
        &kit.run(&["review", "INC-1", "--by", "dana", "--judgement", "agree", "--text", "fine"], &[]),
        &["nothing was opened for an incident INC-1.", "open incidents: INC-4711"],
    );
    assert!(due(&kit).contains(&"REVIEW-UNDONE".to_owned()));
}

#[test]
fn a_close_without_words_asks_and_without_a_person_says_so() {
    let kit = PracticeKit::new();
    done(&open(&kit, "INC-4711", &[]));
    let output = kit.run(&["close", "INC-4711", "--with", "23112"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("say --verdict (real, drill, misuse, false-alarm) and --outcome"), "{text}");
}

#[test]
fn an_intent_alone_leaves_the_same() {
    let kit = PracticeKit::new();
    done(&kit.run(&["practice", "remove", "23115"], &[]));
    let open = [PracticeKit::opening("core-db/root"), vec!["--key", "23112,23115"]].concat();
    assert_eq!(kit.run(&open, &[&format!("23112 pin {PIN}")]).status.code(), Some(3));
    // core-db/root takes two keys and had one, but core-fw/admin opens with that one.
    let rules = due(&kit);
    for rule in ["OPEN-NO-OUTCOME", "ROTATE-EXPOSED", "PIN-TYPED", "KEY-RETURN", "REVIEW-UNDONE"] {
        assert!(rules.contains(&rule.to_owned()), "{rule}: {rules:?}");
    }
    assert!(!rules.contains(&"ROTATE-USED".to_owned()), "{rules:?}");
}

#[test]
fn where_the_policy_says_so_a_review_comes_before_the_next_opening() {
    let kit = PracticeKit::new();
    let toml = kit.path().join("kit.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, format!("review-before-reopen = true\n{text}")).unwrap();
    sign(&kit, &["policy", "adopt"], "adopt policy");
    let second = ["policy", "adopt", "--with", "23115", "--confirm", "adopt policy"];
    done(&kit.run(&second, &[&format!("23115 pin {PIN}")]));

    done(&open(&kit, "INC-1", &[]));
    done(&open(&kit, "INC-1", &[])); // it goes on
    sign(&kit, &["close", "INC-1", "--verdict", "real", "--outcome", "quorum is back"], "close INC-1");
    for incident in ["INC-2", "INC-1"] {
        let again = open(&kit, incident, &[]);
        refused(
            &again,
            &[
                "the policy wants a review before core-fw/admin is opened again: INC-1 was not reviewed",
                "nothing was opened.",
                "have it reviewed:  breakglass review INC-1 --by NAME",
            ],
        );
        assert!(again.stdout.is_empty());
    }
    done(&open(&kit, "INC-2", &["--accept-unreviewed", "dana is on the same plane"]));
    let (_, shown) = json(&kit, &["incident", "show", "INC-2"]);
    let accepted = serde_json::json!([{"rule": "review", "why": "dana is on the same plane"}]);
    assert_eq!(shown["openings"][0]["overrides"], accepted, "{shown:#}");
    for incident in ["INC-1", "INC-2"] {
        let review =
            ["review", incident, "--by", "dana", "--judgement", "agree", "--text", "as it should be"];
        sign(&kit, &review, &format!("review {incident}"));
    }
    done(&open(&kit, "INC-3", &[]));
    let (_, shown) = json(&kit, &["incident", "show", "INC-3"]);
    assert_eq!(shown["openings"][0]["overrides"], serde_json::json!([]));
}

#[test]
fn what_somebody_typed_adds_no_line_to_what_is_shown() {
    let kit = PracticeKit::new();
    let toml = kit.path().join("kit.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let bob = "\n[[person]]\nname = \"bob\"\nroles = [\"approver\"]\n";
    // Whoever is to sign sees one sentence for each thing that differs.
    let place = text.replacen("\nplace = \"safe A\"", "\nplace = \"safe A\\nonly comments differ\"", 1);
    std::fs::write(&toml, format!("approval = \"notify\"\n{place}{bob}")).unwrap();
    let told = kit.run(&["policy", "adopt", "--with", "23112", "--confirm", "no"], &[]);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("safe A\\u{a}only comments differ"), "{told}");
    std::fs::write(&toml, format!("approval = \"notify\"\n{text}{bob}")).unwrap();
    sign(&kit, &["policy", "adopt"], "adopt policy");
    let second = ["policy", "adopt", "--with", "23115", "--confirm", "adopt policy"];
    done(&kit.run(&second, &[&format!("23115 pin {PIN}")]));

    let reason = "a test\nend       no record tells the end: it was a drill\u{2028}by        bob";
    let opening = ["open", "core-fw/admin", "--emergency", "pam-outage", "--incident", " INC-4711 "];
    let words = ["--reason", reason, "--operator", "ada", "--confirm", "open core-fw", "--key", "23112"];
    done(&kit.run(&[&opening[..], &words].concat(), &[&format!("23112 pin {PIN}")]));
    let how =
        "called her\n  done  review INC-4711                2026-11-29, record 23112/9   dana, agree: fine";
    let words = ["discharge", "INC-4711", "notify bob", "--by", "ada", "--how", how];
    sign(&kit, &words, "discharge notify bob");

    let shown = kit.run(&["incident", "show", "INC-4711"], &[]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.lines().any(|line| line.starts_with("  due   review INC-4711")), "{shown}");
    assert!(!shown.lines().any(|line| line.starts_with("  done  review")), "{shown}");
    assert!(shown.contains("called her\\u{a}  done  review"), "{shown}");
    let there = tempfile::tempdir().unwrap();
    done(&kit.run(&["notify", "INC-4711", "--out", &there.path().display().to_string()], &[]));
    let mut files = std::fs::read_dir(there.path()).unwrap().map(|entry| entry.unwrap().path());
    let notice = files.find(|path| path.to_string_lossy().contains("/notice-bob-")).unwrap();
    let notice = std::fs::read_to_string(notice).unwrap();
    let ends: Vec<&str> = notice.lines().filter(|line| line.starts_with("end  ")).collect();
    assert_eq!(ends, ["end       it was handed out"], "{notice}");
    assert!(notice.contains("a test\\u{a}end       no record") && notice.contains("\\u{2028}by"), "{notice}");
}

#[test]
fn words_that_are_signed_are_not_left_empty() {
    let kit = PracticeKit::new();
    done(&open(&kit, "INC-4711", &[]));
    let review = ["review", "INC-4711", "--by", "dana", "--judgement", "agree", "--text"];
    let cases: &[&[&str]] = &[
        &["discharge", "INC-4711", "return 23112", "--by", "ada", "--how"],
        &["close", "INC-4711", "--verdict", "real", "--outcome"],
        &review,
        &["key", "retire", "30877", "--why"],
        &["kit", "accept-gap", "--why"],
        &[&PracticeKit::opening("core-fw/admin")[..], &["--accept-damage"]].concat(),
    ];
    for words in cases {
        for empty in ["", " "] {
            let output = kit.run(&[words, &[empty][..]].concat(), &[]);
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{words:?}: {text}");
            assert!(text.contains("1 to 256 bytes of text"), "{text}");
        }
    }
}

#[test]
fn each_thing_that_was_accepted_is_on_record() {
    let kit = PracticeKit::new();
    let toml = kit.path().join("kit.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, format!("review-before-reopen = true\n{text}")).unwrap();
    sign(&kit, &["policy", "adopt"], "adopt policy");
    let second = ["policy", "adopt", "--with", "23115", "--confirm", "adopt policy"];
    done(&kit.run(&second, &[&format!("23115 pin {PIN}")]));
    done(&open(&kit, "INC-1", &[]));
    // The file of another key is damaged.
    let sealed = kit.path().join("sealed/core-fw/admin");
    let folder = std::fs::read_dir(sealed).unwrap().next().unwrap().unwrap().path();
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_of = |path: &str| path.contains("/30877-") && path.ends_with(".age");
    let of_another = files.find(|path| is_of(&path.to_string_lossy())).unwrap();
    std::fs::write(of_another, "scratched").unwrap();
    let accepted = ["--accept-unreviewed", "dana is on a plane", "--accept-damage", "no other copy"];
    let opening = [&PracticeKit::opening("core-fw/admin")[..], &accepted].concat();
    let opening: Vec<&str> =
        opening.into_iter().map(|word| if word == "INC-4711" { "INC-2" } else { word }).collect();
    done(&kit.run(&opening, &[&format!("23112 pin {PIN}")]));
    let (_, shown) = json(&kit, &["incident", "show", "INC-2"]);
    let both = serde_json::json!([
        {"rule": "review", "why": "dana is on a plane"}, {"rule": "damage", "why": "no other copy"}
    ]);
    assert_eq!(shown["openings"][0]["overrides"], both, "{shown:#}");
}
