//! Which account of which log is which credential.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::reading::Sighting;
use crate::kit::name::CredentialName;

/// Accounts that belong to credentials: from a map, a small TOML file of `[[account]]`, or by the rule that the account of
/// `platform/account` is called so on its platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Each account.
    #[serde(default)]
    account: Vec<Account>,
    /// Upper and lower case are the same where an account does not say otherwise.
    #[serde(skip)]
    ignore_case: bool,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// `platform/account`.
    credential: String,
    /// What logs call it. Without it, what stands after the slash.
    #[serde(default)]
    account: Option<String>,
    /// Only in the log of that name.
    #[serde(default)]
    log: Option<String>,
    /// Only on that machine, as the log names it.
    #[serde(default)]
    host: Option<String>,
    /// Upper and lower case differ, as they do on Unix and in PostgreSQL. Without it, as the format has it.
    #[serde(default)]
    case_sensitive: Option<bool>,
}

/// Why a map is none.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// Not such TOML.
    #[error("{0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// A name that no credential has.
    #[error(transparent)]
    Credential(#[from] crate::kit::name::NotACredentialName),
}

impl Accounts {
    /// From TOML.
    ///
    /// # Errors
    /// [`AccountsError`], with the line where it is known.
    pub fn parse(text: &str) -> Result<Self, AccountsError> {
        let accounts: Accounts = toml::from_str(text).map_err(Box::new)?;
        for account in &accounts.account {
            account.credential.parse::<CredentialName>()?;
        }
        Ok(accounts)
    }

    /// Adds a credential whose account is called as its name says.
    pub fn add(&mut self, credential: &CredentialName) {
        let credential = credential.to_string();
        self.account.push(Account { credential, account: None, log: None, host: None, case_sensitive: None });
    }

    /// Names are compared without case, as Windows and Entra do, but where the map says otherwise.
    pub fn ignore_case(&mut self) {
        self.ignore_case = true;
    }

    /// Whether no account is named at all.
    pub fn is_empty(&self) -> bool {
        self.account.is_empty()
    }

    /// The credentials that this log is about.
    pub fn of_log<'a>(&'a self, log: &'a str) -> impl Iterator<Item = &'a str> {
        let names: BTreeSet<&str> = self.in_log(log).map(|account| account.credential.as_str()).collect();
        names.into_iter()
    }

    /// The machines that accounts of this log are bound to.
    pub fn hosts<'a>(&'a self, log: &'a str) -> Vec<&'a str> {
        self.in_log(log).filter_map(|account| account.host.as_deref()).collect()
    }

    /// The logs that accounts are bound to.
    pub fn logs(&self) -> BTreeSet<&str> {
        self.account.iter().filter_map(|account| account.log.as_deref()).collect()
    }

    /// Where the accounts of each credential that this log is about are: on one machine each, or on any.
    pub(super) fn machines<'a>(&'a self, log: &'a str) -> BTreeMap<&'a str, BTreeSet<Option<&'a str>>> {
        let mut machines: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
        for account in self.in_log(log) {
            machines.entry(&account.credential).or_default().insert(account.host.as_deref());
        }
        machines
    }

    fn in_log<'a>(&'a self, log: &'a str) -> impl Iterator<Item = &'a Account> {
        self.account.iter().filter(move |account| account.log.as_deref().is_none_or(|name| name == log))
    }

    /// The credentials whose secret that login used.
    pub fn credentials<'a>(&'a self, log: &'a str, sighting: &'a Sighting) -> impl Iterator<Item = &'a str> {
        self.account
            .iter()
            .filter(move |account| account.is(log, sighting, self.ignore_case))
            .map(|account| account.credential.as_str())
    }
}

impl Account {
    fn is(&self, log: &str, sighting: &Sighting, ignore_case: bool) -> bool {
        let same = |ours: &str, theirs: &str| match self.case_sensitive.unwrap_or(!ignore_case) {
            true => ours == theirs,
            false => ours.to_lowercase() == theirs.to_lowercase(),
        };
        let platform_and_account = self.credential.split_once('/').map_or("", |(_, account)| account);
        let name = self.account.as_deref().unwrap_or(platform_and_account);
        let on_host = self.host.as_deref().is_none_or(|host| {
            sighting.host.as_deref().is_some_and(|theirs| host.eq_ignore_ascii_case(theirs))
        });
        self.log.as_deref().is_none_or(|name| name == log)
            && on_host
            && (same(name, &sighting.account) || same(name, local(name, &sighting.account)))
    }
}

/// The account without its domain, where our name has none: `admin` of `admin@example.org` or `EXAMPLE\admin`.
fn local<'a>(ours: &str, theirs: &'a str) -> &'a str {
    if ours.contains(['@', '\\']) {
        return theirs;
    }
    let theirs = theirs.rsplit_once('\\').map_or(theirs, |(_, name)| name);
    theirs.split_once('@').map_or(theirs, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(account: &str, host: Option<&str>) -> Sighting {
        Sighting {
            line: 1,
            at: 0,
            account: account.into(),
            host: host.map(Into::into),
            from: None,
            success: true,
            raw: String::new(),
            trace: None,
        }
    }

    fn names(accounts: &Accounts, log: &str, account: &str, host: Option<&str>) -> Vec<String> {
        accounts.credentials(log, &sighting(account, host)).map(str::to_owned).collect()
    }

    #[test]
    fn an_account_is_called_as_its_credential_says_or_as_the_map_says() {
        let accounts = Accounts::parse(
            "[[account]]\ncredential = \"core-fw/admin\"\nlog = \"fw\"\n\
             [[account]]\ncredential = \"db/root\"\naccount = \"postgres\"\nhost = \"db1\"\n\
             [[account]]\ncredential = \"entra/bg1\"\naccount = \"BG1@example.org\"\ncase_sensitive = false\n",
        )
        .unwrap();
        assert_eq!(names(&accounts, "fw", "admin", None), ["core-fw/admin"]);
        assert!(names(&accounts, "other", "admin", None).is_empty());
        assert!(names(&accounts, "fw", "Admin", None).is_empty());
        assert_eq!(names(&accounts, "x", "postgres", Some("DB1")), ["db/root"]);
        assert!(names(&accounts, "x", "postgres", None).is_empty());
        assert!(names(&accounts, "x", "root", Some("db1")).is_empty());
        assert_eq!(names(&accounts, "x", "bg1@EXAMPLE.org", None), ["entra/bg1"]);
        assert!(names(&accounts, "x", "bg1@example.com", None).is_empty());
        assert_eq!(accounts.of_log("fw").collect::<Vec<_>>(), ["core-fw/admin", "db/root", "entra/bg1"]);
        assert_eq!(accounts.of_log("x").count(), 2);
    }

    #[test]
    fn a_domain_counts_only_where_the_map_has_one() {
        let mut accounts = Accounts::default();
        accounts.add(&"ad/bg-admin".parse().unwrap());
        accounts.ignore_case();
        for account in ["bg-admin", "EXAMPLE\\BG-Admin", "bg-admin@example.org"] {
            assert_eq!(names(&accounts, "x", account, None), ["ad/bg-admin"], "{account}");
        }
        assert!(names(&accounts, "x", "bg-admin2", None).is_empty());
    }

    #[test]
    fn what_is_no_map_is_said_with_its_line() {
        let error = Accounts::parse("[[account]]\ncredential = \"a/b\"\ncolour = 1\n").unwrap_err();
        assert!(error.to_string().contains("line 3") && error.to_string().contains("colour"), "{error}");
        assert!(Accounts::parse("[[account]]\ncredential = \"../x\"\n").is_err());
    }
}
