//! A key that lies: it is honest fido-authenticator until a command that it is told to spoil, and its answer to that
//! one goes out changed.

use std::time::Duration;

use ciborium::Value;

use crate::ctaphid::{CBOR, ERROR, KEEPALIVE, KEEPALIVE_EVERY, Line};

/// What is done to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// No answer, no keepalive.
    Never,
    /// Keepalives with this status, without end.
    Keepalives(u8),
    /// A CTAPHID error with this code.
    Error(u8),
    /// On another channel.
    WrongChannel,
    /// 65535 bytes are announced and sent.
    TooLong,
    /// The status byte and no map.
    Bare,
    /// Authenticator data of 20 bytes.
    ShortData,
    /// Another hash of the relying party's id.
    WrongRelyingParty,
    /// Another credential's id.
    WrongCredential,
    /// A counter that is lower by 1, 32 or 255, so that data and signature part.
    WrongCounter,
    /// One bit of the signature.
    BadSignature,
    /// The user was not verified, says the flags byte.
    Unverified,
}

impl Reply {
    pub(crate) const ALL: [(&str, Reply); 16] = [
        ("silent", Reply::Never),
        ("keepalive-0", Reply::Keepalives(0)),
        ("keepalive-1", Reply::Keepalives(1)),
        ("keepalive-2", Reply::Keepalives(2)),
        ("error-0", Reply::Error(0)),
        ("error-6", Reply::Error(6)),
        ("error-7f", Reply::Error(0x7F)),
        ("wrong-channel", Reply::WrongChannel),
        ("too-long", Reply::TooLong),
        ("bare", Reply::Bare),
        ("short-data", Reply::ShortData),
        ("wrong-relying-party", Reply::WrongRelyingParty),
        ("wrong-credential", Reply::WrongCredential),
        ("wrong-counter", Reply::WrongCounter),
        ("bad-signature", Reply::BadSignature),
        ("unverified", Reply::Unverified),
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Reply::ALL.iter().find(|(known, _)| *known == name).map(|(_, reply)| *reply)
    }
}

/// Gives the answer to a command, spoilt.
pub(crate) fn reply(line: &Line, channel: u32, mut answer: Vec<u8>, spoil: Reply) {
    match spoil {
        Reply::Never => {
            while !line.is_gone() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Reply::Keepalives(status) => {
            while !line.is_gone() {
                line.send(channel, KEEPALIVE, &[status], 1);
                std::thread::sleep(KEEPALIVE_EVERY);
            }
        }
        Reply::Error(code) => line.send(channel, ERROR, &[code], 1),
        Reply::WrongChannel => line.send(channel ^ 0x5A, CBOR, &answer, answer.len()),
        Reply::TooLong => {
            answer.resize(usize::from(u16::MAX), 0xA5);
            line.send(channel, CBOR, &answer, answer.len());
        }
        Reply::Bare => line.send(channel, CBOR, &answer[..answer.len().min(1)], 1),
        _ => {
            let answer = changed(&answer, spoil).unwrap_or(answer);
            line.send(channel, CBOR, &answer, answer.len());
        }
    }
}

/// An answer to getAssertion (CTAP 2.1 section 6.2.2) with one member changed, or `None` for an error.
fn changed(answer: &[u8], spoil: Reply) -> Option<Vec<u8>> {
    const CREDENTIAL: i64 = 1;
    const DATA: i64 = 2;
    const SIGNATURE: i64 = 3;
    let (0, map) = answer.split_first()? else { return None };
    let mut members: Vec<(Value, Value)> = ciborium::from_reader::<Value, _>(map).ok()?.into_map().ok()?;
    let mut bytes_of = |member: i64, change: &dyn Fn(&mut Vec<u8>)| {
        for (name, value) in &mut members {
            match value {
                Value::Bytes(bytes) if *name == Value::from(member) => change(bytes),
                Value::Map(inner) if *name == Value::from(member) => {
                    inner.iter_mut().filter_map(|(_, value)| value.as_bytes_mut()).for_each(change);
                }
                _ => {}
            }
        }
    };
    match spoil {
        Reply::ShortData => bytes_of(DATA, &|data| data.truncate(20)),
        Reply::WrongRelyingParty => bytes_of(DATA, &|data| data[0] ^= 0xFF),
        Reply::WrongCounter => bytes_of(DATA, &|data| data[36] ^= 0xFF),
        Reply::Unverified => bytes_of(DATA, &|data| data[32] &= !0x04),
        Reply::WrongCredential => bytes_of(CREDENTIAL, &|id| id[0] ^= 0xFF),
        Reply::BadSignature => {
            bytes_of(SIGNATURE, &|signature| *signature.last_mut().expect("a signature") ^= 1)
        }
        _ => return None,
    }
    let mut changed = vec![0];
    ciborium::into_writer(&Value::Map(members), &mut changed).ok()?;
    Some(changed)
}
