use super::super::due;
use super::*;
use crate::kit::finding::Weight;
use crate::kit::folder::{Folder, make_folder};
use crate::kit::policy::template;
use crate::record::chain::Depth;
use crate::record::event::{CredentialSealed, Event, KitFounded, KitKind, OpenReleased};
use crate::record::hash::{Hash, KeyId};
use crate::record::sample::{Writer, intent};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A kit of one key under the template and these tables, with these credentials sealed; the first of them was opened if
/// `opened`. When its last record claims to be from.
fn kit(tables: &str, sealed: &[&str], opened: bool) -> (tempfile::TempDir, Kit, i64) {
    let text = template("test", KitKind::Practice) + tables;
    let policy = Hash::of(text.as_bytes());
    let mut writer = Writer::new(1);
    let enrolment = writer.enrolment();
    writer.write(enrolment);
    let founded = KitFounded { name: "test".into(), kind: KitKind::Practice, policy, attestation_root: None };
    writer.kit = Some(writer.write(Event::KitFounded(founded)).hash());
    for credential in sealed {
        let facts = CredentialSealed {
            credential: (*credential).into(),
            generation: 1,
            pending: false,
            threshold: 1,
            factors: vec!["piv".into()],
            folder: "1-0a1b2c3d".into(),
            recipients: vec![KeyId::of(&writer.verifying_key())],
            envelopes: Vec::new(),
            files: Default::default(),
            list: None,
        };
        writer.write(Event::CredentialSealed(facts));
    }
    if opened {
        let Event::OpenIntent(mut facts) = intent() else { panic!() };
        (facts.credential, facts.generation) = (sealed[0].into(), 1);
        let intent = writer.write(Event::OpenIntent(facts)).hash();
        writer.write(Event::OpenReleased(OpenReleased {
            credential: sealed[0].into(),
            generation: 1,
            intents: vec![intent],
            output: "fd".into(),
        }));
    }
    let last = writer.records.last().unwrap().iat;
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::at(dir.path(), None);
    folder.write_new("kit.toml", text.as_bytes()).unwrap();
    folder.write_new(&crate::kit::policy_path(&policy), text.as_bytes()).unwrap();
    make_folder(&folder.journal()).unwrap();
    folder.write_new(&format!("journal/{}.jws", writer.name()), &writer.journal()).unwrap();
    (dir, Kit::read(folder, Depth::Every).unwrap(), last)
}

/// What is found by that rule.
fn found(kit: &Kit, now: i64, rule: &str) -> Vec<Finding> {
    due(kit, now).into_iter().filter(|finding| finding.rule == rule).collect()
}

#[test]
fn a_review_is_due_when_the_policy_says_so_and_not_before() {
    let table = "\n[[credential]]\nname = \"core-db/*\"\nreview-every = \"30d\"\n";
    let (_dir, kit, last) = kit(table, &["core-db/root", "core-fw/admin"], false);
    // A minute lies between one record and the next.
    let db = last - 60;
    assert_eq!(found(&kit, db + 30 * DAY - 1, "REVIEW-DUE"), []);
    let one = found(&kit, db + 30 * DAY, "REVIEW-DUE");
    assert_eq!((one.len(), one[0].since), (1, Some(db + 30 * DAY)));
    assert!(
        one[0].text.starts_with("review core-db/root, generation 1: it was sealed more than 30 days ago")
    );
    assert_eq!(found(&kit, last + 365 * DAY, "REVIEW-DUE").len(), 2);
}

#[test]
fn an_open_incident_says_when_it_is_past_its_grant() {
    for (table, grant) in
        [("", HOUR), ("\n[[credential]]\nname = \"core-db/root\"\ngrant = \"2h\"\n", 2 * HOUR)]
    {
        let (_dir, kit, last) = kit(table, &["core-db/root"], true);
        // The intent comes a minute before its outcome.
        let until = last - 60 + grant;
        let text = |now| found(&kit, now, "INCIDENT-OPEN").remove(0).text;
        assert!(text(until - 1).ends_with("nobody has said how it ended"), "{}", text(until - 1));
        assert!(
            text(until + 5 * 60).ends_with("nobody has said how it ended, and its grant ended 5 minutes ago")
        );
        assert!(text(until + 3 * HOUR).ends_with("ended 3 hours ago"));
        assert!(text(until + 3 * DAY).ends_with("ended 3 days ago"));
    }
}

#[test]
fn rotation_after_use_is_due_unless_the_policy_waives_it() {
    let (_dir, asked, last) = kit("", &["core-db/root"], true);
    assert_eq!(found(&asked, last, "ROTATE-USED").len(), 1);
    let table =
        "\n[[credential]]\nname = \"core-db/root\"\nrotate-after-use = false\nrotate-waived = \"console\"\n";
    let (_dir, waived, last) = kit(table, &["core-db/root"], true);
    assert_eq!(found(&waived, last, "ROTATE-USED"), []);
    let note = &found(&waived, last, "ROTATE-WAIVED")[0];
    assert_eq!(note.weight, Weight::Note);
    assert_eq!(note.text, "core-db/root was opened and need not be rotated, by the policy: console");
}

#[test]
fn a_platform_has_a_backup_unless_it_is_waived() {
    let named = "\n[[platform]]\nname = \"core-db\"\n";
    let waived = "\n[[platform]]\nname = \"core-db\"\nbackup-waived = \"console\"\n";
    let cases: &[(&str, &[&str], Option<Weight>)] = &[
        (named, &["core-db/root"], Some(Weight::Due)),
        (named, &[], Some(Weight::Due)),
        (named, &["core-db/root", "core-db/backup"], None),
        (waived, &["core-db/root"], None),
        (waived, &[], Some(Weight::Due)),
        ("", &["core-db/root"], Some(Weight::Note)),
        ("", &["core-db/root", "core-db/backup"], None),
        ("", &[], None),
    ];
    for (table, sealed, weight) in cases {
        let (_dir, kit, last) = kit(table, sealed, false);
        let found = found(&kit, last, "PLATFORM-NO-BACKUP");
        assert_eq!(found.first().map(|finding| finding.weight), *weight, "{table} {sealed:?}");
    }
}
