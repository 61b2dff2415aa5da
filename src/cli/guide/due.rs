//! What is due beside what incidents left: one of it is chosen, and its verb runs as if its command had been typed.

use clap::Parser;

use super::{NONE, Step, finish, pick};
use crate::attestation::Serial;
use crate::cli::args::{Arguments, KeyVerb, TrustVerb, Verb};
use crate::cli::desk::Desk;
use crate::cli::hint::Trouble;
use crate::cli::run;
use crate::kit::finding::{Finding, Weight};

/// Those that the guide can lead through, each command once; without those that `owed` names, which are offered already.
pub(super) fn led(found: &[Finding], owed: &[String]) -> Vec<Finding> {
    let mut led: Vec<Finding> = Vec::new();
    for finding in found.iter().filter(|finding| finding.weight == Weight::Due) {
        let Some(next) = &finding.next else { continue };
        let known = owed.contains(next) || led.iter().any(|other| other.next == finding.next);
        if !known && Errand::of(next).is_some() {
            led.push(finding.clone());
        }
    }
    led
}

/// What a command comes to.
enum Errand {
    /// Two people put a key away, who are asked for all that they read on its bag.
    PutAway(Serial),
    Verb(Box<Verb>),
}

impl Errand {
    /// `None` for a command that leaves something open which the guide cannot ask for.
    fn of(command: &str) -> Option<Self> {
        let words: Vec<&str> = command.split_whitespace().collect();
        if let ["breakglass", "key", "checkin", serial, ..] = words[..] {
            return serial.parse().ok().map(Errand::PutAway);
        }
        let verb = Arguments::try_parse_from(words).ok()?.verb?;
        let asks_the_rest = matches!(
            verb,
            Verb::Drill(_)
                | Verb::Rotate(_)
                | Verb::Change(_)
                | Verb::Key(KeyVerb::Admit(_))
                | Verb::Trust(TrustVerb::Authority(_))
        );
        asks_the_rest.then(|| Errand::Verb(Box::new(verb)))
    }
}

pub(super) fn carry_out(desk: &mut Desk, due: &[Finding]) -> Result<Step, Trouble> {
    let texts: Vec<String> = due.iter().map(|finding| finding.text.clone()).collect();
    let chosen = pick(desk, "what is to be done?", &texts, NONE)?.and_then(|index| due.get(index));
    let errand = chosen.and_then(|finding| finding.next.as_deref()).and_then(Errand::of);
    let Some(errand) = errand else { return Ok(Step::Back) };
    match errand {
        Errand::PutAway(serial) => {
            let kit = desk.look()?;
            finish::put_away(desk, &kit, serial)
        }
        Errand::Verb(verb) => match *verb {
            // Where the new secret comes from is asked.
            Verb::Rotate(rotation) => {
                let kit = desk.look()?;
                finish::rotate(desk, &kit, &rotation.credential)
            }
            verb => run(desk, verb),
        },
    }
    .map(Step::Did)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_leaves_open_and_what_incidents_left_is_not_offered() {
        let due = |next: &str| Finding::due("DRILL-DUE", next.to_owned(), next.to_owned());
        let found: Vec<Finding> = [
            "breakglass drill core-fw/admin --key 30877",
            "breakglass rotate core-db/root",
            "breakglass rotate core-db/root",
            "breakglass rotate core-fw/admin",
            "breakglass rotate core-fw/admin --confirm-pending",
            "breakglass change --lost 23112",
            "breakglass key admit 30877",
            "breakglass key admit 30877 --with ANOTHER",
            "breakglass key checkin 23112 --place … --bag … --person … --witness …",
            "breakglass trust authority --key 23112",
            "breakglass discharge INC-1 'return 23112' --by NAME --how …",
            "breakglass policy check   then   breakglass policy adopt",
            "add [[key]] to kit.toml, then  breakglass policy adopt",
            "",
        ]
        .map(due)
        .into();
        let offered: Vec<String> = led(&found, &["breakglass rotate core-fw/admin".to_owned()])
            .into_iter()
            .map(|finding| finding.text)
            .collect();
        assert_eq!(
            offered,
            [
                "breakglass drill core-fw/admin --key 30877",
                "breakglass rotate core-db/root",
                "breakglass rotate core-fw/admin --confirm-pending",
                "breakglass change --lost 23112",
                "breakglass key admit 30877",
                "breakglass key checkin 23112 --place … --bag … --person … --witness …",
                "breakglass trust authority --key 23112",
            ]
        );
        let told = Finding::note("DRILL-DUE", String::new()).then("breakglass rotate core-db/root");
        assert_eq!(led(&[told], &[]), []);
    }
}
