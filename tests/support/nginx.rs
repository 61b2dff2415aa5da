//! nginx that asks for client certificates, with settings that are exported, for whoever runs the test.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::sshd::{run, said, secret};
use crate::tools::debian;

/// A server that answers `in` to whoever it lets in.
pub(crate) struct Nginx {
    /// Where its files are: what the settings name must be there before it starts.
    pub(crate) folder: tempfile::TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl Nginx {
    /// With a log format named `breakglass`, and those lines in its server block.
    pub(crate) fn start(folder: tempfile::TempDir, log_format: &str, block: &str) -> Self {
        let at = folder.path();
        let files = at.display().to_string();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
        fs::write(at.join("server.pem"), made.cert.pem()).expect("writes");
        secret(&at.join("server.key"), made.signing_key.serialize_pem());
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("    {kind}_temp_path {files}/{kind};\n"))
            .collect();
        let settings = format!(
            "worker_processes 1;\npid {files}/pid;\nerror_log {files}/error;\nevents {{}}\nhttp {{\n{paths}{log_format}\
             server {{\n    listen 127.0.0.1:{port} ssl;\n    access_log {files}/access breakglass;\n\
             ssl_certificate {files}/server.pem;\n    ssl_certificate_key {files}/server.key;\n{block}\
             location / {{ return 200 \"in\\n\"; }}\n}}\n}}\n",
        );
        fs::write(at.join("config"), settings).expect("writes");
        let child = Command::new(debian("nginx", "nginx-light"))
            .args(["-p", &files, "-e", &format!("{files}/error"), "-g", "daemon off;", "-c", "config"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let nginx = Nginx { folder, port, child };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = read(&nginx.folder.path().join("error"));
            assert!(begun.elapsed() < Duration::from_secs(30), "nginx does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        nginx
    }

    /// Body and status, as curl gets them with a certificate and its key.
    pub(crate) fn get(&self, own: Option<(&Path, &Path)>) -> String {
        let mut curl = Command::new(debian("curl", "curl"));
        curl.args(["-sk", "-w", "%{http_code}", &self.url()]);
        if let Some((certificate, key)) = own {
            curl.arg("--cert").arg(certificate).arg("--key").arg(key);
        }
        said(&run(&mut curl))
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}/", self.port)
    }

    /// Insists that it logged this of somebody who came; it does so after it has answered.
    #[track_caller]
    pub(crate) fn logged(&self, what: &str) {
        let begun = Instant::now();
        loop {
            let log = read(&self.folder.path().join("access"));
            if log.contains(what) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "not logged: {what}\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it only if it may end by itself.
        let _ = run(Command::new("kill").arg("-TERM").arg(self.child.id().to_string()));
        let _ = self.child.wait();
    }
}
