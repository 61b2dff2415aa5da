//! A key is gone: what it opens, what no longer opens without it, and its retirement.

use super::history::History;
use super::policy::{list, signatures};
use super::reach::{Rotation, is_to, rotation, step};
use super::{ChangeError, Plan, State, Step, What, policy};
use crate::attestation::Serial;
use crate::kit::credentials::Credential;
use crate::kit::debts::Done;
use crate::kit::name::CredentialName;
use crate::kit::policy::Policy;
use crate::kit::roster::{Change, Standing};
use crate::kit::{Enrolled, Kit, custody};
use crate::record::event::Event;
use crate::record::token::Record;

/// The steps after a key was lost or stolen: first what it opens alone, then its retirement, then the rest.
pub(super) fn gone(
    kit: &Kit,
    serial: Serial,
    stolen: bool,
    comes: Option<Serial>,
) -> Result<Plan, ChangeError> {
    let victim = kit.enrolled(serial).ok_or(ChangeError::NotEnrolled(serial))?;
    if comes == Some(serial) {
        return Err(ChangeError::SameKey(serial));
    }
    let history = History::of(kit);
    let case = Case { kit, history: &history, victim: &victim, comes };
    let (mut plan, mut first, mut later) = (Plan::default(), Vec::new(), Vec::new());
    for (name, credential) in &kit.credentials {
        match case.credential(name, credential) {
            Told::Untouched(why) => plan.untouched.push((name.clone(), why)),
            Told::AtOnce(step) => first.push(step),
            Told::Later(step) => later.push(step),
        }
    }
    if first.iter().chain(&later).any(|step| matches!(step.what, What::Rotate(..)) && !step.is_done()) {
        plan.notes.push(
            "nothing is opened for this: age seals no secret anew without opening it, so each gets a new one, \
             which you set on the platform"
                .to_owned(),
        );
    }
    plan.steps = first;
    plan.steps.extend(case.retirement(if stolen { "stolen" } else { "lost" }));
    plan.steps.extend(comes.iter().flat_map(|comes| coming(kit, &history, *comes, &[serial])));
    plan.steps.append(&mut later);
    if stolen {
        plan.steps.extend(case.neighbours());
    }
    plan.steps.extend(policy::steps(kit, &history, &[serial], |policy| case.lines(policy)));
    plan.steps.extend(comes.iter().filter_map(|comes| put_away(kit, &history, *comes)));
    if victim.standing == Standing::Enrolled {
        plan.notes
            .push(format!("{serial} was never admitted: it opens nothing, and there is nothing to retire"));
    }
    Ok(plan)
}

struct Case<'k> {
    kit: &'k Kit,
    history: &'k History<'k>,
    victim: &'k Enrolled,
    comes: Option<Serial>,
}

/// What a credential asks.
enum Told {
    Untouched(String),
    /// Whoever has the key has the credential.
    AtOnce(Step),
    Later(Step),
}

impl Case<'_> {
    fn credential(&self, name: &CredentialName, credential: &Credential) -> Told {
        let serial = self.victim.facts.serial;
        let to_it = credential.generations.iter().rfind(|one| is_to(one, &self.victim.id));
        let Some(newest) = to_it else {
            return Told::Untouched(format!("it was never sealed to {serial}"));
        };
        let threshold = usize::from(newest.facts.threshold);
        let keys = self.kit.enrolled_keys();
        let lost: Vec<Serial> = keys
            .iter()
            .filter(|key| is_to(newest, &key.id))
            .filter(|key| key.id == self.victim.id || matches!(key.standing, Standing::Retired { .. }))
            .map(|key| key.facts.serial)
            .collect();
        let there = |key: &&Enrolled| key.standing == Standing::Admitted && key.id != self.victim.id;
        let rest: Vec<Serial> = keys.iter().filter(there).map(|key| key.facts.serial).collect();
        let left: Vec<Serial> = keys
            .iter()
            .filter(there)
            .filter(|key| is_to(newest, &key.id))
            .map(|key| key.facts.serial)
            .collect();
        let reached = lost.len() >= threshold;
        let mut why = match (reached, &lost[..]) {
            (true, [_]) => format!("{serial} opens it alone: rotate it at once"),
            (true, all) => format!("{} open it together, and all are gone: rotate it at once", list(all)),
            (false, all) => format!(
                "{} of the {threshold} shares that open it {} gone: worthless alone, and for good once it is sealed \
                 anew",
                all.len(),
                if all.len() == 1 { "is" } else { "are" }
            ),
        };
        why += &match left.len() {
            0 => "; no other key opens it".to_owned(),
            few if few < threshold => {
                format!("; it opens no more: it takes {threshold} keys, and {few} of its own are left")
            }
            all if all == threshold && threshold > 1 => {
                format!("; it opens only with all of {}", list(&left))
            }
            1 => format!("; {} alone is left of its keys", list(&left)),
            _ => String::new(),
        };
        let mut to = if left.len() >= threshold { left } else { rest };
        let comes = self.comes.and_then(|comes| self.kit.enrolled(comes));
        if let Some(comes) = comes.filter(|key| key.standing == Standing::Admitted) {
            to.push(comes.facts.serial);
        }
        to.sort_unstable();
        to.dedup();
        let waits = (to.len() < threshold).then(|| {
            format!(
                "for another key (--key SERIAL): it takes {threshold}, and {} {} left; or seal it to fewer with -k",
                to.len(),
                if to.len() == 1 { "is" } else { "are" }
            )
        });
        let with = to.first().copied();
        let rotation = rotation(self.history, credential, newest.number);
        if matches!(rotation, Rotation::Done(_)) {
            why = format!("it is sealed to {serial} no more");
        }
        let step = step(name, rotation, why, to, with, waits);
        if reached { Told::AtOnce(step) } else { Told::Later(step) }
    }

    fn retirement(&self, because: &'static str) -> Option<Step> {
        let (serial, id) = (self.victim.facts.serial, self.victim.id);
        let (state, why, with) = match self.victim.standing {
            Standing::Enrolled => return None,
            Standing::Retired { last_seq } => {
                let done = self.retired().and_then(|at| self.history.done(at));
                (State::Done(done), format!("as of its record {last_seq}; later ones are findings"), None)
            }
            Standing::Admitted | Standing::Frozen => {
                let voters: Vec<Serial> = self.others().map(|key| key.facts.serial).collect();
                let of = |change: &Change| matches!(change, Change::Retire { key, .. } if *key == id);
                let (why, with) = signatures(self.kit, of, &voters, &[]);
                match voters.is_empty() {
                    true => {
                        (State::Waits("for ever: no other key belongs that could sign".to_owned()), why, None)
                    }
                    false => (State::Then, why, with),
                }
            }
        };
        Some(Step { what: What::Retire(serial, because), why, state, with })
    }

    /// The last signature of its retirement.
    fn retired(&self) -> Option<usize> {
        let retires = |record: &Record| matches!(&record.event, Event::KeyRetired(facts) if facts.key == self.victim.id);
        self.history.all().filter(|(_, record)| retires(record)).last().map(|(at, _)| at)
    }

    fn others(&self) -> impl Iterator<Item = Enrolled> {
        let id = self.victim.id;
        self.kit
            .enrolled_keys()
            .into_iter()
            .filter(move |key| key.standing == Standing::Admitted && key.id != id)
    }

    /// Keys that lay beside the stolen one: whoever took it had them at hand.
    fn neighbours(&self) -> Vec<Step> {
        let place = |key: &Enrolled| self.kit.whereabouts(&key.id, key.facts.serial).place;
        let here = place(self.victim);
        let since = self.retired();
        let look = |key: Enrolled| {
            let counts = key.facts.fido2.is_some();
            let seen = |(at, record): &(usize, &Record)| {
                since.is_some_and(|since| *at > since)
                    && match &record.event {
                        Event::OpenAsserted(_) => record.kid == key.id,
                        Event::KeyCheckedOut(facts) => facts.key == key.id,
                        _ => false,
                    }
            };
            let seen = self.history.all().find(seen);
            Step {
                what: What::Look(key.facts.serial, counts),
                why: match counts {
                    true => format!("it lay in {here} too: its counter tells whether it was used"),
                    false => format!(
                        "it lay in {here} too: by its bag and seal alone, as it has no counter that would tell"
                    ),
                },
                state: match (seen, since) {
                    (Some((at, _)), _) => State::Done(self.history.done(at)),
                    (None, Some(_)) => State::Then,
                    (None, None) => State::Waits("until the stolen key is retired".to_owned()),
                },
                with: None,
            }
        };
        if here.is_empty() {
            return Vec::new();
        }
        self.others().filter(|key| place(key) == here).map(look).collect()
    }

    /// What a policy still says of it, and does not yet say of the one that comes.
    fn lines(&self, policy: &Policy) -> Vec<String> {
        let serial = self.victim.facts.serial;
        let mut lines = naming(policy, serial);
        let unplaced = self.comes.filter(|comes| policy.place(*comes).is_none());
        lines.extend(
            unplaced.map(|comes| format!("add [[key]] serial = {comes}, with its place, bag and puk")),
        );
        lines
    }
}

/// Where a policy names a key.
fn naming(policy: &Policy, serial: Serial) -> Vec<String> {
    let mut lines = Vec::new();
    if policy.place(serial).is_some() {
        lines.push(format!("remove [[key]] serial = {serial}"));
    }
    if let Some(person) = policy.keeper(serial) {
        lines.push(format!("take {serial} out of the keys of {}", person.name));
    }
    let of_people: Vec<Serial> = policy.people.iter().flat_map(|person| person.keys.clone()).collect();
    let groups = policy.quorum.groups.iter().filter(|group| group.keys.contains(&serial));
    lines.extend(
        groups
            .filter(|_| !of_people.contains(&serial))
            .map(|group| format!("take {serial} out of quorum-group {}", group.name)),
    );
    lines
}

/// A key that comes: provisioned, then admitted by those that are there.
pub(super) fn coming(kit: &Kit, history: &History<'_>, serial: Serial, avoid: &[Serial]) -> Vec<Step> {
    let found = kit.enrolled(serial).filter(|key| !matches!(key.standing, Standing::Retired { .. }));
    let provision = What::Provision(serial);
    let Some(key) = found else {
        let why = "blank key to enrolled key; its PIN is typed by whoever will keep it".to_owned();
        let waits = State::Waits("until it is provisioned".to_owned());
        let (admit, why_admit) = (What::Admit(serial), "it opens nothing before it is admitted".to_owned());
        return vec![
            Step { what: provision, why, state: State::Then, with: None },
            Step { what: admit, why: why_admit, state: waits, with: None },
        ];
    };
    let mut records = kit.journal.records().map(|(_, record)| record);
    let enrolment = records.find(|record| record.hash() == key.enrolment);
    let enrolled = Step {
        what: provision,
        why: "it is enrolled".to_owned(),
        state: State::Done(enrolment.map(Done::of)),
        with: None,
    };
    let admits = |record: &Record| matches!(&record.event, Event::KeyAdmitted(facts) if facts.key == key.id);
    let admitted = match key.standing {
        Standing::Admitted => {
            let last = history.all().filter(|(_, record)| admits(record)).last();
            Step {
                what: What::Admit(serial),
                why: "it belongs".to_owned(),
                state: State::Done(last.and_then(|(at, _)| history.done(at))),
                with: None,
            }
        }
        _ => {
            let voters: Vec<Serial> = kit
                .enrolled_keys()
                .iter()
                .filter(|other| other.standing == Standing::Admitted)
                .map(|other| other.facts.serial)
                .collect();
            let of = |change: &Change| matches!(change, Change::Admit { key: one, .. } if *one == key.id);
            let (why, with) = signatures(kit, of, &voters, avoid);
            Step { what: What::Admit(serial), why, state: State::Then, with }
        }
    };
    vec![enrolled, admitted]
}

/// That a key which came lies in a bag, seen by two.
pub(super) fn put_away(kit: &Kit, history: &History<'_>, serial: Serial) -> Option<Step> {
    let key = kit.enrolled(serial).filter(|key| key.standing == Standing::Admitted);
    let step = |state, why: &str| Step {
        what: What::PutAway(serial, false),
        why: why.to_owned(),
        state,
        with: None,
    };
    let Some(key) = key else {
        return Some(step(State::Waits("until it is admitted".to_owned()), "two people sign where it lies"));
    };
    let put = |record: &Record| matches!(&record.event, Event::KeyCheckedIn(facts) if facts.key == key.id);
    let last = history.all().filter(|(_, record)| put(record)).last();
    let out = kit.whereabouts(&key.id, serial).out.is_some();
    Some(match last.filter(|_| !out) {
        Some((at, _)) => step(State::Done(history.done(at)), "two people signed where it lies"),
        None => step(State::Then, "two people sign where it lies"),
    })
}

/// Whether that key would have to be taken out before it can be put away anew.
pub(super) fn lies(there: &custody::Whereabouts) -> bool {
    there.checked_in.is_some() && there.out.is_none()
}
