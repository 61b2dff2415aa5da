//! age files: made, read, looked into. The adapters between age's traits, which want `&self`, and a key, which has
//! state: the one place with a `RefCell`.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{Read, Write};

use age::{DecryptError, Decryptor, EncryptError, Encryptor, Identity, Recipient};
use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret;
use p256::PublicKey;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::open::UnsealError;
use super::recipient::PivRecipient;
use super::stanza::{Agreed, PivStanza};
use crate::device::{Agree, DeviceError};
use crate::record::event::AgeRecipient;
use crate::secret::SharedSecret;

/// The header of a file for 255 keys has 512 lines and 28 KiB; age parses it again from its start at each line.
const MAX_HEADER_LINES: usize = 1024;
const MAX_HEADER_BYTES: usize = 48 * 1024;

/// Stanzas that carry one key's tag, beyond which a file is refused: each costs a touch. Two by chance is already rare.
const MAX_SAME_TAG: usize = 4;

/// The sealing side of the stanzas: makes them, and remembers what was agreed on, so that what was made can be opened
/// again before it leaves memory. It then stands in for every key at once.
pub(super) struct Dealer<'a> {
    rng: &'a mut dyn CryptoRng,
    agreed: Vec<Agreed>,
    /// Of each outer layer: its stanza's ephemeral share, and its file key.
    lids: Vec<(String, FileKey)>,
}

impl<'a> Dealer<'a> {
    pub(super) fn new(rng: &'a mut dyn CryptoRng) -> Self {
        Dealer { rng, agreed: Vec::new(), lids: Vec::new() }
    }

    pub(super) fn randomness(&mut self) -> &mut dyn CryptoRng {
        self.rng
    }

    /// The age file for all these keys.
    pub(super) fn encrypt(&mut self, content: &[u8], to: &[PivRecipient]) -> Result<Vec<u8>, EncryptError> {
        let dealer = RefCell::new(self);
        let wraps: Vec<Wrap> = to.iter().map(|to| Wrap { to, dealer: &dealer }).collect();
        encrypt(content, wraps.iter().map(|wrap| wrap as &dyn Recipient))
    }
}

impl Dealer<'_> {
    /// The age file to that envelope. What opens it is remembered as its file key: the identity never comes here.
    pub(super) fn encrypt_outer(
        &mut self,
        content: &[u8],
        to: &AgeRecipient,
    ) -> Result<Vec<u8>, EncryptError> {
        let to = to.as_str().parse().expect("a recipient of age");
        let cover = Cover { to, lids: RefCell::new(&mut self.lids) };
        encrypt(content, std::iter::once(&cover as &dyn Recipient))
    }

    /// Stands in for the FIDO2 side of every key.
    pub(super) fn lids(&self) -> Lids<'_> {
        Lids(&self.lids)
    }
}

const X25519: &str = "X25519";

/// age's own recipient, whose file key is remembered.
struct Cover<'a> {
    to: age::x25519::Recipient,
    lids: RefCell<&'a mut Vec<(String, FileKey)>>,
}

impl Recipient for Cover<'_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let (stanzas, labels) = self.to.wrap_file_key(file_key)?;
        for stanza in stanzas.iter().filter(|stanza| stanza.tag == X25519) {
            self.lids.borrow_mut().extend(stanza.args.first().map(|share| (share.clone(), copy(file_key))));
        }
        Ok((stanzas, labels))
    }
}

/// The file keys of outer layers, by their stanzas.
pub(super) struct Lids<'a>(&'a [(String, FileKey)]);

impl Identity for Lids<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let share = stanza.args.first().filter(|_| stanza.tag == X25519)?;
        self.0.iter().find(|(of, _)| of == share).map(|(_, file_key)| Ok(copy(file_key)))
    }
}

fn copy(file_key: &FileKey) -> FileKey {
    FileKey::init_with_mut(|copy| copy.copy_from_slice(file_key.expose_secret()))
}

impl Agree for Dealer<'_> {
    fn agree(&mut self, peer: &PublicKey) -> Result<SharedSecret, DeviceError> {
        let found = self.agreed.iter().find(|(ephemeral, _)| ephemeral == peer);
        let (_, secret) = found.ok_or(DeviceError::Malformed {
            command: "ECDH",
            detail: "the file names another ephemeral key than the one that was made for it",
        })?;
        Ok(SharedSecret::new(*secret.expose_bytes()))
    }
}

struct Wrap<'a, 'd, 'r> {
    to: &'a PivRecipient,
    dealer: &'a RefCell<&'d mut Dealer<'r>>,
}

impl Recipient for Wrap<'_, '_, '_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let mut dealer = self.dealer.borrow_mut();
        let (stanza, agreed) = PivStanza::wrap(self.to, file_key, dealer.rng);
        dealer.agreed.push(agreed);
        Ok((vec![stanza], HashSet::new()))
    }
}

/// The age file for these recipients.
pub(super) fn encrypt<'a>(
    content: &[u8],
    to: impl Iterator<Item = &'a dyn Recipient>,
) -> Result<Vec<u8>, EncryptError> {
    let mut file = Vec::with_capacity(content.len() + MAX_HEADER_BYTES);
    let mut writer = Encryptor::with_recipients(to)?.wrap_output(&mut file)?;
    writer.write_all(content)?;
    writer.finish()?;
    Ok(file)
}

/// Most bytes of a file, and most bytes of what is in it.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) file: usize,
    pub(super) content: usize,
}

/// What is in the file, opened by any identity of age.
pub(super) fn decrypt(
    file: &[u8],
    limits: Limits,
    identity: &dyn Identity,
) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let decryptor = parse(file, limits.file)?;
    let mut reader = decryptor.decrypt(std::iter::once(identity)).map_err(unsealing)?;
    // As long as the file: never grown, so no copy of the content is left behind.
    let mut content = Zeroizing::new(vec![0; file.len()]);
    let mut length = 0;
    loop {
        match reader.read(&mut content[length..]).map_err(UnsealError::Damaged)? {
            0 => break,
            read => length += read,
        }
    }
    if length > limits.content {
        return Err(UnsealError::TooLarge { bytes: length, limit: limits.content });
    }
    content.truncate(length);
    (length > 0).then_some(content).ok_or(UnsealError::Empty)
}

/// Gets the file key out of the header, which its MAC then vouches for, and leaves the content as it is.
pub(super) fn unwrap(file: &[u8], limits: Limits, identity: &dyn Identity) -> Result<(), UnsealError> {
    // The reader decrypts when it is read, which nobody does.
    parse(file, limits.file)?.decrypt(std::iter::once(identity)).map(drop).map_err(unsealing)
}

/// The same by the key `agree`; costs what [`decrypt_by_key`] costs.
pub(super) fn unwrap_by_key(
    file: &[u8],
    limits: Limits,
    me: &PublicKey,
    agree: &mut dyn Agree,
) -> Result<(), UnsealError> {
    by_key(me, agree, |identity| unwrap(file, limits, identity))
}

/// What is in the file, opened by the key `agree`, whose public key in slot 82 is `me`. A stanza with another tag
/// costs no agreement; a stanza with the tag of `me` costs one, hence one touch.
pub(super) fn decrypt_by_key(
    file: &[u8],
    limits: Limits,
    me: &PublicKey,
    agree: &mut dyn Agree,
) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    by_key(me, agree, |identity| decrypt(file, limits, identity))
}

/// Does something with age's view of a key, whose own failure is reported before what age makes of it.
fn by_key<T>(
    me: &PublicKey,
    agree: &mut dyn Agree,
    opening: impl FnOnce(&dyn Identity) -> Result<T, UnsealError>,
) -> Result<T, UnsealError> {
    let identity =
        KeyIdentity { me: PivRecipient::new(*me), inner: RefCell::new(Asked { agree, failure: None }) };
    let opened = opening(&identity);
    opened.map_err(|error| identity.inner.into_inner().failure.unwrap_or(error))
}

/// age's view of a key.
struct KeyIdentity<'a> {
    me: PivRecipient,
    inner: RefCell<Asked<'a>>,
}

struct Asked<'a> {
    agree: &'a mut dyn Agree,
    /// age's error has no room for a device's: it is kept here and reported first.
    failure: Option<UnsealError>,
}

impl KeyIdentity<'_> {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, UnsealError> {
        let mut mine = Vec::new();
        for stanza in stanzas.iter().filter_map(PivStanza::read) {
            let stanza = stanza.ok_or(UnsealError::MalformedStanza)?;
            if stanza.tag == self.me.tag() {
                mine.push(stanza);
            }
        }
        if mine.len() > MAX_SAME_TAG {
            return Err(UnsealError::TooManyWithTag { tag: self.me.tag(), stanzas: mine.len() });
        }
        for stanza in &mine {
            let agreed = self.inner.borrow_mut().agree.agree(stanza.ephemeral())?;
            if let Some(file_key) = stanza.unwrap(&self.me, &agreed) {
                return Ok(Some(file_key));
            }
        }
        if mine.is_empty() { Ok(None) } else { Err(UnsealError::DoesNotOpen { tag: self.me.tag() }) }
    }
}

impl Identity for KeyIdentity<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap(stanzas).transpose().map(|outcome| {
            outcome.map_err(|failure| {
                self.inner.borrow_mut().failure = Some(failure);
                DecryptError::DecryptionFailed
            })
        })
    }
}

/// Hands every stanza of a file to `look` and opens nothing.
pub(super) fn stanzas(
    file: &[u8],
    max_bytes: usize,
    look: &mut dyn FnMut(&Stanza),
) -> Result<(), UnsealError> {
    struct Look<'a>(RefCell<&'a mut dyn FnMut(&Stanza)>);
    impl Identity for Look<'_> {
        fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
            (self.0.borrow_mut())(stanza);
            None
        }
    }
    match parse(file, max_bytes)?.decrypt(std::iter::once(&Look(RefCell::new(look)) as &dyn Identity)) {
        Err(DecryptError::NoMatchingKeys) => Ok(()),
        Err(error) => Err(unsealing(error)),
        Ok(_) => unreachable!("an identity without a file key opens nothing"),
    }
}

fn parse(file: &[u8], max_bytes: usize) -> Result<Decryptor<&[u8]>, UnsealError> {
    if file.len() > max_bytes {
        return Err(UnsealError::TooLarge { bytes: file.len(), limit: max_bytes });
    }
    let header = file.windows(5).position(|window| window == b"\n--- ").unwrap_or(file.len());
    let lines = file[..header].iter().filter(|byte| **byte == b'\n').count();
    if header > MAX_HEADER_BYTES || lines > MAX_HEADER_LINES {
        return Err(UnsealError::LongHeader);
    }
    Decryptor::new_buffered(file).map_err(unsealing)
}

fn unsealing(error: DecryptError) -> UnsealError {
    match error {
        DecryptError::NoMatchingKeys => UnsealError::NotForThisKey,
        DecryptError::InvalidMac => UnsealError::ChangedHeader,
        other => UnsealError::NotAge(other),
    }
}
