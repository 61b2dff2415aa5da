//! Logins against openings. Two clocks, neither of them ours: the platform's is taken to be right within a tolerance, the
//! kit's only within what bounds its records.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::assessment::{Incident, Interval, Opening};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::ledger::{LogCover, Login};
use crate::kit::debts::quoted;
use crate::record::hash::Hash;

pub(super) mod cover;

use cover::Covered;
pub use cover::unlogged;

/// How far the clocks of platform and kit may differ, in seconds.
pub const TOLERANCE: i64 = 300;
/// How long an opening accounts for logins where neither a close nor a rotation ends it, in seconds: a day.
pub const SPAN: i64 = 86_400;

/// What the comparison allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slack {
    /// How far the clocks may differ, in seconds.
    pub tolerance: i64,
    /// How long an opening that nothing ends accounts for logins, in seconds.
    pub span: i64,
}

impl Default for Slack {
    fn default() -> Self {
        Slack { tolerance: TOLERANCE, span: SPAN }
    }
}

/// Everything that logins and openings of one kit's credentials show together. Pure. With [`TOLERANCE`] and [`SPAN`].
pub fn findings(kit: &Hash, incidents: &[Incident], logins: &[Login], covers: &[LogCover]) -> Vec<Finding> {
    findings_with(Slack::default(), kit, incidents, logins, covers)
}

/// [`findings`] with another tolerance or span.
pub fn findings_with(
    slack: Slack,
    kit: &Hash,
    incidents: &[Incident],
    logins: &[Login],
    covers: &[LogCover],
) -> Vec<Finding> {
    let mut windows: BTreeMap<&str, Vec<Window>> = BTreeMap::new();
    for incident in incidents {
        for opening in &incident.openings {
            let window = Window::of(incident, opening, slack);
            windows.entry(&opening.credential).or_default().push(window);
        }
    }
    let mut by_credential: BTreeMap<&str, Vec<&Login>> = BTreeMap::new();
    for login in logins {
        by_credential.entry(&login.credential).or_default().push(login);
    }
    let names = windows.keys().chain(by_credential.keys()).copied();
    let names: BTreeSet<&str> = names.chain(covers.iter().map(|cover| cover.credential.as_str())).collect();
    let mut findings = Vec::new();
    for name in names {
        let mut openings = windows.remove(name).unwrap_or_default();
        openings.sort_by_key(|window| window.from);
        let mut of_it = by_credential.remove(name).unwrap_or_default();
        of_it.sort_by_key(|login| login.at);
        let compared = Compared { slack, name, openings: &openings, logins: &of_it };
        findings.extend(compared.unaccounted());
        findings.extend(compared.failed());
        let covered = Covered::of(covers.iter().filter(|cover| cover.credential == name));
        findings.extend(compared.unused(&covered));
        findings.extend(compared.uncovered(&covered));
    }
    findings.into_iter().map(|finding| finding.of(*kit)).collect()
}

/// What ends the time in which an opening accounts for logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndedBy {
    /// The incident was closed.
    Close,
    /// The credential was rotated: its old secret opens nothing any more.
    Rotation,
    /// Nothing but the span.
    Span,
}

/// When an opening accounts for a login, Unix seconds, tolerance included.
struct Window<'a> {
    opening: &'a Opening,
    /// By what its machine claimed, as far as that is not excluded.
    from: i64,
    to: i64,
    /// By what its records prove, whatever the machine claimed.
    earliest: i64,
    latest: i64,
    ended: EndedBy,
    /// When the credential was rotated after it, if it was.
    rotated: Option<i64>,
    /// The verdict of its incident's close says that it was no emergency.
    drill: bool,
}

/// What the machine claimed, unless what is known excludes it.
fn likely(time: &Interval) -> i64 {
    let claimed = time.lower.map_or(time.claimed, |lower| time.claimed.max(lower));
    time.upper.map_or(claimed, |upper| claimed.min(upper))
}

impl<'a> Window<'a> {
    fn of(incident: &'a Incident, opening: &'a Opening, slack: Slack) -> Self {
        let times = || opening.intents.iter().chain(&opening.released).map(|place| &place.time);
        let begun = times().map(likely).min().unwrap_or(incident.claimed.0);
        let earliest = times().map(|time| time.lower.unwrap_or(i64::MIN)).min().unwrap_or(i64::MIN);
        let last = times().map(|time| time.upper.unwrap_or(i64::MAX)).max().unwrap_or(i64::MAX);
        let rotation = incident
            .debts
            .iter()
            .filter(|debt| debt.rotates.as_deref() == Some(opening.credential.as_str()))
            .find_map(|debt| debt.done.as_ref());
        let closed = incident.closed.as_ref().map(|closing| (&closing.record.time, EndedBy::Close));
        let rotated = rotation.map(|place| (&place.time, EndedBy::Rotation));
        // What claims to lie before the opening ended something else.
        let end = closed.into_iter().chain(rotated).filter(|(time, _)| likely(time) >= begun);
        let (to, latest, ended) = match end.min_by_key(|(time, _)| likely(time)) {
            Some((time, by)) => (likely(time), time.upper.unwrap_or(i64::MAX), by),
            None => (begun.saturating_add(slack.span), last.saturating_add(slack.span), EndedBy::Span),
        };
        Window {
            opening,
            from: begun.saturating_sub(slack.tolerance),
            to: to.saturating_add(slack.tolerance),
            earliest: earliest.saturating_sub(slack.tolerance),
            latest: latest.saturating_add(slack.tolerance),
            ended,
            rotated: rotated.map(|(time, _)| likely(time)).filter(|at| *at >= begun),
            drill: incident.closed.as_ref().is_some_and(|closing| closing.verdict == "drill"),
        }
    }

    fn accounts_for(&self, at: i64) -> bool {
        (self.from..=self.to).contains(&at)
    }

    fn may_account_for(&self, at: i64) -> bool {
        self.accounts_for(at) || (self.earliest..=self.latest).contains(&at)
    }

    fn records(&self) -> impl Iterator<Item = Hash> {
        self.opening.intents.iter().chain(&self.opening.released).map(|place| place.hash)
    }
}

/// One credential's openings and logins, each sorted by time.
struct Compared<'a> {
    slack: Slack,
    name: &'a str,
    openings: &'a [Window<'a>],
    logins: &'a [&'a Login],
}

impl Compared<'_> {
    /// Logins that no opening accounts for. Those of one kind and one log are one finding.
    fn unaccounted(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        let mut runs: Vec<(Verdict<'_>, Vec<&Login>)> = Vec::new();
        for login in self.logins.iter().filter(|login| login.success) {
            let Some(verdict) = self.judge(login) else { continue };
            // Logins of several logs come mixed by their times.
            match runs.iter_mut().rev().find(|(other, _)| other.same_as(&verdict)) {
                Some((_, run)) => run.push(login),
                None => runs.push((verdict, vec![login])),
            }
        }
        for (verdict, run) in runs {
            findings.push(verdict.finding(self.name, &run));
        }
        findings
    }

    /// What a login is, if no opening accounts for it.
    fn judge<'b>(&'b self, login: &'b Login) -> Option<Verdict<'b>> {
        let at = login.at;
        if self.openings.iter().any(|window| window.accounts_for(at)) {
            return None;
        }
        let possible =
            self.openings.iter().any(|window| window.may_account_for(at) && !self.confirmed(window));
        let before = self.openings.iter().rev().find(|window| window.from <= at);
        Some(Verdict {
            log: &login.log,
            before,
            possible,
            rotated: before.and_then(|window| window.rotated).is_some_and(|rotated| rotated < at),
        })
    }

    /// A login that fits what the machine claimed shows that its clock was right.
    fn confirmed(&self, window: &Window<'_>) -> bool {
        self.logins.iter().any(|login| login.success && window.accounts_for(login.at))
    }

    /// Failed logins, counted up to the next opening.
    fn failed(&self) -> Vec<Finding> {
        let mut groups: BTreeMap<Option<usize>, Vec<&Login>> = BTreeMap::new();
        for login in self.logins.iter().filter(|login| !login.success) {
            // Within the span before an opening, or while it lasts: somebody who waits for the secret, or mistypes it.
            let next = self.openings.iter().position(|window| {
                window.from.saturating_sub(self.slack.span) <= login.at && login.at <= window.to
            });
            groups.entry(next).or_default().push(login);
        }
        groups
            .into_iter()
            .map(|(next, group)| self.failures(next.map(|index| &self.openings[index]), &group))
            .collect()
    }

    fn failures(&self, opening: Option<&Window<'_>>, group: &[&Login]) -> Finding {
        let (first, last) = (group[0], group[group.len() - 1]);
        let times = match first.at == last.at {
            true => format!("at {}", time(first.at)),
            false => format!("between {} and {}", time(first.at), time(last.at)),
        };
        let what =
            format!("{} of {} {times}{}", count(group.len(), "failed login"), self.name, sources(group));
        match opening {
            Some(window) => {
                let text = format!("{what}, around its opening in {}", window.opening.incident);
                Finding::new("LOGIN-FAILED", Sort::Note, Severity::Info, text)
                    .at(first.at)
                    .in_incident(&window.opening.incident)
                    .on(window.records())
            }
            None => {
                let text = format!("{what}, with no opening near it: somebody tries this account");
                Finding::new("LOGIN-FAILED", Sort::Note, Severity::Low, text).at(first.at)
            }
        }
    }

    /// Openings after which nobody logged in, where a log would show it.
    fn unused(&self, covered: &Covered) -> Vec<Finding> {
        let mut findings = Vec::new();
        for window in self.openings.iter().filter(|window| covered.holds(window.from, window.to)) {
            if self.confirmed(window) {
                continue;
            }
            let opening = window.opening;
            let possible = self.logins.iter().any(|login| login.success && window.may_account_for(login.at));
            let whole = format!(
                "{} was opened in {} by {}, and its log shows no login from {} to {}",
                self.name,
                opening.incident,
                opening.operator,
                time(window.from),
                time(window.to)
            );
            let finding = if opening.released.is_none() || window.drill {
                let why = if window.drill {
                    "the incident was closed as a drill"
                } else {
                    "no release is on record"
                };
                Finding::new("OPENING-WITHOUT-LOGIN", Sort::Note, Severity::Info, format!("{whole}; {why}"))
            } else {
                Finding::new("OPENING-WITHOUT-LOGIN", Sort::Due, Severity::Medium, whole)
                    .then(format!("ask {} where the secret was used", opening.operator))
            };
            let finding = finding.at(window.from).in_incident(&opening.incident).on(window.records());
            findings.push(if possible { finding.possibly() } else { finding });
        }
        findings
    }

    /// Times that no log covers: around openings, and between logs.
    fn uncovered(&self, covered: &Covered) -> Vec<Finding> {
        let mut findings = Vec::new();
        for window in self.openings.iter().filter(|window| !covered.holds(window.from, window.to)) {
            let opening = window.opening;
            let text = format!(
                "{} was opened in {}, and no log that was given covers all of {} to {}",
                self.name,
                opening.incident,
                time(window.from),
                time(window.to)
            );
            findings.push(
                Finding::new("LOGIN-UNCOVERED", Sort::NotChecked, Severity::Info, text)
                    .at(window.from)
                    .in_incident(&opening.incident)
                    .on(window.records())
                    .then(format!(
                        "breakglass-audit reconcile LOG --format … --credential {}",
                        quoted(self.name)
                    )),
            );
        }
        for (from, to) in covered.gaps() {
            let text =
                format!("no log that was given covers {} from {} to {}", self.name, time(from), time(to));
            findings.push(Finding::new("LOGIN-UNCOVERED", Sort::NotChecked, Severity::Info, text).at(from));
        }
        findings
    }
}

/// Why no opening accounts for a login.
struct Verdict<'a> {
    /// The log that shows it: logins of two logs are told apart, since each has its own sources.
    log: &'a str,
    /// The last opening that began before it.
    before: Option<&'a Window<'a>>,
    /// An opening may account for it, if its machine's clock was wrong.
    possible: bool,
    /// The credential was rotated between that opening and the login.
    rotated: bool,
}

impl Verdict<'_> {
    fn same_as(&self, other: &Self) -> bool {
        let opening = |verdict: &Self| verdict.before.map(std::ptr::from_ref);
        (self.log, opening(self), self.possible, self.rotated)
            == (other.log, opening(other), other.possible, other.rotated)
    }

    fn finding(&self, name: &str, run: &[&Login]) -> Finding {
        let first = run[0];
        let what = format!("a login of {name} {}", occasions(run));
        let without = |severity, text| Finding::new("LOGIN-WITHOUT-OPENING", Sort::Wrong, severity, text);
        let finding = match self.before {
            Some(window) if window.ended == EndedBy::Close && !self.rotated => {
                let text = format!(
                    "{what} after {} was closed, with the secret that was opened there and not rotated since",
                    window.opening.incident
                );
                Finding::new("LOGIN-AFTER-CLOSE", Sort::Wrong, Severity::High, text)
            }
            Some(window) if window.ended == EndedBy::Span => {
                let text = format!(
                    "{what}, long after its opening in {}, which nobody has closed",
                    window.opening.incident
                );
                without(Severity::High, text).possibly()
            }
            Some(window) => {
                let text = format!(
                    "{what} without an opening: since {} the secret was rotated, and nobody has opened it",
                    window.opening.incident
                );
                without(Severity::Critical, text)
            }
            None => without(Severity::Critical, format!("{what} without an opening before it")),
        };
        let finding = match self.before {
            Some(window) => finding.in_incident(&window.opening.incident).on(window.records()),
            None => finding,
        };
        let finding = finding.at(first.at).then(format!(
            "find out who logged in, then  breakglass rotate {}  in the kit that holds it",
            quoted(name)
        ));
        if self.possible { finding.possibly() } else { finding }
    }
}

/// When, from where and by which log: `at TIME, and 1 more until TIME, from PLACE, PLACE (log NAME)`. All of one log, by time.
pub(super) fn occasions(run: &[&Login]) -> String {
    let (first, from) = (run[0], sources(run));
    let more = match run.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more until {}", time(run[more].at)),
    };
    let comma = if more.is_empty() || from.is_empty() { "" } else { "," };
    format!("at {}{more}{comma}{from} (log {})", time(first.at), first.log)
}

/// Where these logins came from: up to three places by name, else how many.
fn sources(logins: &[&Login]) -> String {
    let sources: BTreeSet<&str> = logins.iter().filter_map(|login| login.from.as_deref()).collect();
    match sources.len() {
        0 => String::new(),
        1..=3 => format!(" from {}", sources.into_iter().collect::<Vec<_>>().join(", ")),
        more => format!(" from {more} places"),
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A time for people: RFC 3339 in UTC, or the number where no calendar has it.
pub(super) fn time(at: i64) -> String {
    jiff::Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests;
