use super::super::tests::{text, with};
use super::*;

fn told(old: &Policy, new: &Policy) -> Vec<String> {
    changes(old, new, &["core-db/root".parse().unwrap(), "core-fw/admin".parse().unwrap()])
}

fn changed(from: &str, to: &str) -> Policy {
    assert!(text().contains(from), "{from}");
    Policy::parse(text().replacen(from, to, 1).as_bytes()).unwrap()
}

#[test]
fn comments_alone_change_nothing() {
    assert_eq!(told(&with(""), &with("# a comment")), Vec::<String>::new());
}

#[test]
fn each_sentence_says_for_whom() {
    let person = "\n[[person]]\nname = \"ada\"\nroles = [\"operator\", \"custodian\"]\ncontact = \"\"\n";
    let cases: &[(&str, &str, &[&str])] = &[
        ("quorum = 2", "quorum = 3", &["a change of keys or policy needs 3 keys, no longer 2"]),
        ("quorum = 2", "quorum = 1", &["a change of keys or policy needs 1 key, no longer 2"]),
        (
            "\"attack\", ",
            "",
            &["each of core-db/root, core-fw/admin, any other credential may no longer be opened for attack"],
        ),
        (
            "roles = [\"operator\", \"custodian\"]",
            "roles = [\"operator\", \"approver\"]",
            &["ada may no longer keep keys", "ada may now approve"],
        ),
        ("contact = \"\"", "contact = \"112\"", &["ada is reached by \"112\""]),
        ("contact = \"\"", "keys = [7, 8]", &["ada now keeps 7, 8"]),
        (
            person,
            "",
            &["ada is no longer in the policy", "ada may no longer open", "ada may no longer keep keys"],
        ),
        (
            person,
            &format!("{person}\n[[person]]\nname = \"eve\"\nroles = [\"operator\"]\n"),
            &["eve is new in the policy", "eve may now open"],
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(told(&with(""), &changed(from, to)), *expected, "{to}");
    }
}

#[test]
fn what_a_table_changes_is_told_of_what_it_is_about() {
    let cases: &[(&str, &[&str])] = &[
        (
            "\n[[credential]]\nname = \"core-db/*\"\ngrant = \"2h\"\n",
            &[
                "each of core-db/root, any other credential of core-db is granted for 2 hours, no longer for 1 hour",
            ],
        ),
        (
            "\n[[credential]]\nname = \"core-fw/admin\"\nemergencies = [\"attack\"]\nrotate-after-use = false\nrotate-waived = \"by hand\"\n",
            &[
                "core-fw/admin may no longer be opened for pam-outage, mfa-outage, network-outage, lockout",
                "core-fw/admin is not rotated after use: by hand",
            ],
        ),
        (
            "\n[[quorum-group]]\nname = \"security\"\nkeys = [1, 2]\n",
            &["a change of keys or policy now also needs 1 of security (1, 2)"],
        ),
        (
            "\n[[quorum-group]]\nname = \"security\"\nkeys = [1]\n",
            &[
                "a change of keys or policy now also needs 1 of security (1)",
                "security has no key to spare: to retire one of its keys takes one fewer of it",
            ],
        ),
        (
            "\n[[platform]]\nname = \"core-db\"\nbackup-waived = \"console\"\nchecklist = [\"no MFA\"]\n",
            &["core-db needs no backup credential: console", "to check on core-db: no MFA"],
        ),
        ("\n[[key]]\nserial = 7\nplace = \"safe A\"\n", &["key 7 lies in safe A"]),
    ];
    for (table, expected) in cases {
        assert_eq!(told(&with(""), &with(table)), *expected, "{table}");
        assert!(!told(&with(table), &with("")).is_empty(), "{table}");
    }
    // Of what the tables of one and the other do not say, nothing is told.
    let both = "\n[[credential]]\nname = \"core-db/*\"\ngrant = \"2h\"\n";
    assert_eq!(told(&with(both), &with(both)), Vec::<String>::new());
}
