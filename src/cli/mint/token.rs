//! `mint token`: an access token for a resource server while the authorisation server is down. There is none that works for
//! its bearer.

use serde_json::json;

use super::files::{Files, Room, free, though_minted};
use super::holder::holder;
use super::{Outcome, Particulars, confirmed, end, finish};
use crate::cli::args::MintToken;
use crate::cli::desk::{Desk, date};
use crate::cli::hint::Trouble;
use crate::cli::records::codes;
use crate::kit::debts::quoted;
use crate::mint::jwt::Binding;
use crate::minting::{self, Credential, Minted, Subject};

/// Bytes that each file takes at most: names and URIs of the policy have limits.
const ROOM: usize = 8 * 1024;
pub(super) const KEY: &str = "key.pem";
pub(super) const CURL: &str = "curl.sh";
const TOKEN: &str = "token";

pub(crate) fn token(desk: &mut Desk, options: MintToken) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let (binding, own) = holder(desk, &options.holder)?;
    let mut rooms: Vec<Room> = vec![(TOKEN, ROOM)];
    rooms.extend(matches!(binding, Binding::Proof(_)).then_some((CURL, ROOM)));
    rooms.extend(own.is_some().then_some((KEY, ROOM)));
    free(&options.out, &[TOKEN, CURL, KEY])?;
    let mut readers = desk.readers(kit.kind());
    let plan = confirmed(desk, &kit, readers.as_mut(), options.what, Subject::Token(binding), "files")?;
    let mut files = Files::make(&options.out, &rooms)?;
    if let Some(own) = &own {
        files.fill(KEY, own.expose_pem().as_bytes())?;
    }
    let minted = desk.at_station(readers.as_mut(), |station| minting::carry_out(&mut kit, &plan, station))?;
    let [Credential::Token(text)] = &minted.credentials[..] else { unreachable!("a token was asked for") };
    let handed = fill(&mut files, &minted, text, binding).map_err(though_minted);
    let written = files.keep();
    let subject = minted.identity.subject();
    let members = json!({ "subject": subject, "token": text });
    let told = Particulars::of_one(&plan, &minted, members, format!("{text}\n"));
    finish(desk, &kit, &plan, &minted, handed, &written, told)?;
    if desk.json {
        return Ok(Outcome::Done);
    }
    let path = |name: &str| quoted(&files.folder().join(name).display().to_string());
    desk.terminal.say(&match (&options.holder.certificate, &own) {
        (Some(certificate), _) => format!(
            "use it:  curl --cert {} --key KEY -H \"Authorization: Bearer $(cat {})\" URL",
            quoted(&certificate.display().to_string()),
            path(TOKEN)
        ),
        (None, Some(_)) => format!("use it:  sh {} GET URL", path(CURL)),
        (None, None) => {
            format!(
                "bring  {}  and  {}  to where the key is; there:  sh curl.sh GET URL",
                path(TOKEN),
                path(CURL)
            )
        }
    });
    desk.terminal.say(&format!("what servers see of it:  {subject}"));
    if options.qr {
        let until = date(i64::try_from(minted.window.until()).unwrap_or(i64::MAX));
        codes::show_plain(desk, text.as_bytes(), &format!("the token, good until {until}"));
    }
    end(desk, &kit, &plan.wish.incident);
    Ok(Outcome::Done)
}

fn fill(files: &mut Files, minted: &Minted, text: &str, binding: Binding) -> Result<(), Trouble> {
    files.fill(TOKEN, format!("{text}\n").as_bytes())?;
    match binding {
        Binding::Proof(_) => files.fill(CURL, curl(minted).as_bytes()),
        Binding::Certificate(_) => Ok(()),
    }
}

/// For a shell. It finds its files by its own place, so that they may be carried to where the key is.
fn curl(minted: &Minted) -> String {
    let incident = &minted.identity.incident;
    let until = date(i64::try_from(minted.window.until()).unwrap_or(i64::MAX));
    format!(
        r#"#!/bin/sh
# {incident}, until {until}:  sh curl.sh METHOD URL [what else curl is to know]
# {KEY} lies beside it where it was made here; else put {TOKEN} and this to where it is.
usage='sh curl.sh METHOD URL'
method=${{1:?$usage}} url=${{2:?$usage}} here=$(dirname "$0")
shift 2
proof=$(breakglass token proof --key "$here/{KEY}" --token "$here/{TOKEN}" --method "$method" --url "$url") || exit
exec curl -sS -X "$method" -H "Authorization: DPoP $(cat "$here/{TOKEN}")" -H "DPoP: $proof" "$@" "$url"
"#
    )
}
