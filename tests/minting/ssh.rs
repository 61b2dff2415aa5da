//! SSH certificates of a virtual YubiKey over real PC/SC, at a real sshd with what is exported: who is let in, and who is not.

use std::path::{Path, PathBuf};
use std::process::Output;

use breakglass::kit::Kit;
use breakglass::kit::folder::Folder;
use breakglass::mint::ssh::Revoked;
use breakglass::record::chain::Depth;

use super::pcsc::Settings;
use super::real::{KEYS, Life, ONE, PROGRAM, Said, admit, complete, pin_line, pin_pipe, provision};
use super::sshd::{self, Agent, Sshd};
use super::tools::debian;
use super::{RULES, authority, minting, recorded, ssh_with};

/// What may be minted besides: good from elsewhere alone, and as somebody whom the host does not list.
const MORE: &str = r#"
[[mint]]
name = "elsewhere"
kind = "ssh"
principals = ["breakglass"]
sources = ["192.0.2.0/24"]

[[mint]]
name = "others"
kind = "ssh"
principals = ["db"]
"#;

/// A kit of one virtual YubiKey that mints.
struct Real(Life);

impl Real {
    fn new() -> Self {
        let life = Life::blank(&Settings::usual(&KEYS[..1]));
        life.run(&["init", "--name", "DC1 emergency kit"], &[]).done();
        complete(&life.kit(), &life.world);
        let toml = life.kit().join("kit.toml");
        let text = std::fs::read_to_string(&toml).expect("kit.toml");
        std::fs::write(&toml, text.replace("# mints = ", "mints = ") + RULES + MORE).expect("kit.toml");
        provision(&life, ONE, &[]).done();
        admit(&life, ONE, ONE).done();
        Real(life)
    }

    fn kit(&self) -> Kit {
        Kit::read(Folder::at(&self.0.kit(), None), Depth::Every).expect("the kit")
    }

    /// Mints into the folder `name`; answers the configuration for ssh.
    fn mint(&self, rule: &str, name: &str) -> PathBuf {
        let (out, word) = (self.0.path(name).display().to_string(), format!("mint {rule}"));
        let words = [&minting(rule)[..], &["--out", &out, "--confirm", &word]].concat();
        self.0.run(&words, &[pin_line(ONE)]).done();
        self.0.path(name).join("config")
    }

    /// The same by a clock that is so much ahead or behind.
    fn mint_at(&self, offset: &str, name: &str) -> PathBuf {
        let out = self.0.path(name).display().to_string();
        let slow = ["--out", &out, "--confirm", "mint jump-hosts", "--accept-clock", "its battery is flat"];
        let words = [&minting("jump-hosts")[..], &slow].concat();
        let (lines, number) = pin_pipe(&[pin_line(ONE)]);
        let number = number.to_string();
        let faketime = debian("faketime", "faketime").display().to_string();
        // Monotonic time goes on as it is: the reader's service and the program agree on it.
        let before =
            ["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", &faketime, "-f", offset];
        let all = [&["--pin-fd", &number][..], &words].concat();
        let mut command = self.0.command_by(&[&before[..], &[PROGRAM]].concat(), &all);
        Said::new(&words, command.output().expect("it runs")).done();
        drop(lines);
        self.0.path(name).join("config")
    }

    /// The number of what was minted last.
    fn number(&self) -> String {
        recorded(&self.kit()).0.last().expect("an intent").1.numbers[0].clone()
    }
}

fn is_in(sshd: &Sshd, config: &Path, answer: &str) {
    let out = ssh_with(sshd, config);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && text == answer, "{}\n{}", sshd::said(&out), sshd.log());
}

fn is_out(sshd: &Sshd, config: &Path, why: &str) -> Output {
    let before = sshd.log().len();
    let out = ssh_with(sshd, config);
    assert!(!out.status.success(), "{why}: {}", sshd::said(&out));
    let log = sshd.log();
    assert!(log[before..].contains(why), "{why} is not in\n{}", &log[before..]);
    out
}

#[test]
fn sshd_lets_in_who_got_a_certificate_of_a_virtual_yubikey_and_nobody_else() {
    let real = Real::new();
    let _ = real.0.pins_sent();
    let out = real.0.path("good").display().to_string();
    let words = [&minting("jump-hosts")[..], &["--out", &out, "--confirm", "mint jump-hosts"]].concat();
    let said = real.0.run(&words, &[pin_line(ONE)]).done();
    let said = said.says(&["signed and on disk", "touch 4000001", "to mint it with 83", "minted jump-hosts"]);
    assert_eq!(real.0.pins_sent(), [3], "to sign the intent, to mint, to sign the outcome: {said}");
    let (good, number) = (real.0.path("good").join("config"), real.number());
    let ca = authority(&real.kit(), ONE);
    let sshd = Sshd::start(&ca, None);
    is_in(&sshd, &good, "in\n");
    assert!(sshd.log().contains(&format!("rec=4000001/{}", recorded(&real.kit()).0[0].0)), "{}", sshd.log());
    is_in(&sshd, &real.mint("look", "forced"), "looked\n");
    is_out(&sshd, &real.mint("elsewhere", "elsewhere"), "not from a permitted");
    is_out(&sshd, &real.mint("others", "others"), "does not contain an authorized principal");
    // The host trusts the key for another account.
    let other = Sshd::start(&ca, Some("breakglass"));
    is_out(&other, &good, "Failed publickey");

    // A clock that is off by less than five minutes locks nobody out; by more, it does.
    is_in(&sshd, &real.mint_at("-4m", "slow"), "in\n");
    is_in(&sshd, &real.mint_at("+4m", "fast"), "in\n");
    is_out(&sshd, &real.mint_at("-20m", "past"), "expired");

    // By its number, by its key id; then by what is exported once it was taken back.
    let none = Revoked { authority: ca, serials: vec![], identities: vec![], altogether: false };
    sshd.revoke(&[Revoked { serials: vec![number.parse().expect("a number")], ..none.clone() }]);
    is_out(&sshd, &good, "revoked by file");
    is_in(&sshd, &real.0.path("forced").join("config"), "looked\n");
    let key_id = format!("bg|inc=INC-4711|op=ada|rec=4000001/{}", recorded(&real.kit()).0[0].0);
    sshd.revoke(&[Revoked { identities: vec![key_id], ..none }]);
    is_out(&sshd, &good, "revoked by file");
    sshd.revoke(&[]);
    is_in(&sshd, &good, "in\n");
    let lists = real.0.path("lists").display().to_string();
    let (why, word) = (["--why", "the laptop was left behind"], format!("revoke {number}"));
    let words = [&["revoke", &number, "--out", &lists, "--confirm", &word][..], &why].concat();
    real.0.run(&words, &[pin_line(ONE)]).done();
    std::fs::copy(real.0.path("lists/ssh/breakglass.krl"), sshd.folder.path().join("breakglass.krl"))
        .expect("a copy");
    is_out(&sshd, &good, "revoked by file");
    is_in(&sshd, &real.0.path("forced").join("config"), "looked\n");
    is_out(&sshd, &real.mint_at("+20m", "future"), "not yet valid");
    real.0.run(&["records", "verify"], &[]).done();
}

#[test]
fn an_agent_gets_what_a_virtual_yubikey_minted_and_forgets_it() {
    let real = Real::new();
    let (sshd, agent) = (Sshd::start(&authority(&real.kit(), ONE), None), Agent::start());
    let socket = agent.socket().display().to_string();
    let to = ["--agent", "--agent-socket", &socket, "--minutes", "1", "--confirm", "mint look"];
    real.0.run(&[&minting("look")[..], &to].concat(), &[pin_line(ONE)]).done();
    let login = sshd::run(sshd.ssh(&[]).env("SSH_AUTH_SOCK", agent.socket()));
    assert_eq!(String::from_utf8_lossy(&login.stdout), "looked\n", "{}", sshd.log());
    std::thread::sleep(std::time::Duration::from_secs(61));
    assert!(agent.list().contains("no identities"), "{}", agent.list());
}
