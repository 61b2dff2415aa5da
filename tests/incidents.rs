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
