//! Each rule by an example that passes and one that does not, named for the rule.

use super::*;
use crate::audit::assess::{assess, ledger_findings};
use crate::audit::assessment::{Assessment, Use};
use crate::audit::finding::{Claim, Severity, Sort};
use crate::audit::ledger::sqlite::Sqlite;
use crate::audit::ledger::{BundleEnd, Evidence, Imported, Ledger, SetAside, Signature, Trust};
use crate::kit::policy::template;
use crate::kit::roster::Change;
use crate::record::event::*;
use crate::record::hash::{Hash, KeyId};
use crate::record::sample::{Authenticator, NOON, Writer};
use crate::record::token::{Draft, Record};

mod approvals;
mod books;
mod clocks;
mod counters;
mod custody;
mod duties;
mod governance;
mod keys;
mod mints;
mod openings;
mod rotations;
mod whole;
mod world;

use world::{CREDENTIAL, DAY, INCIDENT, NOW, World};

/// What that rule finds in a kit.
fn found(world: &World, rule: &str) -> Vec<Finding> {
    of_rule(world.assess(), rule)
}

fn of_rule(assessment: Assessment, rule: &str) -> Vec<Finding> {
    assert!(KIT.iter().any(|(id, _)| *id == rule), "{rule} is no rule");
    assessment.findings.into_iter().filter(|finding| finding.rule == rule).collect()
}

/// The one finding of that rule, which is of that sort and says these words.
#[track_caller]
fn one(world: &World, rule: &str, sort: Sort, words: &str) -> Finding {
    let mut findings = found(world, rule);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].sort, sort, "{findings:?}");
    assert!(findings[0].text.contains(words), "{}", findings[0].text);
    assert_eq!(findings[0].kit, Some(world.kit()));
    findings.remove(0)
}

#[track_caller]
fn none(world: &World, rule: &str) {
    assert_eq!(found(world, rule), []);
}

#[test]
fn nothing_is_wrong_with_a_kit_that_does_all_its_duties() {
    let world = World::settled(2);
    let assessment = world.assess();
    let told: Vec<&str> = assessment.findings.iter().map(|finding| finding.rule).collect();
    let mut told: Vec<&str> = told.into_iter().filter(|rule| !rule.starts_with("LOGIN-")).collect();
    told.dedup();
    assert_eq!(told, ["KEY-ATTESTED", "TIME-UNANCHORED", "KIT-PRACTICE"]);
    let worst = assessment.findings.iter().map(|finding| finding.sort).min();
    assert_eq!(worst, Some(Sort::NotChecked), "{:?}", assessment.findings);
}

#[test]
fn an_assessment_tells_the_incident_its_keys_and_what_its_silence_proves() {
    let assessment = World::settled(2).assess();
    assert_eq!((assessment.name.as_str(), assessment.kind), ("harbour", KitKind::Practice));
    assert_eq!(assessment.trusted.as_deref(), Some("the kit words were compared on 2026-11-21"));
    let [incident] = &assessment.incidents[..] else { panic!("{:?}", assessment.incidents) };
    let [opening] = &incident.openings[..] else { panic!("{:?}", incident.openings) };
    assert_eq!((incident.name.as_str(), opening.credential.as_str()), (INCIDENT, CREDENTIAL));
    assert_eq!((opening.intents.len(), opening.operator.as_str()), (2, "ada"));
    assert_eq!(opening.output.as_deref(), Some("terminal"));
    assert_eq!(incident.closed.as_ref().map(|closed| closed.verdict.as_str()), Some("real"));
    assert!(incident.debts.iter().all(|debt| debt.done.is_some()), "{:?}", incident.debts);
    assert_eq!(incident.debts.len(), 9);
    let [credential] = &assessment.credentials[..] else { panic!("{:?}", assessment.credentials) };
    assert_eq!((credential.generation, credential.rotation_due, credential.keys.len()), (Some(2), false, 2));
    assert_eq!(assessment.keys.len(), 2);
    for key in &assessment.keys {
        assert_eq!(key.standing, "admitted");
        assert_eq!(key.last_proof.as_ref().map(|(_, counter)| *counter), Some(42));
        let [proven, since] = &key.periods[..] else { panic!("{:?}", key.periods) };
        assert_eq!((proven.from, &proven.use_of_it), (NOON, &Use::ProvenUnused));
        assert_eq!((since.to, matches!(since.use_of_it, Use::CannotBeProven(_))), (None, true));
    }
}

#[test]
fn intents_of_several_keys_without_outcome_are_one_opening_and_a_second_sitting_is_another() {
    let mut world = World::new(2);
    world.seal(1, 2);
    for key in [0, 1, 0] {
        world.begin(key);
    }
    let assessment = world.assess();
    let openings: Vec<usize> =
        assessment.incidents[0].openings.iter().map(|opening| opening.intents.len()).collect();
    assert_eq!(openings, [2, 1]);
}

#[test]
fn a_kit_that_no_record_names_has_an_assessment_of_nothing() {
    let assessment = assess(&mut Sqlite::in_memory(), &Hash([7; 32]), NOW).unwrap();
    assert_eq!((assessment.records, assessment.keys.len(), assessment.incidents.len()), (0, 0, 0));
    let told: Vec<&str> = assessment.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(told, ["KIT-FOUNDING", "KIT-UNTRUSTED"]);
}

#[test]
fn a_rule_that_finds_very_much_says_how_much_more() {
    let finding = |n: u32| {
        Finding::new("CHAIN-GAP", Sort::Wrong, Severity::High, format!("{n}"))
            .on([Hash::of(&n.to_be_bytes())])
    };
    let findings = capped("CHAIN-GAP", (0..1_500).map(finding).collect());
    assert_eq!(findings.len(), MOST_CASES + 1);
    assert_eq!(findings[MOST_CASES].text, "500 more of the same");
    assert_eq!(findings[MOST_CASES].sort, Sort::Wrong);
}

#[test]
fn every_rule_stands_in_the_document_and_every_rule_of_the_document_in_code() {
    let document = include_str!("../../../doc/audit-rules.md");
    let described: Vec<&str> =
        document.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let ids = || KIT.iter().map(|(id, _)| *id).chain(LEDGER.iter().map(|(id, _)| *id));
    let mut twice = described.clone();
    twice.sort_unstable();
    twice.dedup();
    assert_eq!(twice.len(), described.len(), "a rule is described twice");
    for id in ids() {
        assert!(described.contains(&id), "{id} is not in doc/audit-rules.md");
    }
    for id in described {
        assert!(ids().any(|known| known == id), "{id} of doc/audit-rules.md is no rule");
    }
}

#[test]
fn every_rule_has_its_examples() {
    let examples = [
        include_str!("tests/approvals.rs"),
        include_str!("tests/books.rs"),
        include_str!("tests/clocks.rs"),
        include_str!("tests/counters.rs"),
        include_str!("tests/custody.rs"),
        include_str!("tests/duties.rs"),
        include_str!("tests/governance.rs"),
        include_str!("tests/keys.rs"),
        include_str!("tests/mints.rs"),
        include_str!("tests/openings.rs"),
        include_str!("tests/rotations.rs"),
        include_str!("tests/whole.rs"),
    ];
    for (id, _) in KIT.iter().map(|(id, _)| (id, ())).chain(LEDGER.iter().map(|(id, _)| (id, ()))) {
        let test = format!("fn {}_", id.to_lowercase().replace('-', "_"));
        assert!(examples.iter().any(|file| file.contains(&test)), "no test is named {test}…");
    }
}
