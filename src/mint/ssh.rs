//! OpenSSH user certificates (PROTOCOL.certkeys): for some principals of some hosts, for minutes.

use std::cell::RefCell;

use p256::ecdsa::signature::{self, Signer};
use p256::ecdsa::{Signature, VerifyingKey};
use ssh_key::certificate::{Builder, CertType, Certificate};
use ssh_key::public::{EcdsaPublicKey, KeyData};

use super::{KeyIdentity, Label, MintError, Unsigned, Window};

pub use agent::{AgentAnswer, add_to_agent, agent_answer};
pub use krl::{Revoked, revocation_list};
pub use line::{LineError, PublicLine};
pub use source::{NotASource, Source};

mod agent;
mod krl;
mod line;
mod source;

/// Most characters of a forced command.
const LONGEST_COMMAND: usize = 1_024;

/// What a session may do beside running commands. sshd refuses the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions {
    /// A terminal.
    pub terminal: bool,
    /// Ports of the server forwarded, as for a database behind a jump host.
    pub forward_ports: bool,
}

/// One user certificate to be.
#[derive(Debug, Clone)]
pub struct UserCertificate {
    /// The key that gets it.
    pub subject: PublicLine,
    /// As whom it may log in: names that hosts list for the account, at least one. Never everybody.
    pub principals: Vec<Label>,
    /// From where; empty is from anywhere.
    pub sources: Vec<Source>,
    /// The one command that runs, whatever is asked for.
    pub command: Option<String>,
    /// What else a session may do.
    pub permissions: Permissions,
    /// When.
    pub window: Window,
    /// What the log of sshd shows.
    pub identity: KeyIdentity,
}

/// A certificate, as `ssh` and agents take it.
#[derive(Debug, Clone)]
pub struct Signed(Certificate);

impl Signed {
    /// One line, the content of an `id-cert.pub`.
    pub fn line(&self) -> String {
        let mut line = self.0.to_openssh().expect("a certificate that was encoded to be signed");
        line.push('\n');
        line
    }

    /// Its bytes, as an agent takes them.
    pub fn blob(&self) -> Vec<u8> {
        self.0.to_bytes().expect("a certificate that was encoded to be signed")
    }

    /// Its serial number.
    pub fn serial(&self) -> u64 {
        self.0.serial()
    }
}

impl UserCertificate {
    /// Settles what `authority` will sign. `nonce` is random: whoever chooses the rest must not choose all that is hashed.
    ///
    /// # Errors
    /// [`MintError::Nothing`] without principals; [`MintError::Text`] for a command that is empty, longer than 1,024
    /// characters or not printable ASCII; [`MintError::Ssh`].
    pub fn prepare(self, authority: &VerifyingKey, nonce: [u8; 32]) -> Result<Unsigned<Signed>, MintError> {
        if self.principals.is_empty() {
            return Err(MintError::Nothing("principal"));
        }
        if let Some(command) = self.command.as_deref().filter(|command| !is_a_command(command)) {
            let why = "1 to 1,024 printable characters of ASCII";
            return Err(MintError::Text { what: "the command", text: command.to_owned(), why });
        }
        let probe = Authority::that_only_listens(authority);
        // The library signs in one step; its first run is only to learn what is to be signed.
        let _ = self.builder(nonce)?.sign(&probe);
        let signed_part = probe.heard.into_inner();
        let key = *authority;
        let finish = move |signature: &Signature| {
            let authority = Authority::with(&key, signature)?;
            Ok(Signed(self.builder(nonce)?.sign(&authority)?))
        };
        Ok(Unsigned::new(authority, signed_part, finish))
    }

    fn builder(&self, nonce: [u8; 32]) -> Result<Builder, MintError> {
        let key = self.subject.key().clone();
        let mut builder = Builder::new(nonce, key, self.window.from(), self.window.until())?;
        builder.serial(self.identity.numbers.ssh())?;
        builder.cert_type(CertType::User)?;
        builder.key_id(self.identity.text())?;
        for principal in &self.principals {
            builder.valid_principal(principal.as_str())?;
        }
        // Options go in the order of their names (PROTOCOL.certkeys); the library sorts them.
        if let Some(command) = &self.command {
            builder.critical_option("force-command", command.as_str())?;
        }
        if !self.sources.is_empty() {
            let list: Vec<String> = self.sources.iter().map(Source::to_string).collect();
            builder.critical_option("source-address", list.join(","))?;
        }
        if self.permissions.forward_ports {
            builder.extension("permit-port-forwarding", "")?;
        }
        if self.permissions.terminal {
            builder.extension("permit-pty", "")?;
        }
        Ok(builder)
    }
}

fn is_a_command(text: &str) -> bool {
    (1..=LONGEST_COMMAND).contains(&text.len()) && text.bytes().all(|c| (b' '..=b'~').contains(&c))
}

/// The authority's public key as hosts list it.
pub fn public_line(authority: &VerifyingKey, comment: &str) -> String {
    let key = ssh_key::PublicKey::new(KeyData::Ecdsa(EcdsaPublicKey::from(authority)), comment);
    let mut line = key.to_openssh().expect("a point of P-256 always has that form");
    line.push('\n');
    line
}

/// SHA-256 fingerprint of an authority, as the log of sshd names it: `SHA256:` and base64 without padding.
pub fn fingerprint(authority: &VerifyingKey) -> String {
    KeyData::Ecdsa(EcdsaPublicKey::from(authority)).fingerprint(ssh_key::HashAlg::Sha256).to_string()
}

/// Stands for the minting key where the library wants to sign: hears what is to be signed, and answers with the signature
/// that there is.
struct Authority {
    key: VerifyingKey,
    signature: Option<ssh_key::Signature>,
    heard: RefCell<Vec<u8>>,
}

impl Authority {
    fn that_only_listens(key: &VerifyingKey) -> Self {
        Authority { key: *key, signature: None, heard: RefCell::default() }
    }

    fn with(key: &VerifyingKey, signature: &Signature) -> Result<Self, MintError> {
        let signature = ssh_key::Signature::try_from(*signature)?;
        Ok(Authority { key: *key, signature: Some(signature), heard: RefCell::default() })
    }
}

impl Signer<ssh_key::Signature> for Authority {
    fn try_sign(&self, message: &[u8]) -> Result<ssh_key::Signature, signature::Error> {
        self.heard.replace(message.to_vec());
        self.signature.clone().ok_or_else(signature::Error::new)
    }
}

impl From<&Authority> for KeyData {
    fn from(authority: &Authority) -> Self {
        KeyData::Ecdsa(EcdsaPublicKey::from(&authority.key))
    }
}
