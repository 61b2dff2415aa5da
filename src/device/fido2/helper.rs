//! The FIDO2 helper: reads one request, does one operation on one key, writes one reply, ends.
//!
//! The library that speaks CTAP blocks for ever on a silent key, panics on some answers, prints to stdout, and leaves
//! PINs and secrets in memory that it frees. All of that is well in a process of its own: whoever waits for it can end
//! it, its talk goes nowhere, and its memory goes with it.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

use ctap_hid_fido2::fidokey::credential_management::credential_management_params::CredentialProtectionPolicy;
use ctap_hid_fido2::fidokey::{
    AssertionExtension, CredentialExtension, CredentialSupportedKeyType, GetAssertionArgsBuilder,
    MakeCredentialArgsBuilder,
};
use ctap_hid_fido2::public_key_credential_user_entity::PublicKeyCredentialUserEntity;
use ctap_hid_fido2::{Cfg, FidoKeyHid, FidoKeyHidFactory, HidParam};
use rustix::process::{Signal, set_parent_process_death_signal};
use zeroize::Zeroizing;

use super::wire::{
    Failure, MAX_REPLY, MAX_REQUEST, Outcome, RawAssertion, RawCredential, RawInfo, Reply, Request, Secret,
    Work,
};
use crate::assertion::RELYING_PARTY;

mod failure;

use failure::failure;

/// What the key may show a person as the account's name.
const ACCOUNT: &str = "breakglass";

/// Runs as the helper: the request comes from stdin, and the reply goes to a duplicate of stdout, while stdout and
/// stderr, where the library and a panic talk, go nowhere. Ends with the process that started it.
pub fn run() -> ExitCode {
    let served = || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        let reply = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        let nowhere = std::fs::File::options().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&nowhere)?;
        rustix::stdio::dup2_stderr(&nowhere)?;
        // Not `io::stdin`, which keeps a copy of what it reads.
        let request = std::fs::File::from(rustix::io::dup(rustix::stdio::stdin())?);
        serve(request, std::fs::File::from(reply))
    };
    match served() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// One request, one reply.
///
/// # Errors
/// What cannot be read, is no request, or cannot be written. A key that fails is an answer.
fn serve(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut bytes = Zeroizing::new(vec![0; MAX_REQUEST + 1]); // never grown, so never copied
    let mut length = 0;
    while length < bytes.len() {
        match input.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let request: Request = serde_json::from_slice(&bytes[..length]).map_err(io::Error::other)?;
    let mut sent = Sent::default();
    let outcome = perform(&request, &mut sent).unwrap_or_else(Outcome::Failed);
    let reply = Reply { id: request.id, requests: sent.requests, touches: sent.touches, outcome };
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_REPLY));
    serde_json::to_writer(&mut *bytes, &reply).map_err(io::Error::other)?;
    output.write_all(&bytes)
}

/// What has gone to the key.
#[derive(Default)]
struct Sent {
    requests: u64,
    touches: u64,
}

impl Sent {
    /// Asks the key once; what the library says of a failure becomes one of ours.
    fn ask<T>(&mut self, requests: u64, question: impl FnOnce() -> Told<T>) -> Result<T, Failure> {
        self.requests += requests;
        let begun = Instant::now();
        question().map_err(|error| failure(&error.to_string(), begun.elapsed()))
    }
}

/// What the library gives: its errors are nothing but text.
type Told<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn perform(request: &Request, sent: &mut Sent) -> Result<Outcome, Failure> {
    let key = open(&request.path)?;
    let info = sent.ask(1, || Ok(key.get_info()?))?;
    let info = RawInfo {
        client_pin: info.options.iter().find(|(name, _)| name == "clientPin").map(|(_, set)| *set),
        aaguid: info.aaguid,
        firmware: info.firmware_version.into(),
        versions: info.versions,
        extensions: info.extensions,
        force_pin_change: info.force_pin_change,
        min_pin_length: info.min_pin_length.into(),
        pin_protocols: info.pin_uv_auth_protocols.into_iter().map(u64::from).collect(),
    };
    pin_fits(&request.work, &info)?;
    let key = key.with_pin_protocol_version(if info.pin_protocols.contains(&2) { 2 } else { 1 });
    let operation = request.work.requests() - 1;
    let outcome = match &request.work {
        Work::Info => return Ok(Outcome::Info(info)),
        Work::Tries => {
            sent.ask(operation, || Ok(key.get_pin_retries()?)).map(|tries| Outcome::Tries(tries.into()))
        }
        Work::SetPin { new } => {
            let new = text(new)?;
            sent.ask(operation, || Ok(key.set_new_pin(new)?)).map(|()| Outcome::Done)
        }
        Work::ChangePin { current, new } => {
            let (current, new) = (text(current)?, text(new)?);
            sent.ask(operation, || Ok(key.change_pin(current, new)?)).map(|()| Outcome::Done)
        }
        Work::Create { pin, user, challenge } => {
            sent.touches = 1;
            let pin = text(pin)?;
            sent.ask(operation, || create(&key, pin, user, challenge, info.aaguid)).map(Outcome::Created)
        }
        Work::Assert { pin, credential, challenge, salts } => {
            sent.touches = 1;
            let (pin, salts) = (text(pin)?, salts.iter().map(|salt| salt.0).collect::<Vec<_>>());
            sent.ask(operation, || assert(&key, pin, credential, challenge, &salts)).map(Outcome::Asserted)
        }
    };
    outcome.map_err(|failure| after_a_pin(failure, &key, sent))
}

/// A refused PIN: nothing waited for a touch, the operation itself was not sent, and after a wrong one the tries left
/// are asked for. The PIN is not sent again.
fn after_a_pin(failure: Failure, key: &FidoKeyHid, sent: &mut Sent) -> Failure {
    let Failure::Status(status @ 0x31..=0x37) = failure else { return failure };
    sent.requests -= sent.touches;
    sent.touches = 0;
    if status != 0x31 {
        return failure;
    }
    Failure::WrongPin(sent.ask(1, || Ok(key.get_pin_retries()?)).ok().map(i64::from))
}

/// What the key says of its PIN decides before one is sent.
fn pin_fits(work: &Work, info: &RawInfo) -> Result<(), Failure> {
    match (work, info.client_pin) {
        (Work::Info, _) => Ok(()),
        (_, None) => Err(Failure::NoPinOption),
        (Work::Tries, _) | (Work::SetPin { .. }, Some(false)) => Ok(()),
        (Work::SetPin { .. }, Some(true)) => Err(Failure::PinIsSet),
        (_, Some(false)) => Err(Failure::PinNotSet),
        (Work::ChangePin { .. }, Some(true)) => Ok(()),
        // A key that wants its PIN changed answers the right one as it does a wrong one.
        (_, Some(true)) if info.force_pin_change => Err(Failure::PinMustChange),
        (_, Some(true)) => Ok(()),
    }
}

fn open(path: &str) -> Result<FidoKeyHid, Failure> {
    // The library says only that it failed.
    match std::fs::File::options().read(true).write(true).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(Failure::Denied),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Failure::Gone),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => {
            return Err(Failure::Gone);
        }
        Err(error) => return Err(Failure::NotOpened(error.to_string())),
    }
    let quiet = Cfg { enable_keep_alive_msg: false, ..Cfg::init() };
    FidoKeyHidFactory::create_by_params(&[HidParam::Path(path.to_owned())], &quiet)
        .map_err(|error| Failure::NotOpened(failure::printable(&error.to_string())))
}

fn text(pin: &Secret) -> Result<&str, Failure> {
    // The library panics beyond 64 bytes; CTAP ends at 63.
    match std::str::from_utf8(pin.expose_bytes()) {
        Ok(text) if (4..=63).contains(&text.len()) => Ok(text),
        _ => Err(Failure::Other("a PIN has 4 to 63 bytes of UTF-8; it was not sent".to_owned())),
    }
}

fn create(
    key: &FidoKeyHid,
    pin: &str,
    user: &[u8],
    challenge: &[u8],
    aaguid: Vec<u8>,
) -> Told<RawCredential> {
    let user = PublicKeyCredentialUserEntity::new(Some(user), Some(ACCOUNT), Some(ACCOUNT));
    let protect = CredentialProtectionPolicy::UserVerificationRequired;
    let made = key.make_credential_with_args(
        &MakeCredentialArgsBuilder::new(RELYING_PARTY, challenge)
            .pin(pin)
            .key_type(CredentialSupportedKeyType::Ecdsa256)
            .user_entity(&user)
            .extensions(&[
                CredentialExtension::CredProtect(Some(protect)),
                CredentialExtension::HmacSecret(Some(true)),
            ])
            .build(),
    )?;
    Ok(RawCredential {
        aaguid,
        authenticator_data: made.auth_data,
        id: made.credential_descriptor.id,
        public: made.credential_publickey.der,
        counter: made.sign_count,
    })
}

fn assert(
    key: &FidoKeyHid,
    pin: &str,
    credential: &[u8],
    challenge: &[u8],
    salts: &[[u8; 32]],
) -> Told<Vec<RawAssertion>> {
    let extension = match *salts {
        [one] => AssertionExtension::HmacSecret(Some(one)),
        [one, two] => AssertionExtension::HmacSecret2(Some((one, two))),
        _ => return Err("one or two salts".into()),
    };
    let assertions = key.get_assertion_with_args(
        &GetAssertionArgsBuilder::new(RELYING_PARTY, challenge)
            .pin(pin)
            .credential_id(credential)
            .extensions(&[extension])
            .build(),
    )?;
    let secrets = |extensions: Vec<AssertionExtension>| {
        let of_one = |extension: AssertionExtension| match extension {
            AssertionExtension::HmacSecret(Some(one)) => vec![Secret::new(one.to_vec())],
            AssertionExtension::HmacSecret2(Some((one, two))) => {
                vec![Secret::new(one.to_vec()), Secret::new(two.to_vec())]
            }
            _ => Vec::new(),
        };
        extensions.into_iter().flat_map(of_one).collect()
    };
    let raw = assertions.into_iter().map(|one| RawAssertion {
        credential: one.credential_id,
        authenticator_data: one.auth_data,
        signature: one.signature,
        counter: one.sign_count,
        secrets: secrets(one.extensions),
    });
    Ok(raw.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(client_pin: Option<bool>, force_pin_change: bool) -> RawInfo {
        RawInfo {
            aaguid: vec![0; 16],
            firmware: 0,
            versions: vec![],
            extensions: vec![],
            client_pin,
            force_pin_change,
            min_pin_length: 0,
            pin_protocols: vec![],
        }
    }

    #[test]
    fn no_pin_is_sent_to_a_key_that_would_not_take_it() {
        let pin = || Secret::new(b"73920485".to_vec());
        let set = Work::SetPin { new: pin() };
        let change = Work::ChangePin { current: pin(), new: pin() };
        let create = Work::Create { pin: pin(), user: vec![1], challenge: vec![] };
        let assert = Work::Assert { pin: pin(), credential: vec![1], challenge: vec![], salts: vec![] };
        for (work, pins, wanted) in [
            (&set, (None, false), Err(Failure::NoPinOption)),
            (&set, (Some(false), false), Ok(())),
            (&set, (Some(true), true), Err(Failure::PinIsSet)),
            (&change, (Some(false), false), Err(Failure::PinNotSet)),
            (&change, (Some(true), true), Ok(())),
            (&create, (None, false), Err(Failure::NoPinOption)),
            (&create, (Some(false), false), Err(Failure::PinNotSet)),
            (&create, (Some(true), false), Ok(())),
            (&assert, (Some(true), true), Err(Failure::PinMustChange)),
            (&assert, (Some(true), false), Ok(())),
            (&Work::Info, (None, false), Ok(())),
            (&Work::Tries, (Some(false), false), Ok(())),
        ] {
            assert_eq!(pin_fits(work, &info(pins.0, pins.1)), wanted, "{work:?} {pins:?}");
        }
        for wrong in [&b"123"[..], &[b'1'; 64], &[0xFF; 8]] {
            assert!(text(&Secret::new(wrong.to_vec())).is_err());
        }
    }

    /// The reply to a request for that node.
    fn served(path: &str) -> Reply {
        let request =
            serde_json::to_vec(&Request { id: 3, path: path.to_owned(), work: Work::Info }).unwrap();
        let mut reply = Vec::new();
        serve(&request[..], &mut reply).unwrap();
        serde_json::from_slice(&reply).unwrap()
    }

    #[test]
    fn a_node_that_is_no_key_is_an_answer() {
        let gone = served("/dev/hidraw-that-is-not-there");
        assert!(
            matches!((gone.id, gone.requests, &gone.outcome), (3, 0, Outcome::Failed(Failure::Gone))),
            "{gone:?}"
        );
        let other = served("/dev/null");
        assert!(matches!(&other.outcome, Outcome::Failed(Failure::NotOpened(_))), "{other:?}");
    }

    #[test]
    fn what_is_no_request_gets_no_reply() {
        let long = vec![b' '; MAX_REQUEST + 10];
        for bad in [&b""[..], b"{}", b"nonsense", br#"{"id":1,"path":"/dev/null","work":"info"} x"#, &long] {
            let mut reply = Vec::new();
            assert!(serve(bad, &mut reply).is_err());
            assert!(reply.is_empty());
        }
    }
}
