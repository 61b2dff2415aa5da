//! The identity provider locks everybody out. For the emergency a policy of the cloud is switched off; that it is put back is
//! a debt, until a person signs that it was. In the second half nobody does, and that is found.

use crate::auditor::Clock;
use crate::people::People;
use crate::real::*;

const POLICY: &str = "conditional access CA-07 (block legacy sign-in)";

/// Opens, and closes with what was switched off; what the close said.
fn emergency(people: &mut People) -> Said {
    // Three places, so that nothing dies with one of them, and nothing else is due.
    people.adopts(|text| {
        let dana = "\n[[person]]\nname = \"dana\"\nroles = [\"auditor\"]\n";
        text.replace("place = \"safe A\"\nbag = \"0418\"", "place = \"safe C\"\nbag = \"0418\"") + dana
    });
    let opening: Vec<&str> = opening("core-fw/admin");
    people.run(&[&opening[..], &["--key", "4000001"]].concat()).gave(ADMIN_SECRET);
    let close = ["close", "INC-4711", "--verdict", "real", "--outcome", "sign-in works again"];
    let sign = ["--switched-off", POLICY, "--with", "4000002", "--confirm", "close INC-4711"];
    people.run(&[&close[..], &sign].concat()).done()
}

/// All that the incident left, but for what was switched off.
fn all_but_the_policy(people: &mut People) {
    let sign = ["--with", "4000002", "--confirm"];
    people.does("breakglass rotate core-fw/admin --with 4000002");
    people.does("breakglass rotate core-fw/admin --confirm-pending --with 4000002");
    people.does("breakglass key pin 4000001");
    for debt in ["return 4000001", "account core-fw/admin"] {
        let words = ["discharge", "INC-4711", debt, "--by", "ada", "--how", "seen by two"];
        people.run(&[&words[..], &sign, &[&format!("discharge {debt}")]].concat()).done();
    }
    let review = ["review", "INC-4711", "--by", "dana", "--judgement", "agree", "--text", "as it should be"];
    people.run(&[&review[..], &sign, &["review INC-4711"]].concat()).done();
    let to = people.life.path("for-the-auditor").display().to_string();
    people.run(&["records", "export", &to, "--with", "4000002"]).done();
}

#[test]
fn a_cloud_policy_is_switched_off_and_put_back() {
    let mut people = People::with(&KEYS);
    emergency(&mut people).says(&[
        "closed INC-4711 on record.",
        "INC-4711 leaves ",
        &format!(
            "due   restore {POLICY}  breakglass discharge INC-4711 'restore {POLICY}' --by NAME --how …"
        ),
    ]);
    all_but_the_policy(&mut people);
    assert_eq!(people.status(Clock::Right), (1, vec!["RESTORE-UNDONE".to_owned()]));
    let status = people.run(&["status"]).is(1, &[]).text();
    assert!(status.contains(&format!("put back what was switched off for INC-4711: {POLICY}")), "{status}");

    let debt = format!("restore {POLICY}");
    let words =
        ["discharge", "INC-4711", &debt, "--by", "dana", "--how", "on again, a legacy sign-in was refused"];
    let sign = ["--with", "4000002", "--confirm"];
    people.run(&[&words[..], &sign, &[&format!("discharge {debt}")]].concat()).done();
    assert_eq!(people.status(Clock::Right), (0, vec![]));
    people.auditor(Clock::Right).finds(Clock::Right).is(&[]);
}

#[test]
fn a_cloud_policy_is_switched_off_and_stays_off() {
    let mut people = People::with(&KEYS);
    emergency(&mut people);
    all_but_the_policy(&mut people);
    assert_eq!(people.status(Clock::Right).0, 1);
    let found = people.auditor(Clock::Right).finds(Clock::Right);
    found.is(&["due RESTORE-UNDONE"]);
    found.says(&[&format!("what was switched off for INC-4711 was not put back: {POLICY}")]);
    assert_eq!(found.code, Some(1));
}
