//! A key that signs sample records, for the tests here, in `tests/`, and in `fuzz/` (both include this file): fixed key,
//! fixed times, deterministic signatures (RFC 6979), so that the bytes are the same each time.

#![allow(unreachable_pub, dead_code, reason = "included by several crates, each of which uses a part")]

use std::collections::BTreeMap;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};

use super::attestation::{Firmware, Serial};
use super::event::*;
use super::hash::{Hash, KeyId};
use super::token::{Draft, Link, Record};

/// 2026-11-21 12:00:00 UTC.
pub const NOON: i64 = 1_795_262_400;

/// A key with its chain so far.
pub struct Writer {
    /// Signs the records.
    pub key: SigningKey,
    /// Its serial.
    pub serial: Serial,
    /// What it claims to be certified by.
    pub x5c: Vec<Vec<u8>>,
    /// Named in each record from its founding.
    pub kit: Option<Hash>,
    /// Heads of others.
    pub seen: BTreeMap<String, (u64, Hash)>,
    /// What it has written.
    pub records: Vec<Record>,
}

impl Writer {
    /// The n-th sample key, not enrolled yet.
    pub fn new(n: u8) -> Self {
        let key = SigningKey::from_slice(&[n; 32]).expect("a scalar in range");
        let x5c = vec![vec![0x30, 0x03, 0x02, 0x01, n], vec![0x30, 0x00]];
        let serial = Serial(20_000_000 + u32::from(n));
        Writer { key, serial, x5c, kit: None, seen: BTreeMap::new(), records: Vec::new() }
    }

    /// A key that is enrolled and has founded a kit: two records.
    pub fn founder(n: u8) -> Self {
        let mut writer = Writer::new(n);
        let enrolment = writer.enrolment();
        writer.write(enrolment);
        let founding = writer.write(founding());
        writer.kit = Some(founding.hash());
        writer
    }

    /// The enrolment of this key.
    pub fn enrolment(&self) -> Event {
        let point = |n: u8| {
            let key = SigningKey::from_slice(&[n; 32]).expect("a scalar in range");
            Point(key.verifying_key().into())
        };
        Event::KeyEnrolled(KeyEnrolled {
            serial: self.serial,
            firmware: Firmware::new(5, 7, 4),
            signing: Point(self.key.verifying_key().into()),
            sealing: point(0x82),
            presence: Some(point(0x9E)),
            minting: BTreeMap::new(),
            root: "practice".into(),
            attestations: BTreeMap::from([
                ("82".into(), "MAMCAYI=".into()),
                ("9E".into(), "MAMCAZ4=".into()),
            ]),
            overrides: vec![],
            fido2: None,
        })
    }

    /// The FIDO2 side of this key.
    pub fn authenticator(&self) -> Authenticator {
        let mut scalar = self.key.to_bytes();
        scalar[0] ^= 0x80;
        let key = SigningKey::from_slice(&scalar).expect("a scalar in range");
        Authenticator { key, counter: 40, step: 1 }
    }

    /// The enrolment of this key with its FIDO2 side, and two envelopes.
    pub fn fido2_enrolment(&self, authenticator: &mut Authenticator) -> Event {
        let Event::KeyEnrolled(mut facts) = self.enrolment() else { unreachable!("an enrolment") };
        facts.fido2 = Some(Box::new(Fido2Enrolled {
            aaguid: Aaguid([0xAA; 16]),
            firmware: Some(328_707),
            credential: CredentialId::new(vec![0xC5; 64]).expect("64 bytes"),
            public: Point(authenticator.key.verifying_key().into()),
            pin: Fido2PinKind::Shared,
            profile: CounterProfile::Exact { step: 1 },
            proof: authenticator.assert(&enrolment_challenge(&facts.signing)),
            envelopes: vec![envelope(self.serial, 1), envelope(self.serial, 2)],
        }));
        Event::KeyEnrolled(facts)
    }

    /// The next record of this key, not signed yet.
    pub fn draft(&self, event: Event) -> Draft {
        let seq = self.records.len() as u64;
        let opening = matches!(
            event,
            Event::OpenIntent(_)
                | Event::OpenReleased(_)
                | Event::IncidentClosed(_)
                | Event::DebtDischarged(_)
                | Event::IncidentReviewed(_)
                | Event::RequestApproved(_)
                | Event::MintIntent(_)
                | Event::MintIssued(_)
        );
        Draft {
            kid: KeyId::of(&self.verifying_key()),
            x5c: if seq == 0 { self.x5c.clone() } else { vec![] },
            iss: "https://records.example.org".into(),
            serial: self.serial,
            txn: opening.then(|| "2026-11-21-database-down".into()),
            jti: format!("{}-{seq}", self.serial),
            iat: NOON + 60 * seq as i64,
            link: Link {
                kit: self.kit,
                seq,
                prev: self.records.last().map(Record::hash),
                seen: self.seen.clone(),
                policy: self.kit.map(|_| Hash::of(b"policy")),
                tool: Hash::of(b"breakglass"),
            },
            event,
        }
    }

    /// Signs, without adding to the chain.
    pub fn sign(&self, draft: Draft) -> Record {
        let input = draft.signing_input().expect("a sample is within the format");
        let signature: Signature = self.key.sign_prehash(&input.digest()).expect("32 bytes");
        input.finish(&signature)
    }

    /// Signs and adds to the chain.
    pub fn write(&mut self, event: Event) -> Record {
        let record = self.sign(self.draft(event));
        self.records.push(record.clone());
        record
    }

    /// Adds so many openings.
    pub fn open(&mut self, times: usize) {
        for _ in 0..times {
            self.write(intent());
        }
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        *self.key.verifying_key()
    }

    /// The chain's name.
    pub fn name(&self) -> String {
        super::token::chain_name(self.serial, &KeyId::of(&self.verifying_key()))
    }

    /// The journal file.
    pub fn journal(&self) -> Vec<u8> {
        journal(&self.records)
    }
}

/// The FIDO2 side of a sample key.
pub struct Authenticator {
    /// Of its credential.
    pub key: SigningKey,
    /// Its counter, as of its last use.
    pub counter: u32,
    /// What each use adds.
    pub step: u32,
}

impl Authenticator {
    /// One use, over this challenge, as authenticators answer with two salts (CTAP 2.1 section 12.5): two hmac-secrets
    /// under PIN protocol 2 in the extensions.
    pub fn assert(&mut self, challenge: &[u8]) -> Assertion {
        self.counter = self.counter.wrapping_add(self.step);
        let extensions = [b"\xA1\x6Bhmac-secret\x58\x50".as_slice(), &[0xE5; 80]].concat();
        let party = Hash::of(b"breakglass.example");
        let data = [&party.0[..], &[0x85], &self.counter.to_be_bytes(), &extensions].concat();
        let digest = Hash::of(&[&data[..], &Hash::of(challenge).0].concat());
        let signature: Signature = self.key.sign_prehash(&digest.0).expect("32 bytes");
        Assertion {
            data: AuthenticatorData::new(data).expect("well below the limit"),
            signature: DerSignature::new(signature.to_der().as_bytes().to_vec()).expect("a signature"),
        }
    }

    /// The record of one use over that record.
    pub fn asserted(&mut self, over: &Record, next: Option<Envelope>) -> Event {
        let Assertion { data, signature } = self.assert(over.bytes());
        Event::OpenAsserted(OpenAsserted { over: over.hash(), data, signature, next })
    }
}

/// A sample envelope of that key.
pub fn envelope(serial: Serial, n: u8) -> Envelope {
    let bytes = |what: &str| Hash::of(format!("{what} {n} of {serial}").as_bytes()).0;
    Envelope { salt: Random(bytes("salt")), recipient: AgeRecipient::of(&bytes("recipient")) }
}

/// Records, one a line.
pub fn journal(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(|record| [record.bytes(), b"\n"].concat()).collect()
}

/// A founding.
pub fn founding() -> Event {
    Event::KitFounded(KitFounded {
        name: "harbour".into(),
        kind: KitKind::Practice,
        policy: Hash::of(b"policy"),
        attestation_root: None,
    })
}

/// A drill that somebody watched.
pub fn drill() -> DrillBegun {
    DrillBegun {
        credential: "vsphere/root".into(),
        generation: 3,
        sealed: Hash::of(b"sealed"),
        operator: "j.okafor".into(),
        witness: Some("m.ito".into()),
        presence: true,
        tries: 3,
    }
}

/// A minting, to which a clock was accepted.
pub fn minting() -> Event {
    Event::MintIntent(MintIntent {
        kind: MintKind::Ssh,
        rule: "jump-hosts".into(),
        emergency: "outage".into(),
        reason: "PAM lost its quorum".into(),
        operator: "j.okafor".into(),
        accounts: vec!["breakglass".into()],
        numbers: vec!["85899771289337864".into()],
        subject: Hash::of(b"subject"),
        digests: vec![Hash::of(b"to be signed")],
        from: 1_795_931_700,
        until: 1_795_932_900,
        presence: true,
        tries: 3,
        overrides: vec![Override { rule: "clock".into(), why: "the battery is flat".into() }],
    })
}

/// An opening with a reason that has all kinds of characters.
pub fn intent() -> Event {
    Event::OpenIntent(OpenIntent {
        credential: "vsphere/root".into(),
        generation: 3,
        sealed: Hash::of(b"sealed"),
        emergency: "outage".into(),
        reason: "storage \"gone\", größte Not \u{1F525}\t\u{202E}\u{7}".into(),
        operator: "j.okafor".into(),
        presence: true,
        tries: 3,
        overrides: vec![Override { rule: "gap".into(), why: "stick was lost".into() }],
        consent: Some(Consent {
            request: Some(Hash::of(b"request")),
            approvals: vec![Hash::of(b"approval")],
            skipped: vec!["m.ito".into()],
        }),
    })
}

/// An approval.
pub fn approval() -> RequestApproved {
    RequestApproved {
        request: Hash::of(b"request"),
        credential: "vsphere/root".into(),
        generation: 3,
        emergency: "outage".into(),
        operator: "j.okafor".into(),
        reason: "storage gone".into(),
        document: "passport".into(),
        seen_by: "m.ito".into(),
        until: NOON + 3_600,
        approver: "m.lindqvist".into(),
    }
}

/// One of each event but the enrolment, with every member given.
pub fn every_event() -> Vec<Event> {
    let change = Hash::of(b"change");
    let key = KeyId(Hash::of(b"other key"));
    let mut founded = founding();
    if let Event::KitFounded(facts) = &mut founded {
        facts.attestation_root = Some(Hash::of(b"root"));
    }
    let (credential, serial) = (String::from("vsphere/root"), Serial(20_000_099));
    vec![
        founded,
        Event::KeyAdmitted(KeyAdmitted { change, serial, key, enrolment: Hash::of(b"enrolment") }),
        Event::KeyRetired(KeyRetired { change, serial, key, last_seq: 41, why: "lost in the move".into() }),
        Event::PolicyAdopted(PolicyAdopted { change, policy: Hash::of(b"policy 2") }),
        Event::KeyPinChanged(KeyPinChanged { what: "unblock".into() }),
        Event::CredentialSealed(CredentialSealed {
            credential: credential.clone(),
            generation: 3,
            pending: true,
            threshold: 2,
            factors: vec!["piv".into(), "fido2".into()],
            folder: "3-0a1b2c3d".into(),
            recipients: vec![key],
            envelopes: vec![Some(envelope(serial, 1).recipient.id())],
            files: BTreeMap::from([("payload.age".into(), Hash::of(b"payload"))]),
            list: Some(Hash::of(b"list")),
        }),
        Event::CredentialConfirmed(CredentialConfirmed {
            credential: credential.clone(),
            generation: 3,
            sealed: Hash::of(b"sealed"),
        }),
        intent(),
        Event::OpenAsserted(OpenAsserted {
            over: Hash::of(b"intent"),
            data: AuthenticatorData::new(vec![7; 37]).expect("the shortest"),
            signature: DerSignature::new(vec![0x30; 72]).expect("the longest"),
            next: Some(envelope(serial, 3)),
        }),
        Event::OpenReleased(OpenReleased {
            credential,
            generation: 3,
            intents: vec![Hash::of(b"intent")],
            output: "terminal".into(),
        }),
        Event::Exported(Exported {
            count: 12,
            bundle: Hash::of(b"bundle"),
            heads: BTreeMap::from([("20000099-0a1b2c3d".into(), (41, Hash::of(b"head")))]),
        }),
        Event::GapAccepted(GapAccepted { damage: Hash::of(b"damage"), why: "the stick burned".into() }),
        Event::KeyWitness(KeyWitness { nonce: Random([9; 32]) }),
        Event::IncidentClosed(IncidentClosed {
            verdict: Verdict::FalseAlarm,
            outcome: "the storage came back".into(),
            switched_off: vec!["SCP deny-all on the OU Production".into()],
        }),
        Event::LedgerAnchored(LedgerAnchored {
            checkpoint: Hash::of(b"checkpoint"),
            origin: "audit.example.org/ledger".into(),
            size: 4_711,
        }),
        Event::KeyCheckedOut(KeyCheckedOut {
            serial: Serial(20000099),
            key: KeyId(Hash::of(b"key")),
            bag: "0417".into(),
            seal: SealSeen::Intact,
            person: "ada".into(),
            witness: "bob".into(),
            why: "INC-4711".into(),
        }),
        Event::KeyCheckedIn(KeyCheckedIn {
            serial: Serial(20000099),
            key: KeyId(Hash::of(b"key")),
            place: "safe A".into(),
            bag: "0502".into(),
            person: "ada".into(),
            witness: "bob".into(),
        }),
        Event::DebtDischarged(DebtDischarged {
            debt: "return 20000099".into(),
            by: "j.okafor".into(),
            how: "back in safe A, new seal 0419".into(),
        }),
        Event::IncidentReviewed(IncidentReviewed {
            by: "m.lindqvist".into(),
            judgement: Judgement::Disagree,
            text: "the console was reachable".into(),
            lesson: Some("name the console in the runbook".into()),
        }),
        Event::DrillBegun(drill()),
        Event::DrillEnded(DrillEnded {
            credential: "vsphere/root".into(),
            generation: 3,
            begun: Hash::of(b"begun"),
            proven: false,
            seconds: 41,
            commands: 23,
            touches: 3,
            failed: Some("the key was not touched in time".into()),
        }),
        Event::RequestApproved(approval()),
        minting(),
        Event::MintIssued(MintIssued {
            kind: MintKind::Ssh,
            intent: Hash::of(b"intent"),
            credentials: vec![Hash::of(b"certificate")],
            output: "agent".into(),
        }),
        Event::MintAuthority(MintAuthority {
            certificate: "YSBjZXJ0aWZpY2F0ZQ==".into(),
            list: "YSBsaXN0".into(),
        }),
        Event::MintRevoked(MintRevoked {
            kind: MintKind::X509,
            key: Serial(20_000_004),
            numbers: vec!["01312d04000000070f1e2d3c4b5a6978aa".into()],
            altogether: false,
            why: "the laptop was left behind".into(),
            list: Some("YSBsaXN0".into()),
        }),
    ]
}
