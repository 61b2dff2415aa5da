//! Openings that others were to approve, as a kit shows them.

use super::*;
use crate::kit::finding::Weight;
use crate::record::event::{Consent, OpenIntent, OpenReleased, RequestApproved};
use crate::record::sample::approval;

const INCIDENT: &str = "2026-11-21-database-down"; // of every sample record that names one

/// Ada opens and keeps the first key, bob approves with the second; `line` is for core-db.
struct Story {
    keys: Keys,
    policy: String,
}

impl Story {
    fn new(line: &str) -> Self {
        let more = "\n[[person]]\nname = \"bob\"\nroles = [\"approver\"]\nkeys = [20000002]\n";
        let table = format!("\n[[credential]]\nname = \"core-db/*\"\n{line}\n");
        let text = template("test", KitKind::Practice).replacen("contact = \"\"", "keys = [20000001]", 1);
        let policy = text + more + &table;
        let mut keys = Keys((1..=2).map(Writer::new).collect());
        for writer in &mut keys.0 {
            let enrolment = writer.enrolment();
            writer.write(enrolment);
        }
        let facts = KitFounded {
            name: "test".into(),
            kind: KitKind::Practice,
            policy: Hash::of(policy.as_bytes()),
            attestation_root: None,
        };
        let founding = keys.0[0].write(Event::KitFounded(facts));
        for writer in &mut keys.0 {
            writer.kit = Some(founding.hash());
        }
        keys.admit(1, 0);
        Story { keys, policy }
    }

    /// Signed under the policy, by a key that knows what the others signed.
    fn write(&mut self, by: usize, event: Event) -> Hash {
        self.keys.see(by);
        let mut draft = self.keys.0[by].draft(event);
        draft.link.policy = Some(Hash::of(self.policy.as_bytes()));
        let record = self.keys.0[by].sign(draft);
        self.keys.0[by].records.push(record.clone());
        record.hash()
    }

    fn approve(&mut self, by: usize, change: impl Fn(&mut RequestApproved)) -> Hash {
        let mut facts = RequestApproved {
            credential: "core-db/root".into(),
            emergency: "pam-outage".into(),
            operator: "ada".into(),
            approver: "bob".into(),
            ..approval()
        };
        change(&mut facts);
        self.write(by, Event::RequestApproved(facts))
    }

    fn open(&mut self, approvals: Vec<Hash>, skipped: &[&str]) {
        let request = (!approvals.is_empty()).then(|| approval().request);
        let skipped = skipped.iter().map(|name| (*name).to_owned()).collect();
        let consent = Some(Consent { request, approvals, skipped }).filter(|one| *one != Consent::default());
        let Event::OpenIntent(sample) = intent() else { panic!("an intent") };
        let facts = OpenIntent {
            credential: "core-db/root".into(),
            emergency: "pam-outage".into(),
            operator: "ada".into(),
            consent,
            ..sample
        };
        let intents = vec![self.write(0, Event::OpenIntent(facts))];
        let (credential, output) = ("core-db/root".to_owned(), "terminal".to_owned());
        self.write(0, Event::OpenReleased(OpenReleased { credential, generation: 3, intents, output }));
    }

    /// The identifiers and weights of what is found, and what is said.
    fn found(&self) -> Vec<(&'static str, Weight, String)> {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path(), None);
        let text = self.policy.as_bytes();
        folder.write_new("kit.toml", text).unwrap();
        folder.write_new(&crate::kit::policy_path(&Hash::of(text)), text).unwrap();
        make_folder(&folder.journal()).unwrap();
        for writer in &self.keys.0 {
            let path = folder.journal().join(format!("{}.jws", writer.name()));
            std::fs::write(path, writer.journal()).unwrap();
        }
        let kit = Kit::read(folder, Depth::Every).unwrap();
        approvals(&kit).into_iter().map(|one| (one.rule, one.weight, one.text)).collect()
    }

    #[track_caller]
    fn finds(&self, expected: &[(&str, Weight, &str)]) {
        let found = self.found();
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for ((rule, weight, text), (wanted, heavy, words)) in found.iter().zip(expected) {
            assert_eq!((rule, weight), (wanted, heavy), "{found:#?}");
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}

#[test]
fn an_opening_that_was_approved_says_nothing() {
    let mut story = Story::new("approval = 1");
    let bob = story.approve(1, |_| ());
    story.open(vec![bob], &[]);
    story.finds(&[]);
    let mut free = Story::new("approval = \"notify\"");
    free.open(vec![], &[]);
    free.finds(&[]);
}

#[test]
fn too_few_approvals_are_wrong_or_allowed_and_named() {
    let unapproved =
        [("OPEN-UNAPPROVED", Weight::Wrong, "the policy asked for the approval of 1, and it had that of 0")];
    let mut story = Story::new("approval = 1");
    story.open(vec![], &[]);
    story.finds(&unapproved);
    let mut silent = Story::new("approval = 1\nopen-unapproved = true");
    silent.open(vec![], &[]);
    silent.finds(&[("OPEN-UNAPPROVED", Weight::Wrong, "its record does not name who was not asked")]);
    let mut named = Story::new("approval = 1\nopen-unapproved = true");
    named.open(vec![], &["bob"]);
    named.finds(&[("OPEN-SKIPPED", Weight::Note, "allowed by the policy. not asked: bob")]);
}

#[test]
fn approvals_that_do_not_count_are_told_by_their_flaw() {
    type Change = fn(&mut RequestApproved);
    let cases: &[(usize, Change, &str)] = &[
        (0, |_| (), "APPROVAL-SELF"),
        (1, |facts| facts.approver = "eve".into(), "APPROVAL-NO-ROLE"),
        (1, |facts| facts.generation = 4, "APPROVAL-OTHER"),
        (1, |facts| facts.until = 0, "APPROVAL-EXPIRED"),
    ];
    for (by, change, rule) in cases {
        let mut story = Story::new("approval = 1");
        let given = story.approve(*by, change);
        story.open(vec![given], &[]);
        story.finds(&[
            (rule, Weight::Wrong, "does not count"),
            ("OPEN-UNAPPROVED", Weight::Wrong, "it had that of 0"),
        ]);
    }
}

#[test]
fn a_request_is_good_for_one_opening_and_its_approval_is_to_be_here() {
    let mut story = Story::new("approval = 1");
    let bob = story.approve(1, |_| ());
    story.open(vec![bob], &[]);
    story.open(vec![bob], &[]);
    story.finds(&[("APPROVAL-REUSED", Weight::Wrong, &format!("was used 2 times, for {INCIDENT}"))]);
    let mut lacking = Story::new("approval = 1");
    lacking.open(vec![Hash::of(b"elsewhere")], &[]);
    lacking.finds(&[(
        "APPROVAL-LACKING",
        Weight::NotChecked,
        "1 of the approvals that it names are not in this copy",
    )]);
}
