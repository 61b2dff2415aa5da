//! `postgres://…`: whom to speak to, how, and what of it may be shown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::postgres::config::{Host, SslMode};
use ::postgres::{Client, Config, NoTls};

use super::super::LedgerError;
use super::{Fault, tls};

/// How long a server may take to answer at all.
const CONNECT: Duration = Duration::from_secs(20);

/// Where a ledger is.
pub(super) struct Address {
    /// To be shown: without a password.
    pub(super) name: String,
    config: Config,
    tls: Option<tls::Files>,
}

/// The name of a ledger as it may be shown: a path as it is, a URL without its password and options.
pub fn shown(name: &str) -> String {
    match is_url(name) {
        true => Address::parse(name).map_or_else(|_| "postgres://…".into(), |address| address.name),
        false => name.into(),
    }
}

/// Whether a ledger is a PostgreSQL database, by its name.
pub(in crate::audit::ledger) fn is_url(name: &str) -> bool {
    name.starts_with("postgres://") || name.starts_with("postgresql://")
}

impl Address {
    /// Reads the URL. `sslmode`, `sslrootcert`, `sslcert`, `sslkey` and `passfile` mean what they mean to libpq; but where
    /// nothing is said and the server is not behind a socket in a folder, `sslmode` is `verify-full`.
    pub(super) fn parse(url: &str) -> Result<Self, LedgerError> {
        // What the parser says could repeat a part of the URL, and that could be the password.
        let unreadable = || refused("postgres://…", "the URL cannot be read");
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut root, mut certificate, mut key, mut passwords) = (None, None, None, None, None);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (option, value) = pair.split_once('=').ok_or_else(unreadable)?;
            let text = decoded(value).ok_or_else(unreadable)?;
            match option {
                "sslmode" => mode = Some(text),
                "sslrootcert" => root = Some(PathBuf::from(text)),
                "sslcert" => certificate = Some(PathBuf::from(text)),
                "sslkey" => key = Some(PathBuf::from(text)),
                "passfile" => passwords = Some(PathBuf::from(text)),
                _ => rest.push(pair),
            }
        }
        let mut config: Config = format!("{base}?{}", rest.join("&")).parse().map_err(|_| unreadable())?;
        let name = name(&config);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        config.application_name("breakglass-audit");
        if let Some(path) = passwords {
            let password = password(&config, &path)
                .map_err(|error| refused(&name, &format!("{}: {error}", path.display())))?;
            if let Some(password) = password {
                config.password(password);
            }
        }
        let socket = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        let mode = mode.unwrap_or_else(|| if socket { "disable" } else { "verify-full" }.into());
        let check = match mode.as_str() {
            "disable" => None,
            "require" if root.is_none() => Some(tls::Check::Nothing),
            "require" | "verify-ca" => Some(tls::Check::Issuer),
            "verify-full" => Some(tls::Check::Name),
            _ => {
                let known = "known are disable, require, verify-ca, verify-full";
                return Err(refused(&name, &format!("sslmode {mode:?} promises nothing; {known}")));
            }
        };
        config.ssl_mode(if check.is_some() { SslMode::Require } else { SslMode::Disable });
        let tls = check.map(|check| tls::Files { check, root, certificate, key });
        Ok(Address { name, config, tls })
    }

    /// Speaks to the server.
    pub(super) fn connect(&self) -> Result<Client, LedgerError> {
        let connected = match &self.tls {
            None => self.config.connect(NoTls),
            Some(files) => {
                let tls = files.connector().map_err(|text| refused(&self.name, &text))?;
                self.config.connect(tls)
            }
        };
        connected.map_err(|error| Fault::from(error).of(&self.name))
    }
}

fn refused(name: &str, text: &str) -> LedgerError {
    LedgerError::NotALedger { ledger: name.into(), text: text.into() }
}

/// User, hosts and database.
fn name(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = config.get_ports().get(at).or(config.get_ports().first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(folder) => format!("{}:{port}", folder.display()),
        }
    });
    let hosts: Vec<String> = hosts.collect();
    let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    format!("postgres://{user}{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

/// The password that a file in libpq's form has for this server: lines of `host:port:database:user:password`, of which
/// the first four may be `*`, with a backslash before `:` and `\`.
fn password(config: &Config, path: &Path) -> std::io::Result<Option<String>> {
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        _ => "localhost".into(),
    };
    let user = config.get_user().unwrap_or_default();
    let asked = [host.as_str(), port.as_str(), config.get_dbname().unwrap_or(user), user];
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path)?);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = vec![String::new()];
        let mut characters = line.chars();
        while let Some(c) = characters.next() {
            match c {
                ':' if fields.len() < 5 => fields.push(String::new()),
                '\\' => fields.last_mut().expect("never empty").extend(characters.next()),
                c => fields.last_mut().expect("never empty").push(c),
            }
        }
        let fits = fields.len() == 5
            && fields.iter().zip(asked).all(|(field, asked)| field == "*" || field == asked);
        if fits {
            return Ok(fields.pop());
        }
    }
    Ok(None)
}

/// RFC 3986 section 2.1.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                hex::decode(digits).ok()?[0]
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://ada:s3cret@db.example.org/records?sslmode=disable",
            "postgresql://ada:s3cret@db.example.org:5432/records",
            "postgres://ada@db.example.org/records?password=s3cret",
        ] {
            assert_eq!(shown(url), "postgres://ada@db.example.org:5432/records");
        }
        for url in [
            "postgres://ada:s3cret@[db/records",
            "postgres://ada:x?s3cret@db/records",
            "postgres://ada@db/records?s3cret=%",
            "postgres://ada@db:s3cret/records",
        ] {
            let error = Address::parse(url).err().expect("unreadable");
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
            assert_eq!(shown(url), "postgres://…");
        }
    }

    #[test]
    fn a_server_elsewhere_must_prove_its_name_unless_told_otherwise() {
        let check = |url: &str| Address::parse(url).map(|address| address.tls.map(|files| files.check));
        assert!(matches!(check("postgres://db.example.org/r"), Ok(Some(tls::Check::Name))));
        assert!(matches!(check("postgres://db/r?sslmode=require"), Ok(Some(tls::Check::Nothing))));
        assert!(matches!(
            check("postgres://db/r?sslmode=require&sslrootcert=ca.pem"),
            Ok(Some(tls::Check::Issuer))
        ));
        assert!(matches!(check("postgres://db/r?sslmode=verify-ca"), Ok(Some(tls::Check::Issuer))));
        assert!(matches!(check("postgres://db/r?sslmode=disable"), Ok(None)));
        assert!(matches!(check("postgres:///r?host=/run/postgresql"), Ok(None)));
        for mode in ["prefer", "allow", "", "VERIFY-FULL"] {
            let refused = check(&format!("postgres://db/r?sslmode={mode}"));
            assert!(matches!(refused, Err(LedgerError::NotALedger { .. })), "{mode}");
        }
    }

    #[test]
    fn the_file_of_passwords_is_read_as_libpq_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pass");
        let lines =
            "# comment\nother:*:*:*:wrong\n*:5433:*:*:port\ndb:*:records:ada:s3\\:cr\\\\et\n*:*:*:*:last\n";
        std::fs::write(&path, lines).expect("writes");
        let found = |url: &str| password(&url.parse().expect("a URL"), &path).expect("reads");
        assert_eq!(found("postgres://ada@db/records").as_deref(), Some("s3:cr\\et"));
        assert_eq!(found("postgres://ada@db:5433/records").as_deref(), Some("port"));
        assert_eq!(found("postgres://bob@db/records").as_deref(), Some("last"));
    }
}
