//! A year of drills: every quarter each key proves both credentials, and nothing is found. Then one key is left out, and that
//! is found here and by the auditor, until it is drilled.

use crate::auditor::{Clock, in_days};
use crate::people::People;
use crate::real::*;

fn drill(people: &People, serial: u32, day: i64) {
    let at = in_days(day);
    for (credential, word) in [("core-db/root", "drill core-db"), ("core-fw/admin", "drill core-fw")] {
        let serial = serial.to_string();
        let words = ["drill", credential, "--key", &serial, "--operator", "ada", "--confirm", word];
        people.run_at(Clock::At(&at), &words).done().says(&["nothing was opened."]);
    }
}

/// What `status` finds due on that day.
fn due(people: &People, day: i64) -> Vec<String> {
    let at = in_days(day);
    let told = people.run_at(Clock::At(&at), &["--json", "status"]).json();
    let findings = told["findings"].as_array().expect("findings").iter();
    // The kit's places are two, which is due all year.
    let due = findings.filter(|one| one["weight"] == "due" && one["rule"] != "COVERAGE-PLACE");
    due.map(|one| one["text"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn a_year_of_drills_and_one_that_was_missed() {
    let people = People::with(&KEYS);
    let auditor = people.auditor(Clock::Right);
    for quarter in [80, 160, 240] {
        assert_eq!(due(&people, quarter - 1), [""; 0], "day {quarter}");
        for (serial, _) in KEYS {
            drill(&people, serial, quarter);
        }
        let at = in_days(quarter + 1);
        auditor.import(Clock::At(&at));
        auditor.finds(Clock::At(&at)).is(&[]);
    }
    // In the last quarter 4000003 only signs the export: it is there, and proves nothing.
    drill(&people, ONE, 320);
    drill(&people, TWO, 320);
    let at = in_days(321);
    let to = people.life.path("for-the-auditor").display().to_string();
    people.run_at(Clock::At(&at), &["records", "export", &to, "--with", "4000003"]).done();
    auditor.import(Clock::At(&at));
    auditor.finds(Clock::At(&at)).is(&[]);
    assert_eq!(due(&people, 321), [""; 0]);

    let late = in_days(332);
    assert_eq!(due(&people, 332), ["drill core-db/root with 4000003", "drill core-fw/admin with 4000003"]);
    let found = auditor.finds(Clock::At(&late));
    found.is(&["due DRILL-OVERDUE"]);
    found.says(&["key 4000003 has not proven itself in a drill for 92 days"]);
    assert_eq!(found.code, Some(1));

    drill(&people, THREE, 332);
    assert_eq!(due(&people, 333), [""; 0]);
    auditor.import(Clock::At(&late));
    let after = in_days(333);
    auditor.finds(Clock::At(&after)).is(&[]);
    let listed = people.run(&["--json", "records", "list"]).json();
    let ended =
        listed["records"].as_array().expect("records").iter().filter(|one| one["event"] == "drill.ended");
    assert_eq!(ended.count(), 24, "four quarters, three keys, two credentials");
}
