//! nginx's access log in the form that is exported with the rest (`log_format breakglass`): who came with a client
//! certificate, and which.

use super::clock::{Clock, iso};
use super::reading::{Found, Reader, Report};
use super::trace::Trace;

/// `ADDRESS [TIME] "REQUEST" STATUS verify=RESULT serial=NUMBER dn="NAME"`. nginx writes a quote within a value as `\x22`, so
/// what a stranger sends ends no value.
pub(super) struct Access;

struct Line<'a> {
    from: &'a str,
    time: &'a str,
    verified: bool,
    serial: &'a str,
    name: &'a str,
}

fn line(text: &str) -> Option<Line<'_>> {
    let (from, rest) = text.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    let (_request, rest) = rest.split_once("\" ")?;
    let (_status, rest) = rest.split_once(" verify=")?;
    let (result, rest) = rest.split_once(" serial=")?;
    let (serial, rest) = rest.split_once(" dn=\"")?;
    let (name, _) = rest.split_once('"')?;
    Some(Line { from, time, verified: result == "SUCCESS", serial, name })
}

impl Reader for Access {
    fn piece(&mut self, number: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        let text = String::from_utf8_lossy(bytes);
        let Some(line) = line(&text) else {
            return report.unreadable(number, "no line of  log_format breakglass");
        };
        let at = iso(line.time).ok_or_else(|| "no time".to_owned()).and_then(|stamp| clock.at(&stamp));
        let at = match at {
            Ok(at) => at,
            Err(why) => return report.unreadable(number, why),
        };
        report.covers(at, None);
        report.shows_logins(None); // each request is a line, and says what came with it
        if line.serial.is_empty() || line.serial == "-" {
            return; // without a certificate
        }
        let trace = Trace::X509 { number: line.serial.to_owned(), name: line.name.to_owned() };
        let found = Found { at, account: "", host: None, from: Some(line.from), success: line.verified };
        report.minted(number, &text, &found, trace);
    }
}
