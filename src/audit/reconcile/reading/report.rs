//! Where readers put what they find, cut to what may be kept.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{MOST_UNREADABLE, Sighting, Unreadable};
use crate::audit::reconcile::trace::Trace;

/// What is kept of a line, for people, in bytes.
const RAW_CAP: usize = 1_024;
/// An account, a host or a source is no longer than this, in bytes.
const NAME_CAP: usize = 256;

/// The time of lines, and whether they show that they would show a login.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stretch {
    /// The earliest and the latest time.
    pub from_to: Option<(i64, i64)>,
    /// Whether anything in them shows that they would.
    pub shows_logins: bool,
}

impl Stretch {
    fn add(&mut self, at: i64) {
        let (from, to) = self.from_to.unwrap_or((at, at));
        self.from_to = Some((from.min(at), to.max(at)));
    }
}

/// Where a reader puts what it finds.
pub(in crate::audit::reconcile) struct Report<'a> {
    each: &'a mut dyn FnMut(Sighting) -> ControlFlow<()>,
    pub(super) stopped: bool,
    pub(super) whole: Stretch,
    pub(super) hosts: BTreeMap<String, Stretch>,
    pub(super) unreadable: u64,
    pub(super) first_unreadable: Vec<Unreadable>,
}

/// A login as a reader finds it.
pub(in crate::audit::reconcile) struct Found<'a> {
    pub(in crate::audit::reconcile) at: i64,
    pub(in crate::audit::reconcile) account: &'a str,
    pub(in crate::audit::reconcile) host: Option<&'a str>,
    pub(in crate::audit::reconcile) from: Option<&'a str>,
    pub(in crate::audit::reconcile) success: bool,
}

impl<'a> Report<'a> {
    /// Logins go to `each`; of lines of these machines it is kept what they cover.
    pub(super) fn to(each: &'a mut dyn FnMut(Sighting) -> ControlFlow<()>, hosts: &[&str]) -> Self {
        let hosts = hosts.iter().map(|host| (host.to_ascii_lowercase(), Stretch::default())).collect();
        let whole = Stretch::default();
        Report { each, stopped: false, whole, hosts, unreadable: 0, first_unreadable: Vec::new() }
    }
}

impl Report<'_> {
    /// A piece has this time, of that machine where it names one.
    pub(in crate::audit::reconcile) fn covers(&mut self, at: i64, host: Option<&str>) {
        self.whole.add(at);
        if let Some(stretch) = self.host(host) {
            stretch.add(at);
        }
    }

    /// A piece shows that logins are logged, by that machine where it names one.
    pub(in crate::audit::reconcile) fn shows_logins(&mut self, host: Option<&str>) {
        self.whole.shows_logins = true;
        if let Some(stretch) = self.host(host) {
            stretch.shows_logins = true;
        }
    }

    fn host(&mut self, host: Option<&str>) -> Option<&mut Stretch> {
        if self.hosts.is_empty() {
            return None;
        }
        self.hosts.get_mut(&host?.to_ascii_lowercase())
    }

    /// A login.
    pub(in crate::audit::reconcile) fn login(&mut self, line: u64, raw: &str, found: &Found<'_>) {
        self.told(line, raw, found, None);
    }

    /// A login with a credential that may be a minted one.
    pub(in crate::audit::reconcile) fn minted(
        &mut self,
        line: u64,
        raw: &str,
        found: &Found<'_>,
        trace: Trace,
    ) {
        self.told(line, raw, found, Some(trace));
    }

    /// A login, with what it shows of a minted credential.
    pub(in crate::audit::reconcile) fn told(
        &mut self,
        line: u64,
        raw: &str,
        found: &Found<'_>,
        trace: Option<Trace>,
    ) {
        // What is cut could become another account's name.
        if found.account.len() > NAME_CAP {
            return self.unreadable(line, "an account's name is longer than 256 bytes");
        }
        if trace.as_ref().is_some_and(|trace| trace.to_string().len() > RAW_CAP) {
            return self.unreadable(line, "what it says of a credential is longer than 1,024 bytes");
        }
        let text = |text: &str| shortened(text, NAME_CAP);
        let sighting = Sighting {
            line,
            at: found.at,
            account: found.account.to_owned(),
            host: found.host.map(text),
            from: found.from.filter(|from| !matches!(*from, "" | "-")).map(text),
            success: found.success,
            raw: shortened(raw, RAW_CAP),
            trace,
        };
        self.stopped |= (self.each)(sighting).is_break();
    }

    /// A line that cannot be read.
    pub(in crate::audit::reconcile) fn unreadable(&mut self, line: u64, why: impl Into<String>) {
        self.unreadable += 1;
        if self.first_unreadable.len() < MOST_UNREADABLE {
            self.first_unreadable.push(Unreadable { line, why: why.into() });
        }
    }
}

/// At most so many bytes of it, and never half a character.
fn shortened(text: &str, cap: usize) -> String {
    let end = (0..=cap.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].trim_end().to_owned()
}
