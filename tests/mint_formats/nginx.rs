//! nginx with the settings that are exported lets in whom it should, and its log leads to the record.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use breakglass::mint::x509::{self, RevokedCertificate, Signed};
use breakglass::mint::{SubjectKey, Window, trust};

use super::sshd::{run, said, secret};
use super::tools::debian;
use super::{authority, client, holder, minting_key, now, sign, window};

struct Nginx {
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Nginx {
    fn start(own: &Signed, revoked: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let files = at.display().to_string();
        fs::write(at.join("breakglass_ca.pem"), own.pem()).expect("writes");
        fs::write(at.join("breakglass_crl.pem"), revoked).expect("writes");
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
            "worker_processes 1;\npid {files}/pid;\nerror_log {files}/error;\nevents {{}}\nhttp {{\n{paths}{}\
             server {{\n    listen 127.0.0.1:{port} ssl;\n    access_log {files}/access breakglass;\n\
             ssl_certificate {files}/server.pem;\n    ssl_certificate_key {files}/server.key;\n{}\
             location / {{ return 200 \"in\\n\"; }}\n}}\n}}\n",
            trust::NGINX_LOG,
            trust::nginx_block(&files),
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

    /// Status and body.
    fn get(&self, certificate: Option<(&Signed, &SubjectKey)>) -> String {
        let mut curl = Command::new(debian("curl", "curl"));
        curl.args(["-sk", "-w", "%{http_code}", &format!("https://127.0.0.1:{}/", self.port)]);
        if let Some((certificate, key)) = certificate {
            let (file, private) = (self.folder.path().join("c.pem"), self.folder.path().join("c.key"));
            fs::write(&file, certificate.pem()).expect("writes");
            secret(&private, key.expose_pem().as_bytes());
            curl.arg("--cert").arg(file).arg("--key").arg(private);
        }
        said(&run(&mut curl))
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

#[test]
fn nginx_lets_in_who_holds_a_certificate_and_nobody_else() {
    let (ca, key) = (minting_key(5), holder());
    let (authority, own) = authority(&ca);
    let mint =
        |record, window| sign(client(&key, record, window).prepare(&authority).expect("a request"), &ca);
    let (good, revoked) = (mint(1, window()), mint(2, window()));
    let entry = RevokedCertificate { serial: revoked.serial().to_vec(), since: now() - 1 };
    let list = sign(x509::revocation_list(&own, &[entry], 1, now() - 10, None).expect("a list"), &ca);
    let nginx = Nginx::start(&own, &list);
    assert_eq!(nginx.get(Some((&good, &key))), "in\n200");
    for (refused, why) in [
        (Some(&revoked), "certificate revoked"),
        (Some(&mint(3, Window::new(now() - 100, 50, 0).expect("a window"))), "certificate has expired"),
        (None, "NONE"),
    ] {
        assert!(nginx.get(refused.map(|certificate| (certificate, &key))).ends_with("400"), "{why}");
        let log = read(&nginx.folder.path().join("access"));
        assert!(log.contains(why), "{why}: {log}");
    }
    let [upper, ..] = x509::names_of_serial(good.serial());
    let dn = "dn=\"CN=breakglass-dba,OU=INC-4711,O=breakglass:cluster-admins\"";
    let log = read(&nginx.folder.path().join("access"));
    assert!(log.contains(&format!("verify=SUCCESS serial={upper} {dn}")), "{log}");
}
