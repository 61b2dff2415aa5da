//! The keys of the kit that mint client certificates, each with its own certificate and its newest list of revoked ones, as
//! its records tell them. Every one is checked again from bytes: a record that does not hold is none, and is found.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::VerifyingKey;

use crate::attestation::{Serial, Slot};
use crate::kit::finding::Finding;
use crate::kit::minted::Ledger;
use crate::kit::roster::Standing;
use crate::kit::{Enrolled, Kit, credentials};
use crate::mint::x509::{Authority, NotAList, NotAnAuthority, RevokedCertificate, Signed, SignedList};
use crate::record::event::{Event, MintKind, MintRevoked};
use crate::record::token::Record;

/// A key that platforms can trust in advance to certify clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// Which key.
    pub serial: Serial,
    /// Its authority, under the name that is in the certificate.
    pub authority: Authority,
    /// The certificate of slot 84 for itself.
    pub certificate: Signed,
    /// The list of what it takes back: of all that it signed, the one with the highest number.
    pub list: SignedList,
}

impl Certified {
    /// What its list takes back and has not ended long before `now`, in Unix seconds: what goes on the next list.
    pub fn still_listed(&self, ledger: &Ledger, now: i64) -> Vec<RevokedCertificate> {
        let mut listed = self.list.revoked();
        listed.retain(|one| !ledger.is_over(MintKind::X509, self.serial, &hex::encode(&one.serial), now));
        listed
    }
}

/// Why a record makes no authority of a key.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("its key was not made to mint client certificates")]
    NotMade,
    #[error("no base64 of DER")]
    Form,
    #[error("the certificate: {0}")]
    Certificate(#[from] NotAnAuthority),
    #[error("the list: {0}")]
    List(#[from] NotAList),
    #[error("a list of a key without a certificate")]
    NoCertificate,
}

impl Kit {
    /// Each admitted key whose certificate for itself is on record and holds, by serial. When they end is not looked at.
    pub fn authorities(&self) -> Vec<Certified> {
        self.minting_clients().filter_map(|key| told(self, &key).0).collect()
    }

    /// The same of one key.
    pub fn authority(&self, serial: Serial) -> Option<Certified> {
        self.minting_clients().find(|key| key.facts.serial == serial).and_then(|key| told(self, &key).0)
    }

    /// Each admitted key that was made to mint client certificates and has no certificate for itself, by serial: what it
    /// would mint is good nowhere.
    pub fn lacking_authority(&self) -> Vec<Serial> {
        let lacking = |key: &Enrolled| told(self, key).0.is_none();
        self.minting_clients().filter(lacking).map(|key| key.facts.serial).collect()
    }

    fn minting_clients(&self) -> impl Iterator<Item = Enrolled> {
        let minting = |key: &Enrolled| key.standing == Standing::Admitted && authority_key(key).is_some();
        self.enrolled_keys().into_iter().filter(minting)
    }
}

/// Records that should make an authority and do not hold.
pub fn findings(kit: &Kit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for key in kit.enrolled_keys() {
        findings.extend(told(kit, &key).1);
    }
    findings
}

/// The public key of slot 84, as the enrolment has it.
fn authority_key(key: &Enrolled) -> Option<VerifyingKey> {
    key.facts.minting.get(&Slot::X509Authority.to_string()).map(|point| VerifyingKey::from(point.0))
}

/// What the records of that key come to, in the order of its chain, and those that do not hold. A key speaks for its own
/// slots alone.
fn told(kit: &Kit, key: &Enrolled) -> (Option<Certified>, Vec<Finding>) {
    let (mut certified, mut wrong) = (None, Vec::new());
    let Some(roster) = &kit.roster else { return (certified, wrong) };
    let own = |record: &&Record| record.kid == key.id && credentials::belongs(roster, record);
    for record in kit.journal.records().map(|(_, record)| record).filter(own) {
        let taken = match &record.event {
            Event::MintAuthority(facts) => begun(key, certified.as_ref(), &facts.certificate, &facts.list),
            Event::MintRevoked(MintRevoked { kind: MintKind::X509, list: Some(list), .. }) => {
                gone_on(certified.as_ref(), list)
            }
            _ => continue,
        };
        match taken {
            Ok(now) => certified = Some(now),
            Err(unfit) => wrong.push(
                Finding::wrong(
                    "AUTHORITY-WRONG",
                    format!(
                        "record {}/{} makes no authority: {unfit}. it is not exported",
                        key.chain, record.link.seq
                    ),
                )
                .then("breakglass records export DIR --with SERIAL        and show it to the auditor"),
            ),
        }
    }
    (certified, wrong)
}

/// From a certificate on, with its list; a later one replaces it, but not a list that is newer.
fn begun(
    key: &Enrolled,
    before: Option<&Certified>,
    certificate: &str,
    list: &str,
) -> Result<Certified, Unfit> {
    let public = authority_key(key).ok_or(Unfit::NotMade)?;
    let certificate = Signed::from_der(&der(certificate)?).map_err(|_| Unfit::Form)?;
    let authority = Authority::of(&certificate, &public)?;
    let list = SignedList::of(&der(list)?, &authority)?;
    let before = before.filter(|before| before.authority == authority).map(|before| &before.list);
    let list = newer(before, list);
    Ok(Certified { serial: key.facts.serial, authority, certificate, list })
}

fn gone_on(before: Option<&Certified>, list: &str) -> Result<Certified, Unfit> {
    let before = before.ok_or(Unfit::NoCertificate)?;
    let list = SignedList::of(&der(list)?, &before.authority)?;
    Ok(Certified { list: newer(Some(&before.list), list), ..before.clone() })
}

fn newer(before: Option<&SignedList>, list: SignedList) -> SignedList {
    before.filter(|before| before.number() > list.number()).cloned().unwrap_or(list)
}

fn der(text: &str) -> Result<Vec<u8>, Unfit> {
    STANDARD.decode(text).map_err(|_| Unfit::Form)
}
