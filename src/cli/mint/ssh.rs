//! `mint ssh`: a certificate for an agent, or as files.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::files::{Files, Room, free, input, though_minted};
use super::{Outcome, Particulars, confirmed, end, finish};
use crate::cli::args::MintSsh;
use crate::cli::desk::{Desk, date, now};
use crate::cli::hint::Trouble;
use crate::cli::records::codes;
use crate::kit::debts::quoted;
use crate::mint::SubjectKey;
use crate::mint::ssh::{AgentAnswer, PublicLine, Signed, add_to_agent, agent_answer};
use crate::minting::{self, Credential, Minted, Subject};

/// Bytes that each file takes at most: certificates and lines of a few hundred, and some paths.
const ROOM: usize = 8 * 1024;
const KEY: &str = "id";
const CERTIFICATE: &str = "id-cert.pub";
const CONFIG: &str = "config";

/// Where a certificate goes. Decided and tried before any PIN.
enum Output {
    /// To an agent, with the key that was made for it.
    Agent(UnixStream, SubjectKey),
    /// Into a folder; without a key, the certificate alone.
    Files(PathBuf, Option<SubjectKey>),
}

pub(crate) fn ssh(desk: &mut Desk, options: MintSsh) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let (subject, output) = output(desk, &options)?;
    let named = match &output {
        Output::Agent(..) => "agent",
        Output::Files(..) => "files",
    };
    let mut readers = desk.readers(kit.kind());
    let plan = confirmed(desk, &kit, readers.as_mut(), options.what, Subject::Ssh(subject), named)?;
    let mut files = made(&output)?;
    let minted = desk.at_station(readers.as_mut(), |station| minting::carry_out(&mut kit, &plan, station))?;
    let [Credential::Ssh(certificate)] = &minted.credentials[..] else {
        unreachable!("an SSH certificate was asked for")
    };
    let handed = match (output, &mut files) {
        (Output::Agent(stream, key), _) => to_agent(stream, &key, certificate, &minted),
        (Output::Files(..), None) => unreachable!("they were made"),
        (Output::Files(_, key), Some(files)) => {
            fill(files, key.as_ref(), certificate, &minted).map_err(though_minted)
        }
    };
    let (written, public) = match &mut files {
        Some(files) => (files.keep(), certificate.line()),
        None => (Vec::new(), String::new()),
    };
    let members = json!({
        "key_id": minted.identity.text(), "certificate": Some(&public).filter(|text| !text.is_empty()),
    });
    let told = Particulars::of_one(&plan, &minted, members, public);
    finish(desk, &kit, &plan, &minted, handed, &written, told)?;
    if !desk.json {
        match &written[..] {
            [] => {
                desk.terminal.say("the ssh-agent has it, and forgets it then. no private key is on a disk.")
            }
            [one] => desk.terminal.say(&format!("bring it back to where the key is:  {}", one.display())),
            [.., last] => {
                desk.terminal.say(&format!("log in:  ssh -F {} HOST", quoted(&last.display().to_string())));
            }
        }
        desk.terminal.say(&format!("what hosts log of it:  {}", minted.identity.text()));
        if options.qr {
            codes::show_plain(desk, certificate.line().trim_end().as_bytes(), CERTIFICATE);
        }
        end(desk, &kit, &plan.wish.incident);
    }
    Ok(Outcome::Done)
}

fn output(desk: &mut Desk, options: &MintSsh) -> Result<(PublicLine, Output), Trouble> {
    if options.agent {
        let socket = options.agent_socket.as_deref();
        let socket = socket.ok_or_else(|| {
            Trouble::refused("no ssh-agent is named", "eval \"$(ssh-agent)\", then again; or  --out DIR")
        })?;
        let stream =
            UnixStream::connect(socket).map_err(|cause| Trouble::Input { path: socket.to_owned(), cause })?;
        let key = SubjectKey::generate(desk.rng());
        return Ok((PublicLine::of(key.public()), Output::Agent(stream, key)));
    }
    let Some(folder) = &options.out else {
        return Err(Trouble::Usage("say where it goes: --agent, or --out DIR".into()));
    };
    let (line, key) = match &options.public_key {
        Some(path) => {
            let parsed = PublicLine::parse(&input(path)?);
            (parsed.map_err(|error| Trouble::Usage(format!("{}: {error}", path.display())))?, None)
        }
        None => {
            let key = SubjectKey::generate(desk.rng());
            (PublicLine::of(key.public()), Some(key))
        }
    };
    free(folder, &[KEY, CERTIFICATE, CONFIG])?;
    Ok((line, Output::Files(folder.clone(), key)))
}

/// A credential is not minted into the void.
fn made(output: &Output) -> Result<Option<Files>, Trouble> {
    const ALL: [Room; 3] = [(KEY, ROOM), (CERTIFICATE, ROOM), (CONFIG, ROOM)];
    match output {
        Output::Agent(..) => Ok(None),
        Output::Files(folder, None) => Files::make(folder, &ALL[1..2]).map(Some),
        Output::Files(folder, Some(key)) => {
            let mut files = Files::make(folder, &ALL)?;
            files.fill(KEY, key.expose_pem().as_bytes())?;
            Ok(Some(files))
        }
    }
}

fn fill(
    files: &mut Files,
    key: Option<&SubjectKey>,
    certificate: &Signed,
    minted: &Minted,
) -> Result<(), Trouble> {
    files.fill(CERTIFICATE, certificate.line().as_bytes())?;
    match key {
        Some(_) => files.fill(CONFIG, config(files.folder(), minted).as_bytes()),
        None => Ok(()),
    }
}

fn to_agent(
    mut stream: UnixStream,
    key: &SubjectKey,
    certificate: &Signed,
    minted: &Minted,
) -> Result<(), Trouble> {
    // It forgets the key when the certificate ends.
    let seconds = minted.window.until().saturating_sub(u64::try_from(now()).unwrap_or(0));
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).max(1);
    let request = add_to_agent(certificate, key, &minted.identity.text(), seconds);
    match asked(&mut stream, &request) {
        Ok(AgentAnswer::Taken) => Ok(()),
        Ok(AgentAnswer::Refused) => Err(Trouble::NotTaken { why: "it is locked, or knows none".into() }),
        Err(cause) => Err(Trouble::NotTaken { why: cause.to_string() }),
    }
}

/// An agent answers at once; one that does not is no agent.
fn asked(stream: &mut UnixStream, request: &[u8]) -> std::io::Result<AgentAnswer> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request)?;
    let (mut answer, mut more) = (Vec::new(), [0; 256]);
    loop {
        let count = stream.read(&mut more)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&more[..count]);
        if let Some(answer) = agent_answer(&answer) {
            return Ok(answer);
        }
    }
}

fn config(folder: &Path, minted: &Minted) -> String {
    let until = i64::try_from(minted.window.until()).unwrap_or(i64::MAX);
    let [key, certificate] = [KEY, CERTIFICATE].map(|name| word(&folder.join(name)));
    format!(
        "# {}, until {}\nHost *\n    IdentityFile {key}\n    CertificateFile {certificate}\n    IdentitiesOnly yes\n",
        minted.identity.incident,
        date(until)
    )
}

/// A path as ssh_config(5) takes it: one word, in which nothing stands for something else.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%"))
}
