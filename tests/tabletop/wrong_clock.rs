//! The air-gapped machine's battery is empty, and its clock is years off. Everything opens as ever; what came before what is
//! told by the chains; and the auditor sees that the times cannot be true.

use serde_json::Value;

use crate::auditor::{Clock, in_days};
use crate::people::People;
use crate::real::*;

fn events(people: &People) -> Vec<Value> {
    let listed = people.run(&["--json", "records", "list"]).json();
    listed["records"].as_array().expect("records").clone()
}

#[test]
fn the_clock_of_the_machine_is_years_off() {
    let mut people = People::with(&KEYS);
    people.adopts(|text| text + "\n[[person]]\nname = \"dana\"\nroles = [\"auditor\"]\n");
    let years_ago = Clock::At("2019-03-01 03:12:00");
    let ahead = in_days(9 * 365);
    let years_ahead = Clock::At(&ahead);

    // Opened by a machine that thinks it is 2019, and rotated by one that thinks it is nine years on.
    let opening = [&opening("core-fw/admin")[..], &["--key", "4000001"]].concat();
    let told = "note      the clock of this machine says 2019-03-01";
    people.run_at(years_ago, &opening).gave(ADMIN_SECRET).says(&[told, "and the kit has a record of 20"]);
    let opened =
        events(&people).into_iter().find(|one| one["event"] == "open.released").expect("it was opened");
    assert!(opened["time"].as_i64().is_some_and(|at| at < 1_560_000_000), "{opened:#}");
    assert!(people.status(Clock::Right).1.contains(&"ROTATE-USED".to_owned()));
    // By the claimed times alone the incident is years old; no clock that can be relied on says so.
    let auditor = people.auditor(Clock::Right);
    let found = auditor.finds(Clock::Right);
    assert!(found.rules.contains(&"due INCIDENT-OPEN possible".to_owned()), "{found:#?}");
    assert!(found.rules.contains(&"wrong TIME-BACKWARDS".to_owned()), "{found:#?}");

    let sign = ["--with", "4000002", "--confirm"];
    people
        .run_at(
            years_ahead,
            &[&["rotate", "core-fw/admin", "--generate"][..], &sign, &["seal core-fw"]].concat(),
        )
        .done();
    people
        .run_at(
            years_ago,
            &[&["rotate", "core-fw/admin", "--confirm-pending"][..], &sign, &["confirm core-fw"]].concat(),
        )
        .done();
    let close = ["close", "INC-4711", "--verdict", "false-alarm", "--outcome", "a cable"];
    people.run_at(years_ahead, &[&close[..], &sign, &["close INC-4711"]].concat()).done();
    // What was confirmed "in 2019" discharges what was opened "in 2019" after it: the chains say so, not the clocks.
    people.does("breakglass key pin 4000001");
    for debt in ["return 4000001", "account core-fw/admin"] {
        let words = ["discharge", "INC-4711", debt, "--by", "dana", "--how", "seen by two"];
        people.run_at(years_ago, &[&words[..], &sign, &[&format!("discharge {debt}")]].concat()).done();
    }
    let review = ["review", "INC-4711", "--by", "dana", "--judgement", "agree", "--text", "as it should be"];
    people.run(&[&review[..], &sign, &["review INC-4711"]].concat()).done();
    let shown = people.run(&["--json", "incident", "show", "INC-4711"]).json();
    let open: Vec<&Value> = shown["debts"]
        .as_array()
        .expect("debts")
        .iter()
        .filter(|debt| debt["done"].is_null())
        .map(|debt| &debt["debt"])
        .collect();
    assert_eq!(open, ["upload"], "{shown:#}");
    assert_eq!(shown["closed"]["verdict"], "false-alarm");
    let verified = people.run(&["records", "verify"]).done();
    assert!(verified.text().contains("intact: "), "a wrong clock breaks no chain\n{verified}");

    // The auditor: nothing is undone but that the journal was copied without a signed export, and both chains tell of a
    // clock that was wrong. Ahead of now is certain, because the ledger had it before.
    auditor.import(Clock::Right);
    let found = auditor.finds(Clock::Right);
    let mut rules = found.rules.clone();
    rules.dedup();
    assert_eq!(rules, ["wrong TIME-AHEAD", "wrong TIME-BACKWARDS", "due RECORDS-UPLOAD"], "{found:#?}");
    found.says(&[
        "key 4000001: ",
        "key 4000002: ",
        "one of the two clocks was wrong",
        "a time after it was known",
    ]);
}
