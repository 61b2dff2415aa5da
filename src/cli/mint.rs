//! `mint`: asks what is not given, shows the plan, has it confirmed, and hands out what was minted.

use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Outcome;
use super::args::{MintFor, MintSsh};
use super::desk::{Desk, date, hour, now};
use super::hint::Trouble;
use super::incident;
use super::why::Told;
use crate::kit::Kit;
use crate::kit::debts::quoted;
use crate::kit::policy::Role;
use crate::mint::ssh::{AgentAnswer, PublicLine, add_to_agent, agent_answer};
use crate::mint::{BACKDATED, SubjectKey};
use crate::minting::{self, Credential, Minted, Plan, Subject, Wish};
use crate::signing::Caution;

/// Most bytes of a file with a public key that are read.
const KEY_FILE: u64 = 64 * 1024;

/// Where an SSH certificate goes. Decided and tried before any PIN.
enum Output {
    /// To an agent, with the key that was made for it.
    Agent(UnixStream, SubjectKey),
    /// Into a folder; without a key, the certificate alone.
    Files(PathBuf, Option<SubjectKey>),
}

pub(super) fn ssh(desk: &mut Desk, options: MintSsh) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let (subject, output) = output(desk, &options)?;
    let named = match &output {
        Output::Agent(..) => "agent",
        Output::Files(..) => "files",
    };
    let mut readers = desk.readers(kit.kind());
    let key = desk.signing_key(&kit, readers.as_mut(), options.what.key)?;
    let wish = wish(desk, &kit, options.what, key, Subject::Ssh(subject), named)?;
    let plan = minting::plan(&kit, wish, now())?;
    desk.confirm(&describe(&kit, &plan), &plan.word())?;
    let output = made(output)?;
    let minted = desk.at_station(readers.as_mut(), |station| minting::carry_out(&mut kit, &plan, station))?;
    let handed = hand_out(&minted, output);
    tell(desk, &kit, &plan, &minted, handed)
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
        Some(path) => (public_line(path)?, None),
        None => {
            let key = SubjectKey::generate(desk.rng());
            (PublicLine::of(key.public()), Some(key))
        }
    };
    for name in ["id", "id-cert.pub", "config"] {
        if folder.join(name).symlink_metadata().is_ok() {
            let next = "take it away, or name another folder:  --out DIR";
            return Err(Trouble::refused(format!("{} is there already", folder.join(name).display()), next));
        }
    }
    Ok((line, Output::Files(folder.clone(), key)))
}

/// Makes the folder: a credential is not minted into the void.
fn made(output: Output) -> Result<Output, Trouble> {
    let Output::Files(folder, key) = output else { return Ok(output) };
    let wrong = |cause| Trouble::File { path: folder.clone(), cause };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(wrong)?;
    Ok(Output::Files(folder.canonicalize().map_err(wrong)?, key))
}

fn public_line(path: &Path) -> Result<PublicLine, Trouble> {
    let input = |cause| Trouble::Input { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(input)?;
    file.take(KEY_FILE).read_to_end(&mut bytes).map_err(input)?;
    PublicLine::parse(&bytes).map_err(|error| Trouble::Usage(format!("{}: {error}", path.display())))
}

fn wish(
    desk: &mut Desk,
    kit: &Kit,
    options: MintFor,
    key: crate::attestation::Serial,
    subject: Subject,
    output: &str,
) -> Result<Wish, Trouble> {
    let emergencies = kit.policy.mint_rule(&options.rule).map_or(&[][..], |rule| &rule.emergencies);
    let emergencies: Vec<&str> = emergencies.iter().map(|name| name.as_str()).collect();
    let operators = kit.policy.with_role(Role::Operator);
    let Told { emergency, incident, reason, operator } = options.why.asked(desk, &emergencies, &operators)?;
    Ok(Wish {
        emergency,
        incident,
        reason,
        operator,
        rule: options.rule,
        minutes: options.minutes,
        key,
        subject,
        output: output.to_owned(),
        accept_damage: options.accept_damage,
        accept_clock: options.accept_clock,
        caution: Caution { spend_last_try: options.spend_last_try, accept_gap: options.accept_gap },
    })
}

fn describe(kit: &Kit, plan: &Plan) -> String {
    let wish = &plan.wish;
    let until = now().saturating_add(i64::try_from(plan.seconds).unwrap_or(i64::MAX));
    let mut lines = vec![
        "plan".to_owned(),
        format!("  mint      {}, {}", plan.rule.name, plan.rule.says.kind().singular()),
        format!("  says      {}", plan.rule.says),
        format!(
            "  for       {}, {}, {}, until {}",
            wish.operator,
            wish.emergency,
            wish.incident,
            hour(until)
        ),
        format!("  because   {}", wish.reason),
        format!("  key       {}, slot {}", wish.key, plan.slot()),
        "  you do    1 PIN, 2 to 3 touches".to_owned(),
        format!(
            "  clock     {}; where a clock differs by more than {} minutes it is refused",
            date(now()),
            BACKDATED / 60
        ),
        format!("  records   written to {} before it is signed", kit.folder.journal().display()),
    ];
    for accepted in &plan.overrides {
        lines.push(format!("  accepted  {}: {}", accepted.rule, accepted.why));
    }
    lines.join("\n")
}

/// The files that were written, or none where an agent has it.
fn hand_out(minted: &Minted, output: Output) -> Result<Vec<PathBuf>, Trouble> {
    let Credential::Ssh(certificate) = &minted.credential else {
        unreachable!("an SSH certificate was asked for")
    };
    match output {
        Output::Agent(mut stream, key) => {
            // It forgets the key when the certificate ends.
            let seconds = minted.window.until().saturating_sub(u64::try_from(now()).unwrap_or(0));
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).max(1);
            let request = add_to_agent(certificate, &key, &minted.identity.text(), seconds);
            let failed = |cause| Trouble::File { path: "the ssh-agent".into(), cause };
            match asked(&mut stream, &request).map_err(failed)? {
                AgentAnswer::Taken => Ok(Vec::new()),
                AgentAnswer::Refused => Err(Trouble::refused(
                    "the ssh-agent does not take the certificate: it is locked, or knows none",
                    "mint it again into a folder:  --out DIR",
                )),
            }
        }
        Output::Files(folder, key) => {
            let mut files = Vec::new();
            let mut write = |name: &str, content: &[u8]| {
                let path = folder.join(name);
                let failed = |cause| Trouble::File { path: path.clone(), cause };
                let mut options = std::fs::OpenOptions::new();
                let mut file =
                    options.write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
                file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
                files.push(path);
                Ok::<(), Trouble>(())
            };
            if let Some(key) = &key {
                write("id", key.expose_pem().as_bytes())?;
            }
            write("id-cert.pub", certificate.line().as_bytes())?;
            if key.is_some() {
                write("config", config(&folder, minted).as_bytes())?;
            }
            Ok(files)
        }
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
    let folder = folder.display();
    format!(
        "# {}, until {}\nHost *\n    IdentityFile \"{folder}/id\"\n    CertificateFile \"{folder}/id-cert.pub\"\n    \
         IdentitiesOnly yes\n",
        minted.identity.incident,
        date(until)
    )
}

fn tell(
    desk: &mut Desk,
    kit: &Kit,
    plan: &Plan,
    minted: &Minted,
    handed: Result<Vec<PathBuf>, Trouble>,
) -> Result<Outcome, Trouble> {
    let Minted { number, window, identity, intent, outcome, head, .. } = minted;
    let (wish, until) = (&plan.wish, i64::try_from(window.until()).unwrap_or(i64::MAX));
    if let Err(cause) = outcome {
        desk.terminal.say(&format!("due: tell the auditor that the outcome could not be signed: {cause}"));
    }
    if let Err(cause) = head {
        let serial = wish.key;
        desk.terminal
            .say(&format!("note: key {serial} does not carry its last record: {cause}. the journal has it."));
    }
    let files = handed?;
    if desk.json {
        desk.json_result(&serde_json::json!({
            "kind": plan.rule.says.kind(), "rule": plan.rule.name.to_string(), "incident": wish.incident,
            "number": number, "key_id": identity.text(), "from": window.from(), "until": until, "key": wish.key,
            "intent": intent, "issued": outcome.as_ref().ok(), "files": files,
            "debts": incident::debts(kit, &wish.incident),
        }))?;
        return Ok(Outcome::Done);
    }
    let kind = plan.rule.says.kind().singular();
    desk.terminal.say(&format!("minted {}: {kind} {number}, good until {}.", plan.rule.name, date(until)));
    match &files[..] {
        [] => desk.terminal.say("the ssh-agent has it, and forgets it then. no private key is on a disk."),
        [one] => desk.terminal.say(&format!("bring it back to where the key is:  {}", one.display())),
        [.., last] => {
            desk.terminal.say(&format!("log in:  ssh -F {} HOST", quoted(&last.display().to_string())))
        }
    }
    desk.terminal.say(&format!("what hosts log of it:  {}", identity.text()));
    desk.terminal.say(&format!(
        "when you are done, end your sessions, then:  breakglass close {}",
        quoted(&wish.incident)
    ));
    incident::say_left(desk, kit, &wish.incident);
    Ok(Outcome::Done)
}
