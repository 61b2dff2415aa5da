//! `practice start`: a whole practice kit to rehearse in. It is made by the verbs that make a real one, with their questions
//! answered beforehand; what is so told is no secret, because nothing real is ever sealed in it.

use std::path::Path;

use crate::attestation::Serial;
use crate::cli::Outcome;
use crate::cli::args::{Admit, Init, LastTry, Provision, Seal, Source, TrustAuthority};
use crate::cli::desk::Desk;
use crate::cli::hint::Trouble;
use crate::cli::{admit, init, provision, seal, trust};
use crate::device::practice::{Counting, Profile};
use crate::kit::debts::quoted;
use crate::kit::name::CredentialName;
use crate::kit::policy::MintRule;

/// The PIN of every key that is made here.
const PIN: &str = "48151623";
const PUK: &str = "97531864";

const NAME: &str = "practice kit";

/// Serial number, place and bag of each key.
const KEYS: [(u32, &str, &str); 3] =
    [(23112, "safe A", "0417"), (23115, "safe B", "0418"), (30877, "safe C", "0102")];

/// What is sealed: name, how many keys open it, user, where to log in, what to do then.
const CREDENTIALS: [(&str, u8, &str, &str, &str); 2] = [
    (
        "core-db/root",
        2,
        "postgres",
        "psql -h db1 -U postgres",
        "1 stop the connection pool\n2 repair\n3 close\n",
    ),
    ("core-fw/admin", 1, "admin", "serial console of fw1", "1 log in\n2 repair\n3 close\n"),
];

/// What its keys mint, for a kit.toml.
const MINTS: &str = r#"
[[mint]]
name = "jump-hosts"
kind = "ssh"
principals = ["breakglass"]
terminal = true

[[mint]]
name = "cluster"
kind = "x509"
user = "breakglass"
groups = ["breakglass:cluster-admins"]

[[mint]]
name = "payments"
kind = "token"
issuer = "urn:example:breakglass"
resource = "https://api.example.org/payments"
client = "breakglass"
scopes = ["payments.stop"]

[[mint]]
name = "log-in"
kind = "assertion"
client = "breakglass"
server = "https://login.example.org"
token-endpoint = "https://login.example.org/token"
scopes = ["payments.stop"]
"#;

pub(in crate::cli) fn start(desk: &mut Desk, folder: &Path) -> Result<Outcome, Trouble> {
    let failed = |cause| Trouble::File { path: folder.to_owned(), cause };
    match std::fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(Trouble::refused(
                    format!("{} is not empty", folder.display()),
                    "name a new folder:  breakglass practice start DIR",
                ));
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    desk.terminal.say("PRACTICE: simulated keys, no real secrets");
    desk.terminal.say("making three practice keys, and sealing two credentials to them …");
    begin(folder)?;
    for key in KEYS {
        enrol(folder, Serial(key.0))?;
    }
    for key in KEYS {
        certify(folder, Serial(key.0))?;
    }
    for credential in CREDENTIALS {
        sealed(folder, credential)?;
    }
    tell(desk, folder)?;
    Ok(Outcome::Done)
}

fn begin(folder: &Path) -> Result<(), Trouble> {
    let failed = |cause| Trouble::File { path: folder.join("kit.toml"), cause };
    let mut desk = Desk::scripted(folder, "", None)?;
    init::init(&mut desk, &Init { name: NAME.into(), practice: true })?;
    let path = folder.join("kit.toml");
    let mut text = std::fs::read_to_string(&path).map_err(failed)?;
    for (serial, place, bag) in KEYS {
        text += &format!("\n[[key]]\nserial = {serial}\nplace = {place:?}\nbag = {bag:?}\npuk = \"ada\"\n");
    }
    for platform in ["core-db", "core-fw"] {
        text += &format!("\n[[platform]]\nname = {platform:?}\nbackup-waived = \"practice\"\n");
    }
    // Who opened cannot review, and a key is moved by two.
    for (name, roles) in [("bob", "\"operator\""), ("dana", "\"auditor\"")] {
        text += &format!("\n[[person]]\nname = {name:?}\nroles = [{roles}]\n");
    }
    text = text.replace("# mints = ", "mints = ") + MINTS;
    std::fs::write(&path, text).map_err(failed)
}

/// A practice key from blank to admitted. The first founds the kit; a later one is admitted by as many as must sign.
fn enrol(folder: &Path, serial: Serial) -> Result<(), Trouble> {
    let blank = Desk::scripted(folder, "", None)?;
    blank.practice_keys().create_counting(serial, Profile::Firmware574, Some(Counting::Exact))?;
    let new = format!("{serial} new-pin {PIN}\n{serial} new-puk {PUK}\n");
    let mut desk = Desk::scripted(folder, &new, Some(serial.to_string()))?;
    let blank = Provision { serial: Some(serial), overwrite: None, overrides: Vec::new() };
    provision::provision(&mut desk, blank)?;
    for (signer, ..) in KEYS {
        let signer = Serial(signer);
        let standing = |desk: &Desk| -> Result<_, Trouble> {
            let kit = desk.look()?;
            Ok((kit.roster.is_some(), kit.enrolled(serial).map(|key| key.standing)))
        };
        let (founded, belongs) = standing(&desk)?;
        if belongs == Some(crate::kit::roster::Standing::Admitted) {
            break;
        }
        let word = if founded { format!("admit {serial}") } else { format!("found {serial}") };
        let mut desk = Desk::scripted(folder, &format!("{signer} pin {PIN}\n"), Some(word))?;
        admit::admit(&mut desk, &Admit { serial, with: Some(signer), caution: LastTry::default() })?;
    }
    Ok(())
}

/// Makes a key an authority for client certificates: before that it mints none.
fn certify(folder: &Path, serial: Serial) -> Result<(), Trouble> {
    let word = format!("authority {serial}");
    let mut desk = Desk::scripted(folder, &format!("{serial} pin {PIN}\n"), Some(word))?;
    trust::make_authority(&mut desk, &TrustAuthority { key: Some(serial), caution: LastTry::default() })?;
    Ok(())
}

fn sealed(
    folder: &Path,
    (name, threshold, user, login, runbook): (&str, u8, &str, &str, &str),
) -> Result<(), Trouble> {
    let credential: CredentialName =
        name.parse().map_err(|_| Trouble::Usage(format!("{name} is no name")))?;
    let (signer, ..) = KEYS[0];
    let word = format!("seal {}", credential.platform);
    let mut desk = Desk::scripted(folder, &format!("{signer} pin {PIN}\n"), Some(word))?;
    // The verb reads it from a file.
    let written = folder.join(format!("{}.txt", credential.platform));
    let failed = |cause| Trouble::File { path: written.clone(), cause };
    std::fs::write(&written, runbook).map_err(failed)?;
    let order = Seal {
        credential,
        source: Source { from: None, generate: Some(20) },
        threshold,
        to: Vec::new(),
        user: user.into(),
        login: login.into(),
        runbook: Some(written.clone()),
        factors: Vec::new(),
        with: Some(Serial(signer)),
        labels: None,
        caution: LastTry::default(),
    };
    seal::seal(&mut desk, order)?;
    std::fs::remove_file(&written).map_err(failed)
}

fn tell(desk: &mut Desk, folder: &Path) -> Result<(), Trouble> {
    let kit = Desk::scripted(folder, "", None)?.look()?;
    let words = kit.words().unwrap_or_default();
    let shown = folder.display().to_string();
    let serials: Vec<String> = KEYS.iter().map(|key| key.0.to_string()).collect();
    let rules = |told: fn(&MintRule) -> String| kit.policy.mint_rules.iter().map(told).collect::<Vec<_>>();
    if desk.json {
        return desk.json_result(&serde_json::json!({
            "kit": folder, "words": words, "keys": KEYS.map(|key| key.0), "pin": PIN,
            "credentials": CREDENTIALS.map(|one| one.0), "mints": rules(|rule| rule.name.to_string()),
        }));
    }
    let sealed: Vec<String> =
        CREDENTIALS.iter().map(|(name, k, ..)| format!("{name} ({k} of {})", KEYS.len())).collect();
    desk.terminal.say(&format!("{shown} is ready to rehearse in.   words  {words}"));
    desk.terminal
        .say(&format!("keys      {}, plugged in; they are touched when they ask", serials.join(", ")));
    desk.terminal.say(&format!("PIN       {PIN}, of each of them"));
    desk.terminal.say(&format!("sealed    {}", sealed.join(", ")));
    let mints = rules(|rule| format!("{} ({})", rule.name, rule.says.kind().singular()));
    desk.terminal.say(&format!("mints     {}", mints.join(", ")));
    desk.terminal.say("you are   ada");
    desk.terminal.say(&format!("to be led through it:  breakglass --kit {}", quoted(&shown)));
    Ok(())
}
