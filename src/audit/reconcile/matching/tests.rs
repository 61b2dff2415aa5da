//! One passing and one failing example of each finding, and the clocks between.

use super::*;
use crate::attestation::Serial;
use crate::audit::assessment::{Closing, Debt, Place};
use crate::audit::finding::Claim;

/// 2026-11-21 12:00:00 UTC.
const NOON: i64 = 1_795_262_400;
const HOUR: i64 = 3_600;
const NAME: &str = "core-fw/admin";

fn kit() -> Hash {
    Hash::of(b"kit")
}

/// A record whose time is claimed; nothing bounds it but its arrival, a week later.
fn place(at: i64) -> Place {
    Place {
        serial: Serial(20_000_001),
        chain: "20000001-0a1b2c3d".into(),
        seq: 2,
        hash: Hash::of(&at.to_be_bytes()),
        time: Interval { claimed: at, lower: None, upper: Some(at + 7 * SPAN) },
    }
}

fn incident(name: &str, at: i64) -> Incident {
    let opening = Opening {
        credential: NAME.into(),
        generation: 3,
        operator: "ada".into(),
        emergency: "outage".into(),
        reason: "controller lost".into(),
        incident: name.into(),
        intents: vec![place(at)],
        released: Some(place(at + 60)),
        output: Some("terminal".into()),
        overrides: vec![],
        approvals: vec![],
        skipped: vec![],
    };
    Incident {
        name: name.into(),
        claimed: (at, at + 60),
        openings: vec![opening],
        mintings: vec![],
        closed: None,
        closes: vec![],
        reviews: vec![],
        debts: vec![],
    }
}

fn close(incident: &mut Incident, at: i64) {
    let (verdict, outcome) = ("real".into(), "storage is back".into());
    incident.closed = Some(Closing { record: place(at), verdict, outcome });
}

fn rotate(incident: &mut Incident, at: i64) {
    let (what, rotates) = (format!("rotate {NAME}"), Some(NAME.into()));
    incident.debts.push(Debt {
        what,
        rotates,
        exposed: None,
        word: None,
        restores: None,
        uploads: false,
        done: Some(place(at)),
    });
}

fn login(at: i64, success: bool) -> Login {
    Login {
        log: "core-fw".into(),
        credential: NAME.into(),
        at,
        from: Some("192.0.2.7".into()),
        success,
        raw: String::new(),
    }
}

fn cover(from: i64, to: i64) -> LogCover {
    LogCover { log: "core-fw".into(), credential: NAME.into(), from_to: (from, to), hash: Hash::of(b"log") }
}

/// A log that covers the days around.
fn around() -> Vec<LogCover> {
    vec![cover(NOON - 10 * SPAN, NOON + 10 * SPAN)]
}

fn rules(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.rule).collect()
}

fn with_login(incidents: &[Incident], at: i64) -> Vec<Finding> {
    findings(&kit(), incidents, &[login(at, true)], &[])
        .into_iter()
        .filter(|finding| finding.sort == Sort::Wrong)
        .collect()
}

#[test]
fn a_login_within_its_opening_is_no_finding() {
    let mut one = incident("INC-1", NOON);
    let logins = [login(NOON - TOLERANCE, true), login(NOON + HOUR, true)];
    assert_eq!(findings(&kit(), &[one.clone()], &logins, &around()), []);
    close(&mut one, NOON + HOUR);
    assert_eq!(findings(&kit(), &[one], &[login(NOON + HOUR + TOLERANCE, true)], &around()), []);
}

#[test]
fn login_without_opening_is_critical() {
    let found = findings(&kit(), &[], &[login(NOON, true), login(NOON + 5, true)], &around());
    assert_eq!(rules(&found), ["LOGIN-WITHOUT-OPENING"]);
    assert_eq!(
        (found[0].sort, found[0].severity, found[0].claim),
        (Sort::Wrong, Severity::Critical, Claim::Certain)
    );
    assert_eq!(
        found[0].text,
        "a login of core-fw/admin at 2026-11-21T12:00:00Z, and 1 more until 2026-11-21T12:00:05Z, from 192.0.2.7 \
         (log core-fw) without an opening before it"
    );
    assert_eq!(found[0].kit, Some(kit()));
    // The opening of another credential does not account for it.
    let mut other = incident("INC-1", NOON);
    other.openings[0].credential = "core-fw/root".into();
    assert_eq!(rules(&with_login(&[other], NOON + 60)), ["LOGIN-WITHOUT-OPENING"]);
}

#[test]
fn logins_of_several_logs_and_sources_are_told_apart() {
    let from =
        |log: &str, from: &str, at| Login { log: log.into(), from: Some(from.into()), ..login(at, true) };
    let logins = [
        from("A.log", "192.0.2.1", NOON),
        from("B.log", "203.0.113.9", NOON + 1),
        from("A.log", "192.0.2.2", NOON + 2),
        from("B.log", "203.0.113.9", NOON + 3),
    ];
    let found = findings(&kit(), &[], &logins, &around());
    let texts: Vec<&str> = found.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "a login of core-fw/admin at 2026-11-21T12:00:00Z, and 1 more until 2026-11-21T12:00:02Z, \
             from 192.0.2.1, 192.0.2.2 (log A.log) without an opening before it",
            "a login of core-fw/admin at 2026-11-21T12:00:01Z, and 1 more until 2026-11-21T12:00:03Z, \
             from 203.0.113.9 (log B.log) without an opening before it",
        ]
    );
    let many: Vec<Login> = (0..4).map(|n| from("A.log", &format!("192.0.2.{n}"), NOON + n)).collect();
    let found = findings(&kit(), &[], &many, &around());
    assert!(found[0].text.contains("until 2026-11-21T12:00:03Z, from 4 places (log A.log)"), "{found:?}");
}

#[test]
fn a_login_that_only_a_wrong_clock_explains_is_possible_until_a_login_shows_the_clock_right() {
    let one = [incident("INC-1", NOON)];
    let before = with_login(&one, NOON - HOUR);
    assert_eq!((before[0].rule, before[0].claim), ("LOGIN-WITHOUT-OPENING", Claim::Possible));
    let logins = [login(NOON - HOUR, true), login(NOON + 90, true)];
    let found = findings(&kit(), &one, &logins, &around());
    assert_eq!((found[0].rule, found[0].claim), ("LOGIN-WITHOUT-OPENING", Claim::Certain));
    // A bound excludes it.
    let mut bounded = incident("INC-1", NOON);
    bounded.openings[0].intents[0].time.lower = Some(NOON - 600);
    bounded.openings[0].released.as_mut().unwrap().time.lower = Some(NOON - 600);
    let found = with_login(&[bounded], NOON - HOUR);
    assert_eq!((found[0].rule, found[0].claim), ("LOGIN-WITHOUT-OPENING", Claim::Certain));
}

#[test]
fn a_claimed_time_that_is_excluded_gives_way_to_its_bound() {
    // The machine's battery was empty: it claims 1970, and a checkpoint proves that it was NOON at least.
    let mut one = incident("INC-1", 60);
    let opening = &mut one.openings[0];
    for place in opening.intents.iter_mut().chain(opening.released.as_mut()) {
        place.time = Interval { claimed: 60, lower: Some(NOON), upper: Some(NOON + HOUR) };
    }
    assert_eq!(with_login(&[one.clone()], NOON + 120), []);
    assert_eq!(rules(&with_login(&[one], 120)), ["LOGIN-WITHOUT-OPENING"]);
}

#[test]
fn login_after_close_is_high() {
    let mut one = incident("INC-1", NOON);
    close(&mut one, NOON + HOUR);
    let found = with_login(&[one.clone()], NOON + HOUR + TOLERANCE + 1);
    assert_eq!(rules(&found), ["LOGIN-AFTER-CLOSE"]);
    assert_eq!((found[0].severity, found[0].incident.as_deref()), (Severity::High, Some("INC-1")));
    assert!(found[0].text.ends_with("with the secret that was opened there and not rotated since"));
    assert_eq!(found[0].records.len(), 2);
    // A second opening accounts for it.
    let second = incident("INC-2", NOON + HOUR + TOLERANCE);
    assert_eq!(with_login(&[one.clone(), second], NOON + HOUR + TOLERANCE + 1), []);
    // What was rotated before the close ended there.
    rotate(&mut one, NOON + HOUR / 2);
    let found = with_login(&[one], NOON + HOUR);
    assert_eq!((found[0].rule, found[0].severity), ("LOGIN-WITHOUT-OPENING", Severity::Critical));
}

#[test]
fn an_opening_that_nobody_closed_accounts_for_a_day() {
    let one = [incident("INC-1", NOON)];
    assert_eq!(with_login(&one, NOON + SPAN), []);
    let found = with_login(&one, NOON + 2 * SPAN);
    assert_eq!(
        (found[0].rule, found[0].severity, found[0].claim),
        ("LOGIN-WITHOUT-OPENING", Severity::High, Claim::Possible)
    );
    assert!(found[0].text.contains("long after its opening in INC-1, which nobody has closed"));
    let week = Slack { span: 7 * SPAN, ..Slack::default() };
    assert_eq!(findings_with(week, &kit(), &one, &[login(NOON + 2 * SPAN, true)], &around()), []);
}

#[test]
fn opening_without_login_is_told_where_a_log_covers_it() {
    let one = [incident("INC-1", NOON)];
    let found = findings(&kit(), &one, &[], &around());
    assert_eq!(rules(&found), ["OPENING-WITHOUT-LOGIN"]);
    assert_eq!((found[0].sort, found[0].severity), (Sort::Due, Severity::Medium));
    assert_eq!(found[0].next.as_deref(), Some("ask ada where the secret was used"));
    // A failed login is none.
    let tried = findings(&kit(), &one, &[login(NOON + 9, false)], &around());
    assert_eq!(rules(&tried), ["LOGIN-FAILED", "OPENING-WITHOUT-LOGIN"]);
    // With one, it is fine.
    assert_eq!(findings(&kit(), &one, &[login(NOON + 9, true)], &around()), []);
    // What was not released, or was a drill, is a note.
    let mut intent = one[0].clone();
    intent.openings[0].released = None;
    assert_eq!(findings(&kit(), &[intent], &[], &around())[0].sort, Sort::Note);
    let mut drill = one[0].clone();
    close(&mut drill, NOON + HOUR);
    drill.closed.as_mut().unwrap().verdict = "drill".into();
    assert_eq!(findings(&kit(), &[drill], &[], &around())[0].sort, Sort::Note);
    // A login that a wrong clock would explain leaves it possible.
    let found = findings(&kit(), &one, &[login(NOON + 3 * SPAN, true)], &around());
    let opening = found.iter().find(|finding| finding.rule == "OPENING-WITHOUT-LOGIN").unwrap();
    assert_eq!(opening.claim, Claim::Possible);
}

#[test]
fn login_uncovered_is_not_checked() {
    let one = [incident("INC-1", NOON)];
    let found = findings(&kit(), &one, &[], &[]);
    assert_eq!(rules(&found), ["LOGIN-UNCOVERED"]);
    assert_eq!(found[0].sort, Sort::NotChecked);
    // Half of it is not all of it.
    let half = [cover(NOON - SPAN, NOON + HOUR)];
    assert_eq!(rules(&findings(&kit(), &one, &[], &half)), ["LOGIN-UNCOVERED"]);
    // Two logs that meet cover it together; with a hole between they do not, and the hole is told.
    let meet = [cover(NOON - SPAN, NOON + HOUR), cover(NOON + HOUR, NOON + 3 * SPAN)];
    assert_eq!(rules(&findings(&kit(), &one, &[login(NOON, true)], &meet)), Vec::<&str>::new());
    let apart = [cover(NOON - SPAN, NOON + HOUR), cover(NOON + 3 * HOUR, NOON + 3 * SPAN)];
    let found = findings(&kit(), &one, &[login(NOON, true)], &apart);
    assert_eq!(rules(&found), ["LOGIN-UNCOVERED", "LOGIN-UNCOVERED"]);
    assert_eq!(
        found[1].text,
        "no log that was given covers core-fw/admin from 2026-11-21T13:00:00Z to 2026-11-21T15:00:00Z"
    );
}

#[test]
fn login_failed_is_a_note_with_its_opening() {
    let logins: Vec<Login> = (0..12).map(|n| login(NOON - 600 + n, false)).collect();
    let one = [incident("INC-1", NOON)];
    let mut all = logins.clone();
    all.push(login(NOON + 60, true));
    let found = findings(&kit(), &one, &all, &around());
    assert_eq!(rules(&found), ["LOGIN-FAILED"]);
    assert_eq!((found[0].sort, found[0].incident.as_deref()), (Sort::Note, Some("INC-1")));
    assert!(found[0].text.starts_with("12 failed logins of core-fw/admin between 2026-11-21T11:50:00Z"));
    let alone = findings(&kit(), &[], &logins[..1], &around());
    assert_eq!((alone[0].rule, alone[0].severity), ("LOGIN-FAILED", Severity::Low));
    assert_eq!(rules(&findings(&kit(), &one, &[login(NOON + 60, true)], &around())), Vec::<&str>::new());
}

#[test]
fn every_identifier_is_described() {
    let source = concat!(include_str!("../matching.rs"), include_str!("cover.rs"));
    for document in
        [include_str!("../../../../doc/reconcile.md"), include_str!("../../../../doc/audit-rules.md")]
    {
        let mut ids = BTreeSet::new();
        for part in
            source.split('"').filter(|part| part.starts_with("LOGIN-") || part.starts_with("OPENING-"))
        {
            assert!(document.contains(&format!("| `{part}` |")), "{part}");
            ids.insert(part);
        }
        assert_eq!(ids.len(), 5);
    }
}

#[test]
fn a_credential_without_any_log_is_named() {
    let names = [NAME, "db/root"];
    let found = unlogged(&kit(), names.into_iter(), &around());
    assert_eq!(rules(&found), ["LOGIN-UNCOVERED"]);
    assert!(found[0].text.contains("db/root"));
}

proptest::proptest! {
    #[test]
    fn no_times_make_it_panic(times: Vec<(i64, Option<i64>, Option<i64>, bool)>, logins: Vec<(i64, bool)>, ends: Vec<(i64, i64)>) {
        let incidents: Vec<Incident> = times.iter().map(|(claimed, lower, upper, closed)| {
            let mut one = incident("INC", 0);
            let time = Interval { claimed: *claimed, lower: *lower, upper: *upper };
            one.openings[0].intents[0].time = time;
            one.openings[0].released.as_mut().unwrap().time = time;
            if *closed {
                close(&mut one, 0);
                one.closed.as_mut().unwrap().record.time = time;
            }
            one
        }).collect();
        let logins: Vec<Login> = logins.iter().map(|(at, success)| login(*at, *success)).collect();
        let covers: Vec<LogCover> = ends.iter().map(|(from, to)| cover(*from, *to)).collect();
        let found = findings(&kit(), &incidents, &logins, &covers);
        proptest::prop_assert!(found.iter().all(|finding| finding.kit == Some(kit())));
    }
}
