//! Who alone can use a token: a key that is made here, or one that was made on the machine that will use it, of which only the
//! public half crosses.

use std::io::{BufRead, Read};
use std::path::Path;

use super::files::input;
use crate::cli::args::Holder;
use crate::cli::desk::Desk;
use crate::cli::hint::Trouble;
use crate::mint::SubjectKey;
use crate::mint::jwt::{Binding, public_key, thumbprint};
use crate::minting::Subject;
use crate::record::hash::Hash;

/// Most bytes of a line that is typed or scanned: a terminal takes no more.
const LINE: u64 = 4_096;

/// The binding, and the private half where it was made here.
pub(super) fn holder(desk: &mut Desk, given: &Holder) -> Result<(Binding, Option<SubjectKey>), Trouble> {
    if let Some(path) = &given.jwk {
        return Ok((Binding::Proof(jwk(desk, path)?), None));
    }
    if let Some(thumbprint) = given.thumbprint {
        return Ok((Binding::Proof(thumbprint), None));
    }
    if let Some(path) = &given.certificate {
        let binding = Binding::to_certificate(&input(path)?);
        let wrong = || Trouble::Usage(format!("{} is no certificate, neither PEM nor DER", path.display()));
        return Ok((binding.ok_or_else(wrong)?, None));
    }
    let key = SubjectKey::generate(desk.rng());
    Ok((Binding::Proof(thumbprint(key.public())), Some(key)))
}

/// Who can use it, for the plan: what is compared where a key came over a gap, as `ssh-keygen -l` and `mint key` show it.
pub(super) fn told(subject: &Subject) -> String {
    match subject {
        Subject::Ssh(line) => format!("who has the key {}", line.fingerprint()),
        Subject::X509(key) => format!("who has the key {}", thumbprint(key)),
        Subject::Token(Binding::Proof(hash)) => format!("who has the key {hash}"),
        Subject::Token(Binding::Certificate(hash)) => format!("who comes with the certificate {hash}"),
        Subject::Assertions { proof, .. } => format!("what is got with it: who has the key {proof}"),
    }
}

/// Thumbprint of the public key in that file, or in one line of the person's or the scanner's.
fn jwk(desk: &mut Desk, path: &Path) -> Result<Hash, Trouble> {
    let bytes = match path == Path::new("-") {
        true => line(desk)?,
        false => input(path)?,
    };
    let key = public_key(bytes.trim_ascii())
        .map_err(|error| Trouble::Usage(format!("{}: {error}", path.display())))?;
    Ok(thumbprint(&key))
}

fn line(desk: &mut Desk) -> Result<Vec<u8>, Trouble> {
    if desk.terminal.has_person() {
        return Ok(desk.terminal.ask("scan or type the public key, one line: ")?.into_bytes());
    }
    let mut line = Vec::new();
    let wrong = |cause| Trouble::Input { path: "stdin".into(), cause };
    std::io::stdin().lock().take(LINE).read_until(b'\n', &mut line).map_err(wrong)?;
    Ok(line)
}
