//! Sign-ins of Microsoft Entra ID: the `signIn` resource of Microsoft Graph 1.0 (`/auditLogs/signIns`, the portal's JSON
//! download), and the same within Azure Monitor's records (`category` `SignInLogs`, facts in `properties`).
//! (<https://learn.microsoft.com/en-us/graph/api/resources/signin>)

use serde::Deserialize;

use super::clock::{Clock, iso};
use super::reading::{Found, Reader, Report};

/// Entra sign-ins.
pub(super) struct Entra;

#[derive(Deserialize)]
struct SignIn {
    #[serde(rename = "createdDateTime", alias = "time")]
    created: Option<String>,
    #[serde(rename = "userPrincipalName")]
    account: Option<String>,
    #[serde(rename = "ipAddress", alias = "callerIpAddress")]
    from: Option<String>,
    status: Option<Status>,
    properties: Option<Box<SignIn>>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(rename = "errorCode")]
    code: i64,
}

impl Reader for Entra {
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        let outer = match serde_json::from_slice::<SignIn>(bytes) {
            Ok(sign_in) => sign_in,
            Err(error) => return report.unreadable(line, format!("no sign-in: {error}")),
        };
        let SignIn { created, account, from, status, properties } = outer;
        let inner = properties.map(|inner| *inner);
        let (inner_created, inner_account, inner_from, inner_status) = match inner {
            Some(inner) => (inner.created, inner.account, inner.from, inner.status),
            None => (None, None, None, None),
        };
        let created = inner_created.or(created);
        let at = match created.as_deref().and_then(iso).map(|stamp| clock.at(&stamp)) {
            Some(Ok(at)) => at,
            Some(Err(why)) => return report.unreadable(line, why),
            None => return report.unreadable(line, "a sign-in without createdDateTime"),
        };
        report.covers(at, None);
        report.shows_logins(None); // there is nothing else in such a log
        // A managed identity or a service has no such name.
        let Some(account) = inner_account.or(account).filter(|account| !account.is_empty()) else { return };
        let Some(status) = inner_status.or(status) else {
            return report.unreadable(line, "a sign-in without status.errorCode");
        };
        let from = inner_from.or(from);
        let found =
            Found { at, account: &account, host: None, from: from.as_deref(), success: status.code == 0 };
        report.login(line, &String::from_utf8_lossy(bytes), &found);
    }
}
