//! `mint assertion`: client assertions for an authorisation server that is up, several at once, each good for one try.

use std::path::PathBuf;

use serde_json::json;

use super::files::{Files, Room, free, though_minted};
use super::holder::holder;
use super::token::{CURL, KEY};
use super::{Outcome, Particulars, confirmed, end, finish};
use crate::cli::args::{Holder, MintAssertion};
use crate::cli::desk::{Desk, date};
use crate::cli::hint::Trouble;
use crate::cli::records::codes;
use crate::kit::debts::quoted;
use crate::kit::policy::Says;
use crate::mint::Label;
use crate::minting::{self, Credential, Minted, Plan, Subject};

/// Bytes that each file takes at most: names and URIs of the policy have limits.
const ROOM: usize = 8 * 1024;
const NAMES: [&str; 10] = [
    "assertion-1",
    "assertion-2",
    "assertion-3",
    "assertion-4",
    "assertion-5",
    "assertion-6",
    "assertion-7",
    "assertion-8",
    "assertion-9",
    "assertion-10",
];

pub(crate) fn assertion(desk: &mut Desk, options: MintAssertion) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let names = &NAMES[..options.count.into()];
    let (binding, own) = holder(desk, &Holder { jwk: options.jwk, ..Holder::default() })?;
    let mut rooms: Vec<Room> = names.iter().map(|name| (*name, ROOM)).collect();
    rooms.push((CURL, ROOM));
    rooms.extend(own.is_some().then_some((KEY, ROOM)));
    free(&options.out, &[&NAMES[..], &[CURL, KEY]].concat())?;
    let mut readers = desk.readers(kit.kind());
    let subject = Subject::Assertions { proof: binding.thumbprint(), count: options.count };
    let plan = confirmed(desk, &kit, readers.as_mut(), options.what, subject, "files")?;
    let mut files = Files::make(&options.out, &rooms)?;
    if let Some(own) = &own {
        files.fill(KEY, own.expose_pem().as_bytes())?;
    }
    let minted = desk.at_station(readers.as_mut(), |station| minting::carry_out(&mut kit, &plan, station))?;
    let handed = fill(&mut files, &plan, &minted).map_err(though_minted);
    let written = kept(&mut files, names, minted.credentials.len());
    finish(desk, &kit, &plan, &minted, handed, &written, particulars(&plan, &minted))?;
    if !desk.json {
        let script = quoted(&files.folder().join(CURL).display().to_string());
        desk.terminal.say(&match own {
            Some(_) => format!("use each once:  sh {script} 1"),
            None => format!("bring them and  {script}  to where the key is; there:  sh curl.sh 1"),
        });
        if options.qr {
            let until = date(i64::try_from(minted.window.until()).unwrap_or(i64::MAX));
            for (name, text) in names.iter().zip(texts(&minted)) {
                codes::show_plain(desk, text.as_bytes(), &format!("{name}, good until {until}"));
            }
        }
        end(desk, &kit, &plan.wish.incident);
    }
    match minted.cut_short {
        Some(error) => Err(error.into()),
        None => Ok(Outcome::Done),
    }
}

fn texts(minted: &Minted) -> impl Iterator<Item = &str> {
    minted.credentials.iter().map(|credential| match credential {
        Credential::Token(text) => text.as_str(),
        Credential::Ssh(_) | Credential::X509(_) => unreachable!("assertions were asked for"),
    })
}

/// Those that were signed, without a line end, as curl sends them; and how to ask for a token with them.
fn fill(files: &mut Files, plan: &Plan, minted: &Minted) -> Result<(), Trouble> {
    for (name, text) in NAMES.iter().zip(texts(minted)) {
        files.fill(name, text.as_bytes())?;
    }
    files.fill(CURL, curl(plan, minted).as_bytes())
}

/// Keeps the files but those of assertions that were not signed.
fn kept(files: &mut Files, names: &[&str], signed: usize) -> Vec<PathBuf> {
    let mut all = files.keep();
    for name in &names[signed..] {
        let path = files.folder().join(name);
        // One that stays is empty lines, which no server takes.
        let _ = std::fs::remove_file(&path);
        all.retain(|file| *file != path);
    }
    all
}

fn particulars(plan: &Plan, minted: &Minted) -> Particulars {
    let texts: Vec<&str> = texts(minted).collect();
    let kind = plan.rule.says.kind();
    let what = match (texts.len(), minted.numbers.len()) {
        (1, 1) => kind.singular().to_owned(),
        (signed, wanted) if signed == wanted => format!("{wanted} {}", kind.plural()),
        (signed, wanted) => format!("{signed} of {wanted} {}; the record names all {wanted}", kind.plural()),
    };
    let members = json!({
        "numbers": minted.numbers, "assertions": texts,
        "failed": minted.cut_short.as_ref().map(ToString::to_string),
    });
    Particulars { what, members, public: texts.iter().map(|text| format!("{text}\n")).collect() }
}

/// For a shell. It finds its files by its own place, so that they may be carried to where the key is.
fn curl(plan: &Plan, minted: &Minted) -> String {
    let Says::Assertion { endpoint, scopes, .. } = &plan.rule.says else {
        unreachable!("the plan was made for assertions")
    };
    let (incident, endpoint) = (&minted.identity.incident, quoted(endpoint.as_str()));
    let until = date(i64::try_from(minted.window.until()).unwrap_or(i64::MAX));
    let scopes: Vec<&str> = scopes.iter().map(Label::as_str).collect();
    let scope = match &scopes[..] {
        [] => String::new(),
        scopes => format!(" --data-urlencode 'scope={}'", scopes.join(" ")),
    };
    format!(
        r#"#!/bin/sh
# {incident}, until {until}:  sh curl.sh N [what else curl is to know]
# N is the number of an assertion. Each is good once; a try that fails uses it up.
# {KEY} lies beside it where it was made here; else put the assertions and this to where it is.
here=$(dirname "$0") assertion=assertion-${{1:?sh curl.sh N}}
shift
proof=$(breakglass token proof --key "$here/{KEY}" --method POST --url {endpoint}) || exit
exec curl -sS -H "DPoP: $proof" --data-urlencode grant_type=client_credentials{scope} \
    --data-urlencode client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
    --data-urlencode client_assertion@- "$@" {endpoint} < "$here/$assertion"
"#
    )
}
