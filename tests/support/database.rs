//! PostgreSQL that asks for client certificates, with settings that are exported, and somebody who connects.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::postgres::{Server, Tls};
use crate::sshd::run;
use crate::tools::debian;

/// A database with the roles `breakglass` and `other`.
pub(crate) struct Database {
    pub(crate) server: Server,
    /// What the settings name.
    pub(crate) folder: tempfile::TempDir,
}

impl Database {
    /// With those lines in `pg_hba.conf`, `pg_ident.conf` and `postgresql.conf`; what they name lies in the folder already.
    pub(crate) fn start(folder: tempfile::TempDir, access: &str, names: &str, settings: &str) -> Self {
        let at = folder.path();
        // The server runs as somebody without rights.
        fs::set_permissions(at, fs::Permissions::from_mode(0o755)).expect("its mode");
        let files = at.display().to_string();
        fs::write(at.join("hba"), format!("local all all trust\n{access}")).expect("writes");
        fs::write(at.join("ident"), names).expect("writes");
        let settings = format!("hba_file = '{files}/hba'\nident_file = '{files}/ident'\n{settings}");
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
        let tls = Tls { certificate: made.cert.pem(), key: made.signing_key.serialize_pem(), clients: None };
        let server = Server::start_with(Some(&tls), &settings);
        server.psql("postgres", "CREATE ROLE breakglass LOGIN; CREATE ROLE other LOGIN").expect("roles");
        Database { server, folder }
    }

    /// Asks the server how it knows who asks.
    pub(crate) fn connect(&self, role: &str, own: Option<(&Path, &Path)>) -> Output {
        let mut psql = self.client();
        let none = self.folder.path().join("none");
        let (certificate, key) = own.unwrap_or((&none, &none));
        psql.env("PGUSER", role).env("PGSSLMODE", "require");
        run(psql.env("PGSSLCERT", certificate).env("PGSSLKEY", key))
    }

    /// The same by a service file, as whom it says.
    pub(crate) fn connect_by(&self, service_file: &Path, service: &str, role: &str) -> Output {
        let mut psql = self.client();
        run(psql.env("PGSERVICEFILE", service_file).env("PGSERVICE", service).env("PGUSER", role))
    }

    fn client(&self) -> Command {
        let mut psql = Command::new(debian("psql", "postgresql-client"));
        let question = "SELECT client_dn, client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        psql.args(["-X", "-t", "-A", "-c", question]);
        psql.env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.server.port.to_string())
            .env("PGDATABASE", "postgres");
        psql
    }
}
