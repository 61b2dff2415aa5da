//! An approval as a file that crosses machines: the request on the first line, then the newest records of the approver's
//! key, one a line, of which the last approves it. Taken into a kit it is nothing but these records, as after a merge.

use p256::ecdsa::VerifyingKey;

use crate::attestation::Serial;
use crate::kit::incidents::{Opening, incidents};
use crate::kit::request::{NotARequest, Request};
use crate::kit::roster::Standing;
use crate::kit::{Kit, KitError};
use crate::record::event::{Event, RequestApproved};
use crate::record::hash::Hash;
use crate::record::token::{Record, RecordError};

/// So many records of the approver's key are in a file: those that the other copy of the kit may lack before the approval.
pub const MOST_RECORDS: usize = 8;

/// Nothing longer is read as an approval.
pub const READ_CAP: usize = 64 * 1024;

/// A request with records of one key, the last of which approves it. Not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// What was asked.
    pub request: Request,
    records: Vec<Record>,
}

/// Why bytes are no approval.
#[derive(Debug, thiserror::Error)]
pub enum NotAnApproval {
    /// More than [`READ_CAP`].
    #[error("longer than {READ_CAP} bytes")]
    TooLong,
    /// The first line.
    #[error("line 1: {0}")]
    Request(#[source] NotARequest),
    /// Another line.
    #[error("line {line}: {cause}")]
    Record {
        /// From 1.
        line: usize,
        /// Why it is no record.
        #[source]
        cause: RecordError,
    },
    /// No record, or too many.
    #[error("1 to {MOST_RECORDS} records follow the request, not {0}")]
    Count(usize),
    /// Records that do not follow each other.
    #[error("line {0} does not follow the line before on one key's chain")]
    NotAChain(usize),
    /// The last record.
    #[error("its last record is not the approval of its request")]
    OtherRequest,
    /// A request alone.
    #[error("this is a request that nobody has approved yet")]
    RequestAlone,
}

/// Why a kit does not take an approval in. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The medium.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// Signed by a key that is none of this kit's.
    #[error("its key {0} is not enrolled in this copy of the kit")]
    UnknownKey(Serial),
    /// Signed by a key that does not belong.
    #[error("its key {serial} {why}")]
    NoRight {
        /// Which key.
        serial: Serial,
        /// `is not admitted`, …
        why: &'static str,
    },
    /// Not signed by that key.
    #[error("record {seq} of key {serial} in it is not signed by that key")]
    BadSignature {
        /// Which key.
        serial: Serial,
        /// Which record.
        seq: u64,
    },
    /// A record for another kit.
    #[error("it belongs to another kit")]
    OtherKit,
    /// This copy holds another record at that place: the key has signed two.
    #[error("record {seq} of key {serial} is another one in this copy of the kit: its key signed twice")]
    Fork {
        /// Which key.
        serial: Serial,
        /// The place.
        seq: u64,
    },
}

/// How an approval stands to the journal that took it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It was there.
    Known,
    /// It is now, with so many records in all.
    Appended(u64),
    /// This copy lacks what comes before it, so it was not put where it belongs: a journal with a hole, or one that says
    /// that others have seen more, would be in the way of the opening. What is lacking, in words.
    Apart(String),
}

impl Approval {
    /// From the request and the chain that ends with its approval.
    ///
    /// # Errors
    /// What [`Approval::parse`] would refuse.
    pub fn of(request: Request, chain: &[Record]) -> Result<Self, NotAnApproval> {
        // The enrolment carries certificates, and whoever uses the approval has it.
        let newest = chain.iter().rev().take_while(|record| record.link.seq > 0).take(MOST_RECORDS);
        let mut records: Vec<Record> = newest.cloned().collect();
        records.reverse();
        Approval { request, records }.whole()
    }

    /// From a file's bytes.
    ///
    /// # Errors
    /// See [`NotAnApproval`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAnApproval> {
        let bytes = bytes.trim_ascii_end();
        if bytes.len() > READ_CAP {
            return Err(NotAnApproval::TooLong);
        }
        let mut lines =
            bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let request = Request::parse(lines.next().unwrap_or_default()).map_err(NotAnApproval::Request)?;
        let lines: Vec<&[u8]> = lines.collect();
        match lines.len() {
            0 => return Err(NotAnApproval::RequestAlone),
            count if count > MOST_RECORDS => return Err(NotAnApproval::Count(count)),
            _ => {}
        }
        let record = |(index, line): (usize, &&[u8])| {
            Record::parse(line).map_err(|cause| NotAnApproval::Record { line: index + 2, cause })
        };
        let records = lines.iter().enumerate().map(record).collect::<Result<_, _>>()?;
        Approval { request, records }.whole()
    }

    fn whole(self) -> Result<Self, NotAnApproval> {
        if !(1..=MOST_RECORDS).contains(&self.records.len()) {
            return Err(NotAnApproval::Count(self.records.len()));
        }
        for (index, pair) in self.records.windows(2).enumerate() {
            let follows = pair[1].kid == pair[0].kid
                && pair[1].serial == pair[0].serial
                && pair[1].link.seq == pair[0].link.seq.saturating_add(1)
                && pair[1].link.prev == Some(pair[0].hash());
            if !follows {
                return Err(NotAnApproval::NotAChain(index + 3));
            }
        }
        match approves(self.record(), &self.request) {
            true => Ok(self),
            false => Err(NotAnApproval::OtherRequest),
        }
    }

    /// The file's bytes, each line with its line feed.
    pub fn bytes(&self) -> Vec<u8> {
        let records = self.records.iter().map(Record::bytes);
        [self.request.bytes()].into_iter().chain(records).flat_map(|line| [line, b"\n"].concat()).collect()
    }

    /// The record that approves.
    pub fn record(&self) -> &Record {
        self.records.last().expect("an approval has a record")
    }

    /// What it says.
    pub fn facts(&self) -> &RequestApproved {
        match &self.record().event {
            Event::RequestApproved(facts) => facts,
            _ => unreachable!("the last record of an approval approves"),
        }
    }

    /// `approval-<first 8 hexadecimal digits of the request's hash>-<serial>.txt`.
    pub fn file_name(&self) -> String {
        format!("approval-{}-{}.txt", self.request.hash().short(), self.record().serial)
    }

    /// Verifies each record by the key of this kit that it names, and puts those that its journal lacks at the end of that
    /// key's chain, if all that they rest on is there.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub fn take_into(&self, kit: &mut Kit) -> Result<Taken, NotTaken> {
        let record = self.record();
        let serial = record.serial;
        let (chain, key) = signer(kit, record)?;
        for one in &self.records {
            if one.verify(&key).is_err() {
                return Err(NotTaken::BadSignature { serial, seq: one.link.seq });
            }
        }
        if record.link.kit != kit.id() {
            return Err(NotTaken::OtherKit);
        }
        let last = kit.journal.last(&chain);
        for one in &self.records {
            let seq = one.link.seq;
            let held = kit.journal.hash_at(&chain, seq);
            if held.is_some_and(|held| held != one.hash())
                || last.is_some_and(|(at, hash)| seq == at + 1 && one.link.prev != Some(hash))
            {
                return Err(NotTaken::Fork { serial, seq });
            }
        }
        let next = last.map_or(0, |(seq, _)| seq + 1);
        if kit.journal.hash_at(&chain, record.link.seq) == Some(record.hash()) {
            return Ok(Taken::Known);
        }
        if let Some(lacks) = self.lacks(kit, next) {
            return Ok(Taken::Apart(lacks));
        }
        let mut appended = 0;
        for one in self.records.iter().filter(|one| one.link.seq >= next) {
            kit.append(&chain, one)?;
            appended += 1;
        }
        Ok(Taken::Appended(appended))
    }

    /// What this copy lacks to have the records from that place on: others of the chain before them, what a change of the
    /// kit brings beside its record, or records of other chains that they had seen.
    fn lacks(&self, kit: &Kit, next: u64) -> Option<String> {
        let serial = self.record().serial;
        let first = self.records.first().map_or(0, |one| one.link.seq);
        if first > next {
            return Some(match first - 1 {
                last if last == next => format!("record {next} of {serial}"),
                last => format!("records {next} to {last} of {serial}"),
            });
        }
        let new = || self.records.iter().filter(|one| one.link.seq >= next);
        if let Some(change) = new().find(|one| one.event.changes_the_kit()) {
            return Some(format!("record {} of {serial}, {}", change.link.seq, change.event.name()));
        }
        let mut seen = new().flat_map(|one| &one.link.seen);
        let unknown = |name: &str, seq: u64| kit.journal.last(name).is_none_or(|(last, _)| last < seq);
        let other = seen.find(|(name, (seq, _))| unknown(name, *seq));
        other.map(|(name, (seq, _))| format!("record {seq} of {name}, which {serial} had seen"))
    }
}

/// The chain and the key that a record names, if that key belongs.
fn signer(kit: &Kit, record: &Record) -> Result<(String, VerifyingKey), NotTaken> {
    let serial = record.serial;
    let key = kit.key(&record.kid).filter(|key| key.facts.serial == serial);
    let key = key.ok_or(NotTaken::UnknownKey(serial))?;
    let why = match key.standing {
        Standing::Admitted => return Ok((key.chain, VerifyingKey::from(key.facts.signing.0))),
        Standing::Enrolled => "is not admitted",
        Standing::Frozen => "is frozen",
        Standing::Retired { .. } => "was retired",
    };
    Err(NotTaken::NoRight { serial, why })
}

/// What an approver signs for that request.
pub fn facts(request: &Request, approver: &str) -> RequestApproved {
    let asked = &request.asked;
    RequestApproved {
        request: request.hash(),
        credential: asked.credential.clone(),
        generation: asked.generation,
        emergency: asked.emergency.to_string(),
        operator: asked.operator.to_string(),
        reason: asked.reason.clone(),
        document: asked.document.clone(),
        seen_by: asked.seen_by.to_string(),
        until: asked.until,
        approver: approver.to_owned(),
    }
}

/// Whether that record says just what the request does.
fn approves(record: &Record, request: &Request) -> bool {
    match &record.event {
        Event::RequestApproved(signed) => {
            *signed == facts(request, &signed.approver)
                && record.txn.as_deref() == Some(request.asked.incident.as_str())
                && record.link.policy == Some(request.asked.policy)
        }
        _ => false,
    }
}

/// Whether an opening came to an outcome, or as many keys signed for it as the credential takes. What stopped before that
/// has disclosed nothing, and its approval is good for another try.
pub fn spent(kit: &Kit, opening: &Opening) -> bool {
    let intent = &opening.intent;
    let credential = intent.credential.parse().ok().and_then(|name| kit.credentials.get(&name));
    let generation =
        credential.and_then(|it| it.generations.iter().find(|one| one.number == intent.generation));
    let takes = generation.map_or(1, |generation| usize::from(generation.facts.threshold));
    opening.output.is_some() || opening.keys.len() >= takes
}

/// The incident of an opening that used that request up.
pub fn used(kit: &Kit, request: &Hash) -> Option<String> {
    let under_it = |opening: &&Opening| {
        opening.intent.consent.as_ref().is_some_and(|consent| consent.request == Some(*request))
    };
    let mut all = incidents(kit).into_iter();
    let used = all.find(|(_, one)| one.openings.iter().filter(under_it).any(|opening| spent(kit, opening)));
    used.map(|(name, _)| name)
}

#[cfg(test)]
mod tests;
