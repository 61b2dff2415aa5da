//! Windows security events that tell of logins: 4624 (logged on), 4625 (failed), 4648 (with explicit credentials), and of a
//! domain controller 4768 (a Kerberos ticket), 4771 (refused), 4776 (NTLM).
//! (<https://learn.microsoft.com/en-us/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/event-4624>
//! and beside it.)

use super::clock::Clock;
use super::reading::{Found, Report};

mod csv;
mod json;
mod message;

pub(super) use csv::{Csv, DELIMITERS};
pub(super) use json::Json;

/// What the fields of an event say, whatever form they came in.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Facts {
    name: Option<String>,
    domain: Option<String>,
    from: Option<String>,
    workstation: Option<String>,
    status: Option<String>,
}

impl Facts {
    /// A field by its name in EventData.
    fn set(&mut self, name: &str, value: &str) {
        let field = match name {
            "TargetUserName" => &mut self.name,
            "TargetDomainName" => &mut self.domain,
            "IpAddress" => &mut self.from,
            "WorkstationName" | "Workstation" => &mut self.workstation,
            "Status" => &mut self.status,
            _ => return,
        };
        if !matches!(value.trim(), "" | "-") {
            *field = Some(value.trim().to_owned());
        }
    }

    fn is_empty(&self) -> bool {
        *self == Facts::default()
    }
}

/// Whether it tells of a login.
fn is_login(id: u64) -> bool {
    matches!(id, 4624 | 4625 | 4648 | 4768 | 4771 | 4776)
}

/// An event at a time, on a machine. `what` it is of: the line, and its text.
fn take(what: (u64, &str), id: u64, at: i64, host: Option<&str>, facts: &Facts, report: &mut Report<'_>) {
    report.covers(at, host);
    if !is_login(id) {
        return;
    }
    report.shows_logins(host);
    let Some(name) = &facts.name else {
        return report.unreadable(what.0, format!("event {id} without the name of its account"));
    };
    let account = match &facts.domain {
        Some(domain) if !name.contains('@') => format!("{domain}\\{name}"),
        _ => name.clone(),
    };
    let good = facts.status.as_deref().is_some_and(|status| matches!(status, "0x0" | "0x00000000" | "0"));
    let success = match id {
        // Whoever makes a 4648 has something for this account, and only the target's log says whether it was let in.
        4624 | 4648 => true,
        4768 | 4776 => good,
        _ => false,
    };
    let from = facts.from.as_deref().map(|from| from.strip_prefix("::ffff:").unwrap_or(from));
    let from = from.or(facts.workstation.as_deref());
    report.login(what.0, what.1, &Found { at, account: &account, host, from, success });
}

/// A time as Windows and what reads it write it: RFC 3339, `/Date(…)/`, or as a culture does. A date with slashes that does not
/// begin with its year has the day or the month first, and nothing in it says which: AM and PM do not, many cultures have them.
fn when(text: &str, format: Option<&str>, clock: &mut Clock) -> Result<i64, String> {
    // Newer .NET puts a narrow no-break space before AM and PM.
    let text = text.replace(['\u{202F}', '\u{A0}'], " ");
    if let Some(millis) = text.strip_prefix("/Date(") {
        let digits = millis.split([')', '+']).next().unwrap_or(millis);
        return super::clock::unix(digits, true).ok_or_else(|| "no number in /Date(…)/".to_owned());
    }
    if let Some(format) = format {
        return super::clock::strptime(clock, format, &text);
    }
    if let Some(stamp) = super::clock::iso(&text) {
        return clock.at(&stamp);
    }
    let upper = text.to_uppercase();
    let halves = upper.ends_with("AM") || upper.ends_with("PM");
    let year_first = upper.split_once('/').is_some_and(|(year, _)| year.len() == 4);
    let form = match () {
        () if year_first && halves => "%Y/%m/%d %I:%M:%S %p",
        () if year_first => "%Y/%m/%d %H:%M:%S",
        () if text.contains('.') && !text.contains('/') => "%d.%m.%Y %H:%M:%S",
        () => {
            let (brief, time) =
                (super::reading::brief(&text), if halves { "%I:%M:%S %p" } else { "%H:%M:%S" });
            return Err(format!(
                "{brief:?} may have day or month first: say which, as --time-format '%m/%d/%Y {time}' or '%d/%m/%Y {time}'"
            ));
        }
    };
    super::clock::strptime(clock, form, &upper)
}
