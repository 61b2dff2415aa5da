//! A PostgreSQL server of the test's own: started by it, as a user without rights, gone with it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

/// The password that the server asks for over TCP.
pub(crate) const PASSWORD: &str = "s3cret-of-the-server";

pub(crate) struct Server {
    folder: PathBuf,
    /// Loopback port.
    pub(crate) port: u16,
    databases: AtomicU32,
    child: Child,
    /// As long as this is open the server runs: when the test ends, however it ends, so does the server.
    alive: Option<ChildStdin>,
}

/// A program of the server.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| panic!("{name} is not there:  apt-get install postgresql"))
}

/// As root: as nobody. Otherwise as whoever runs the test.
fn unprivileged(command: &mut Command) -> &mut Command {
    match rustix::process::getuid().is_root() {
        true => command.uid(NOBODY).gid(NOBODY),
        false => command,
    }
}

fn give(path: &Path) {
    if rustix::process::getuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give files away");
    }
}

/// The certificate and the private key of a server that speaks TLS, PEM, and who may certify clients.
pub(crate) struct Tls {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) clients: Option<String>,
}

impl Server {
    /// Starts one and waits until it answers. With TLS it answers over TCP to nothing else.
    pub(crate) fn start(tls: Option<&Tls>) -> Self {
        Server::start_with(tls, "")
    }

    /// The same with further lines of `postgresql.conf`.
    pub(crate) fn start_with(tls: Option<&Tls>, more: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("bg-pg-{}-{number}", std::process::id()));
        fs::create_dir(&folder).expect("a new folder");
        give(&folder);
        let data = folder.join("data");
        let password = folder.join("password");
        fs::write(&password, PASSWORD).expect("writes");
        give(&password);
        let mut initdb = Command::new(program("initdb"));
        initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--username=ada", "--encoding=UTF8"]);
        initdb.args(["--no-sync", "--locale=C.UTF-8", "--pwfile"]).arg(&password).arg("--pgdata").arg(&data);
        let made = unprivileged(&mut initdb).current_dir(&folder).output().expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
        let mut settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nlogging_collector = off\n{more}\n",
            folder.display()
        );
        if let Some(tls) = tls {
            let file = |name: &str, text: &str| {
                let path = data.join(name);
                fs::write(&path, text).expect("writes");
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("sets the mode");
                give(&path);
            };
            file("server.pem", &tls.certificate);
            file("server.key", &tls.key);
            settings += "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n";
            let mut access = "local all all trust\n".to_owned();
            match &tls.clients {
                None => access += "hostssl all all 127.0.0.1/32 scram-sha-256\n",
                Some(issuer) => {
                    file("clients.pem", issuer);
                    settings += "ssl_ca_file = 'clients.pem'\n";
                    access += "hostssl all all 127.0.0.1/32 cert\n";
                }
            }
            fs::write(data.join("pg_hba.conf"), access).expect("writes");
        }
        let mut file = File::options().append(true).open(data.join("postgresql.conf")).expect("its settings");
        file.write_all(settings.as_bytes()).expect("writes");
        // The shell ends the server and takes its folder away when nobody holds the other end of its input any more.
        let mut shell = Command::new("/bin/sh");
        shell.args([
            "-c",
            "\"$1\" -D \"$2/data\" >\"$2/log\" 2>&1 & read -r _; kill -INT $!; wait $!; cd /; rm -rf \"$2\"",
            "sh",
        ]);
        shell.arg(program("postgres")).arg(&folder).stdin(Stdio::piped()).current_dir(&folder);
        let mut child = unprivileged(&mut shell).spawn().expect("a shell");
        let alive = child.stdin.take();
        let server = Server { folder, port, databases: AtomicU32::new(0), child, alive };
        server.wait();
        server
    }

    fn wait(&self) {
        let begun = Instant::now();
        while !self.psql("postgres", "SELECT 1").is_ok_and(|answer| answer == "1\n") {
            let mut log = String::new();
            let _ = File::open(self.folder.join("log")).and_then(|mut file| file.read_to_string(&mut log));
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs SQL as PostgreSQL's own client, over the socket.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = Command::new(program("psql"));
        psql.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-U", "ada", "-d", database, "-c", sql]);
        psql.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
        let out = psql.output().expect("psql runs");
        match out.status.success() {
            true => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    }

    /// The name of a new, empty database.
    pub(crate) fn database(&self) -> String {
        let name = format!("records{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}")).expect("a database");
        name
    }

    /// The URL of that database over the socket.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://ada@/{database}?host={}&port={}", self.folder.display(), self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.child.wait();
    }
}
