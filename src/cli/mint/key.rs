//! `mint key`: on the machine that will use a credential, the key that it will be for. The private half stays there; what
//! crosses to the other machine is public, in the form that each kind of credential asks for. Needs no kit.

use super::Outcome;
use super::files::{Files, Room, free};
use crate::cli::args::MintKey;
use crate::cli::desk::Desk;
use crate::cli::hint::Trouble;
use crate::cli::records::codes;
use crate::mint::jwt::{PublicJwk, thumbprint};
use crate::mint::ssh::PublicLine;
use crate::mint::{SubjectKey, x509};

/// Bytes that each file takes at most.
const ROOM: usize = 2 * 1024;
const ALL: [Room; 4] = [("key.pem", ROOM), ("public.jwk", ROOM), ("id.pub", ROOM), ("request.csr", ROOM)];

pub(crate) fn key(desk: &mut Desk, options: &MintKey) -> Result<Outcome, Trouble> {
    let key = SubjectKey::generate(desk.rng());
    let jwk = PublicJwk::of(key.public()).line();
    let ssh = PublicLine::of(key.public()).line();
    let csr = x509::request(&key).map_err(crate::minting::MintingError::from)?;
    let thumbprint = thumbprint(key.public());
    free(&options.out, &ALL.map(|(name, _)| name))?;
    let mut files = Files::make(&options.out, &ALL)?;
    files.fill("key.pem", key.expose_pem().as_bytes())?;
    files.fill("public.jwk", format!("{jwk}\n").as_bytes())?;
    files.fill("id.pub", ssh.as_bytes())?;
    files.fill("request.csr", csr.as_bytes())?;
    let files = files.keep();
    if desk.json {
        desk.json_result(&serde_json::json!({
            "files": files, "thumbprint": thumbprint, "jwk": jwk, "ssh": ssh.trim_end(),
        }))?;
        return Ok(Outcome::Done);
    }
    let [private, for_tokens, for_ssh, for_x509] = &files[..] else { unreachable!("four were written") };
    desk.line(&format!("thumbprint   {thumbprint}"))?;
    desk.line(&format!("for mint token, mint assertion     --jwk {}", for_tokens.display()))?;
    desk.line(&jwk)?;
    desk.line(&format!("for mint ssh                       --public-key {}", for_ssh.display()))?;
    desk.line(ssh.trim_end())?;
    desk.line(&format!("for mint x509                      --request {}", for_x509.display()))?;
    desk.terminal
        .say(&format!("{} stays on this machine; take the others to where the kit is.", private.display()));
    if options.qr {
        for (text, what) in
            [(&jwk, "for mint token, mint assertion"), (&ssh, "for mint ssh"), (&csr, "for mint x509")]
        {
            codes::show_plain(desk, text.trim_end().as_bytes(), what);
        }
    }
    Ok(Outcome::Done)
}
