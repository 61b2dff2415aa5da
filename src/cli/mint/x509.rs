//! `mint x509`: a client certificate, with what PostgreSQL, curl, kubectl and AWS want beside it.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::files::{Files, Room, free, input, though_minted};
use super::{Outcome, Particulars, confirmed, end, finish};
use crate::cli::args::MintX509;
use crate::cli::desk::Desk;
use crate::cli::hint::Trouble;
use crate::cli::records::codes;
use crate::kit::debts::quoted;
use crate::kit::policy::Says;
use crate::mint::SubjectKey;
use crate::mint::x509::{self, Signed, SigningRequest};
use crate::minting::{self, Credential, Minted, Plan, Subject};

/// Bytes that each file takes at most: a key, two certificates, and some paths.
const ROOM: usize = 16 * 1024;
const KEY: &str = "key.pem";
const CERTIFICATE: &str = "certificate.pem";
const AUTHORITY: &str = "ca.pem";
const CREDENTIAL: &str = "exec-credential.json";
const KUBECONFIG: &str = "kubeconfig";
const SERVICE: &str = "pg_service.conf";
const PROFILE: &str = "aws_config";

/// What goes back across a gap comes first: it is public.
const ALL: [Room; 7] = [
    (CERTIFICATE, ROOM),
    (AUTHORITY, ROOM),
    (KEY, ROOM),
    (CREDENTIAL, ROOM),
    (KUBECONFIG, ROOM),
    (SERVICE, ROOM),
    (PROFILE, ROOM),
];

pub(crate) fn x509(desk: &mut Desk, options: MintX509) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let (subject, own) = subject(desk, options.request.as_deref())?;
    let rooms = if own.is_some() { &ALL[..] } else { &ALL[..2] };
    free(&options.out, &rooms.iter().map(|(name, _)| *name).collect::<Vec<_>>())?;
    let mut readers = desk.readers(kit.kind());
    let plan = confirmed(desk, &kit, readers.as_mut(), options.what, subject, "files")?;
    let mut files = Files::make(&options.out, rooms)?;
    if let Some(own) = &own {
        files.fill(KEY, own.expose_pem().as_bytes())?;
    }
    let minted = desk.at_station(readers.as_mut(), |station| minting::carry_out(&mut kit, &plan, station))?;
    let [Credential::X509(certificate)] = &minted.credentials[..] else {
        unreachable!("a client certificate was asked for")
    };
    let authority = plan.certified.as_ref().map(|certified| certified.certificate.pem()).unwrap_or_default();
    let chain = certificate.pem() + &authority;
    let handed = fill(&mut files, &chain, &authority, own.as_ref(), certificate, &minted);
    let handed = handed.map_err(though_minted);
    let written = files.keep();
    let members = json!({ "key_id": minted.identity.text(), "certificate": chain });
    let told = Particulars::of_one(&plan, &minted, members, chain);
    finish(desk, &kit, &plan, &minted, handed, &written, told)?;
    if !desk.json {
        match own {
            Some(_) => say_uses(desk, files.folder()),
            None => say_back(desk, &written),
        }
        say_logged(desk, &plan, certificate);
        if options.qr {
            // Alone: that of its authority is everywhere already, and both would be a code that few terminals show.
            codes::show_plain(desk, certificate.pem().trim_end().as_bytes(), CERTIFICATE);
        }
        end(desk, &kit, &plan.wish.incident);
    }
    Ok(Outcome::Done)
}

/// The key that is certified: of a request that came across a gap, else one that is made here.
fn subject(desk: &mut Desk, request: Option<&Path>) -> Result<(Subject, Option<SubjectKey>), Trouble> {
    let Some(path) = request else {
        let key = SubjectKey::generate(desk.rng());
        return Ok((Subject::X509(*key.public()), Some(key)));
    };
    let request = SigningRequest::parse(&input(path)?);
    let request = request.map_err(|error| Trouble::Usage(format!("{}: {error}", path.display())))?;
    Ok((Subject::X509(*request.key()), None))
}

fn fill(
    files: &mut Files,
    chain: &str,
    authority: &str,
    own: Option<&SubjectKey>,
    certificate: &Signed,
    minted: &Minted,
) -> Result<(), Trouble> {
    files.fill(CERTIFICATE, chain.as_bytes())?;
    files.fill(AUTHORITY, authority.as_bytes())?;
    let Some(own) = own else { return Ok(()) };
    let folder = files.folder().display().to_string();
    let credential = x509::exec_credential("v1", certificate, own, minted.window);
    files.fill(CREDENTIAL, credential.as_bytes())?;
    files.fill(KUBECONFIG, x509::kubeconfig(&folder).as_bytes())?;
    files.fill(SERVICE, x509::postgres_service(&folder).as_bytes())?;
    files.fill(PROFILE, x509::aws_profile(&folder).as_bytes())
}

fn say_uses(desk: &mut Desk, folder: &Path) {
    let at = |name: &str| quoted(&folder.join(name).display().to_string());
    let psql = format!(
        "PGSERVICEFILE={} psql 'service=breakglass host=HOST dbname=DATABASE user=ROLE'",
        at(SERVICE)
    );
    let kubectl = format!("KUBECONFIG=~/.kube/config:{} kubectl --user breakglass get nodes", at(KUBECONFIG));
    let aws = format!("AWS_CONFIG_FILE={} aws --profile breakglass …, with your ARNs in it", at(PROFILE));
    let curl = x509::curl_line(&folder.display().to_string());
    for (what, line) in [("PostgreSQL", psql), ("HTTPS", curl), ("Kubernetes", kubectl), ("AWS", aws)] {
        desk.terminal.say(&format!("{what:<11}{line}"));
    }
}

fn say_back(desk: &mut Desk, written: &[PathBuf]) {
    let files: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    desk.terminal.say(&format!("bring back to where the key is:  {}", files.join("  ")));
    desk.terminal.say("there:  curl --cert certificate.pem --key YOUR-KEY https://HOST/");
}

/// As platforms name it in their logs.
fn say_logged(desk: &mut Desk, plan: &Plan, certificate: &Signed) {
    if let Says::X509 { user, groups, .. } = &plan.rule.says {
        let groups: String = groups.iter().rev().map(|group| format!(",O={group}")).collect();
        desk.terminal.say(&format!("what servers log of it:  CN={user},OU={}{groups}", plan.wish.incident));
    }
    let [nginx, _, postgres] = x509::names_of_serial(certificate.serial());
    desk.terminal.say(&format!("its serial number:  {nginx} (nginx)  {postgres} (PostgreSQL)"));
}
