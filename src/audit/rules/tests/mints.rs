//! Whether what was minted is what the policy and the key allow, and what it leaves to be done.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;

use super::*;
use crate::mint::x509::{Authority, RevokedCertificate, Signed, authority, revocation_list};
use crate::mint::{KeyIdentity, Numbers, Unsigned};

const RULES: &str = r#"
[[mint]]
name = "jump-hosts"
kind = "ssh"
emergencies = ["pam-outage"]
longest = "15m"
principals = ["breakglass"]

[[mint]]
name = "cluster"
kind = "x509"
user = "ada"
groups = ["breakglass:cluster-admins"]
"#;

/// The key in that slot of the n-th sample key.
fn slot_key(key: usize, slot: u8) -> SigningKey {
    let mut scalar = [slot; 32];
    scalar[31] = key as u8 + 1;
    SigningKey::from_slice(&scalar).unwrap()
}

/// Two keys; the first mints everything, the second nothing.
fn minting() -> World {
    let policy = template("harbour", KitKind::Practice).replace("# mints = ", "mints = ") + RULES;
    World::made(2, KitKind::Practice, &policy, |number, facts| {
        if number == 0 {
            facts.minting = [("83", 0x83), ("84", 0x84), ("85", 0x85)]
                .map(|(slot, byte)| (slot.to_owned(), Point(slot_key(0, byte).verifying_key().into())))
                .into();
        }
    })
}

fn numbers(world: &World, key: usize) -> Numbers {
    let writer = &world.keys[key];
    Numbers { key: writer.serial, record: writer.records.len() as u32 }
}

/// What the next record of that key would say to mint `jump-hosts`.
fn intent(world: &World, key: usize) -> MintIntent {
    let at = NOON + 60 * world.keys[key].records.len() as i64;
    MintIntent {
        kind: MintKind::Ssh,
        rule: "jump-hosts".into(),
        emergency: "pam-outage".into(),
        reason: "PAM lost its quorum".into(),
        operator: "ada".into(),
        accounts: vec!["breakglass".into()],
        numbers: vec![numbers(world, key).ssh().to_string()],
        subject: Hash::of(b"subject"),
        digests: vec![Hash::of(b"digest")],
        from: at - 300,
        until: at + 900,
        presence: true,
        tries: 3,
        overrides: vec![],
    }
}

fn issue(world: &mut World, key: usize, intent: &Record, credentials: usize) -> Record {
    let Event::MintIntent(facts) = &intent.event else { panic!("an intent") };
    let facts = MintIssued {
        kind: facts.kind,
        intent: intent.hash(),
        credentials: vec![Hash::of(b"certificate"); credentials],
        output: "agent".into(),
    };
    world.write(key, Event::MintIssued(facts))
}

/// Mints with the first key what `change` says, whole.
fn mint(world: &mut World, change: impl Fn(&mut MintIntent)) -> Record {
    let mut facts = intent(world, 0);
    change(&mut facts);
    let record = world.write(0, Event::MintIntent(facts));
    issue(world, 0, &record, 1);
    record
}

fn minted(change: impl Fn(&mut MintIntent)) -> World {
    let mut world = minting();
    mint(&mut world, change);
    world
}

/// `by` takes something of the first key back.
fn revoke(world: &mut World, by: usize, numbers: &[&str]) -> Record {
    let facts = MintRevoked {
        kind: MintKind::Ssh,
        key: world.keys[0].serial,
        numbers: numbers.iter().map(ToString::to_string).collect(),
        altogether: numbers.is_empty(),
        why: "the laptop was left behind".into(),
        list: None,
    };
    world.write(by, Event::MintRevoked(facts))
}

#[test]
fn nothing_is_wrong_with_what_is_minted_as_the_policy_says() {
    let assessment = minted(|_| {}).assess();
    let wrong: Vec<_> = assessment.findings.iter().filter(|finding| finding.sort == Sort::Wrong).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let [incident] = &assessment.incidents[..] else { panic!("{:?}", assessment.incidents) };
    let [minting] = &incident.mintings[..] else { panic!("{:?}", incident.mintings) };
    assert_eq!((incident.name.as_str(), minting.rule.as_str()), (INCIDENT, "jump-hosts"));
    assert_eq!((minting.output.as_deref(), minting.issued.is_some()), (Some("agent"), true));
    let left: Vec<&str> = incident.debts.iter().map(|debt| debt.what.as_str()).collect();
    assert_eq!(
        left,
        [
            "change the PIN of 20000001",
            "close the incident",
            "return the key 20000001",
            "end the sessions that were begun with what was minted as jump-hosts",
            "end or renew the trust of platforms in what key 20000001 mints",
            "give its records to the auditor",
            "review by someone who did not open for it",
        ]
    );
}

#[test]
fn mint_policy_is_what_the_policy_in_force_allows() {
    none(&minted(|_| {}), "MINT-POLICY");
    type Change = fn(&mut MintIntent);
    let cases: [(&str, Change); 6] = [
        ("lets nothing be minted as \"root\"", |facts| facts.rule = "root".into()),
        ("it is for client certificates", |facts| facts.rule = "cluster".into()),
        ("eve", |facts| facts.operator = "eve".into()),
        ("boredom", |facts| facts.emergency = "boredom".into()),
        ("it holds for 901 s, and the policy allows 15 minutes", |facts| facts.until += 1),
        ("lets in as \"root\", and the policy allows \"breakglass\"", |facts| {
            facts.accounts = vec!["root".into()]
        }),
    ];
    for (words, change) in cases {
        let finding = one(&minted(change), "MINT-POLICY", Sort::Wrong, words);
        assert_eq!((finding.severity, finding.incident.as_deref()), (Severity::High, Some(INCIDENT)));
    }
}

#[test]
fn mint_no_outcome_may_exist_all_the_same() {
    none(&minted(|_| {}), "MINT-NO-OUTCOME");
    let mut world = minting();
    let facts = intent(&world, 0);
    let number = facts.numbers[0].clone();
    world.now = facts.until - 1;
    world.write(0, Event::MintIntent(facts));
    let finding = one(&world, "MINT-NO-OUTCOME", Sort::Due, "it may exist all the same");
    assert_eq!(
        (finding.claim, finding.next),
        (Claim::Possible, Some(format!("breakglass revoke {number} --why …")))
    );
    let now = std::mem::replace(&mut world.now, NOW);
    one(&world, "MINT-NO-OUTCOME", Sort::Note, &number);
    world.now = now;
    revoke(&mut world, 1, &[&number]);
    one(&world, "MINT-NO-OUTCOME", Sort::Note, &number);
}

#[test]
fn mint_intent_lacking_is_an_outcome_without_one() {
    none(&minted(|_| {}), "MINT-INTENT-LACKING");
    let mut world = minting();
    let facts = MintIssued {
        kind: MintKind::Ssh,
        intent: Hash::of(b"never"),
        credentials: vec![Hash::of(b"certificate")],
        output: "agent".into(),
    };
    world.write(0, Event::MintIssued(facts));
    one(&world, "MINT-INTENT-LACKING", Sort::CannotCheck, "the intent that it names is not in the ledger");
}

#[test]
fn mint_mismatch_is_an_outcome_of_something_else() {
    none(&minted(|_| {}), "MINT-MISMATCH");
    let begun = |world: &mut World| {
        let facts = intent(world, 0);
        world.write(0, Event::MintIntent(facts))
    };
    let mut world = minting();
    let record = begun(&mut world);
    issue(&mut world, 0, &record, 2);
    one(&world, "MINT-MISMATCH", Sort::Wrong, "says that 2 were handed out, and 1 were begun");
    let mut world = minting();
    let record = begun(&mut world);
    issue(&mut world, 1, &record, 1);
    one(&world, "MINT-MISMATCH", Sort::Wrong, "of another key says that it was handed out");
    let mut world = minted(|_| {});
    let first = world.keys[0].records.iter().find(|record| matches!(record.event, Event::MintIntent(_)));
    let first = first.unwrap().clone();
    issue(&mut world, 0, &first, 1);
    one(&world, "MINT-MISMATCH", Sort::Wrong, "for a second time");
    let mut world = minting();
    let record = begun(&mut world);
    let (kind, credentials) = (MintKind::Token, vec![Hash::of(b"token")]);
    let facts = MintIssued { kind, intent: record.hash(), credentials, output: "files".into() };
    world.write(0, Event::MintIssued(facts));
    one(&world, "MINT-MISMATCH", Sort::Wrong, "says that a token was handed out");
}

#[test]
fn mint_number_names_its_key_and_record() {
    none(&minted(|_| {}), "MINT-NUMBER");
    one(
        &minted(|facts| facts.numbers = vec!["4711".into()]),
        "MINT-NUMBER",
        Sort::Wrong,
        "does not name key 20000001",
    );
    let x509 = |change: fn(Numbers) -> String| {
        let mut world = minting();
        let number = change(numbers(&world, 0));
        mint(&mut world, |facts| {
            (facts.kind, facts.numbers) = (MintKind::X509, vec![number.clone()]);
        });
        world
    };
    none(&x509(|own| hex::encode(own.x509([7; 8]))), "MINT-NUMBER");
    for wrong in [
        |own: Numbers| hex::encode_upper(own.x509([7; 8])),
        |own: Numbers| hex::encode(Numbers { record: own.record + 1, ..own }.x509([7; 8])),
        |_: Numbers| "42".to_owned(),
    ] {
        one(&x509(wrong), "MINT-NUMBER", Sort::Wrong, "does not name key 20000001");
    }
    let token = |number: &str| {
        minted(|facts| (facts.kind, facts.numbers) = (MintKind::Token, vec![number.to_owned()]))
    };
    none(&token("AAECAwQFBgcICQoLDA0ODw"), "MINT-NUMBER");
    one(&token("1"), "MINT-NUMBER", Sort::Wrong, "is no jti of ours");
}

#[test]
fn mint_number_reused_is_one_number_twice() {
    let mut world = minted(|_| {});
    mint(&mut world, |_| {});
    none(&world, "MINT-NUMBER-REUSED");
    let mut world = minted(|facts| facts.numbers = vec!["7".into()]);
    mint(&mut world, |facts| facts.numbers = vec!["7".into()]);
    let finding = one(&world, "MINT-NUMBER-REUSED", Sort::Wrong, "SSH certificate 7 was minted 2 times");
    assert_eq!(finding.records.len(), 2);
}

#[test]
fn mint_no_slot_is_by_a_key_that_was_not_made_for_it() {
    none(&minted(|_| {}), "MINT-NO-SLOT");
    let mut world = minting();
    let facts = intent(&world, 1);
    let record = world.write(1, Event::MintIntent(facts));
    issue(&mut world, 1, &record, 1);
    one(&world, "MINT-NO-SLOT", Sort::Wrong, "key 20000002 was enrolled without a key in 83");
}

#[test]
fn mint_withdrawn_is_by_a_key_that_is_trusted_no_more() {
    let mut world = minted(|_| {});
    let number = numbers(&world, 0).ssh().to_string();
    mint(&mut world, |_| {});
    revoke(&mut world, 1, &[&number]);
    mint(&mut world, |_| {});
    none(&world, "MINT-WITHDRAWN");
    revoke(&mut world, 1, &[]);
    none(&world, "MINT-WITHDRAWN");
    mint(&mut world, |facts| (facts.kind, facts.rule) = (MintKind::X509, "cluster".into()));
    none(&world, "MINT-WITHDRAWN");
    mint(&mut world, |_| {});
    let finding = one(&world, "MINT-WITHDRAWN", Sort::Wrong, "nothing of key 20000001 is trusted any more");
    assert_eq!((finding.severity, finding.claim), (Severity::Critical, Claim::Certain));
    let revoked = &world.assess().incidents[0].mintings[0].revoked;
    assert_eq!(
        revoked.iter().map(|one| one.why.as_str()).collect::<Vec<_>>(),
        ["the laptop was left behind"]
    );
}

#[test]
fn mint_after_close_is_certain_where_its_writer_knew() {
    let mut world = minted(|_| {});
    world.close(Verdict::Real);
    none(&world, "MINT-AFTER-CLOSE");
    assert!(world.assess().incidents[0].closed.is_some());
    mint(&mut world, |_| {});
    let finding = one(&world, "MINT-AFTER-CLOSE", Sort::Wrong, "had been closed");
    assert_eq!(finding.claim, Claim::Certain);
    assert!(world.assess().incidents[0].closed.is_none(), "it is open again");
}

/// The certificate of an authority and its empty list, signed by that key.
fn certified(key: &SigningKey, of: &SigningKey, seconds: u64) -> MintAuthority {
    let name = Authority::new(of.verifying_key(), "harbour", crate::attestation::Serial(20_000_001)).unwrap();
    let signature = |digest: [u8; 32]| key.sign_prehash(&digest).unwrap();
    fn done<T>(unsigned: Unsigned<T>, signature: impl Fn([u8; 32]) -> p256::ecdsa::Signature) -> Option<T> {
        let signature = signature(unsigned.digest());
        unsigned.finish(&signature).ok()
    }
    let certificate = done(authority(&name, [b'B'; 17], NOON as u64, seconds).unwrap(), signature).unwrap();
    let none: [RevokedCertificate; 0] = [];
    let list = done(revocation_list(&certificate, &none, 1, NOON as u64, None).unwrap(), signature).unwrap();
    MintAuthority { certificate: STANDARD.encode(certificate.der()), list: STANDARD.encode(list.der()) }
}

#[test]
fn mint_authority_is_of_its_own_key_and_signed_by_it() {
    let with = |facts: MintAuthority, by: usize| {
        let mut world = minting();
        world.write(by, Event::MintAuthority(facts));
        world
    };
    let (own, other) = (slot_key(0, 0x84), slot_key(0, 0x83));
    let good = || certified(&own, &own, 86_400);
    none(&with(good(), 0), "MINT-AUTHORITY");
    let found = |facts, by, words: &str| one(&with(facts, by), "MINT-AUTHORITY", Sort::Wrong, words);
    found(certified(&other, &other, 86_400), 0, "it is no certificate of that key");
    found(good(), 1, "enrolled without a key in 84");
    found(MintAuthority { certificate: "?".into(), ..good() }, 0, "no base64");
    found(MintAuthority { certificate: "AAAA".into(), ..good() }, 0, "it is no certificate");
    found(
        MintAuthority { list: certified(&other, &other, 9).list, ..good() },
        0,
        "its list: its signature is not of the authority",
    );
    // A client certificate that somebody passes for an authority; one bit of a signature.
    let mut der = Signed::from_der(&STANDARD.decode(good().certificate).unwrap()).unwrap().der();
    *der.last_mut().unwrap() ^= 1;
    found(
        MintAuthority { certificate: STANDARD.encode(der), ..good() },
        0,
        "its signature is not of the key that it is for",
    );
    let client = crate::mint::x509::ClientCertificate {
        subject: *own.verifying_key(),
        user: "ada".parse().unwrap(),
        incident: "INC-1".parse().unwrap(),
        groups: vec!["a".parse().unwrap()],
        masters: false,
        window: crate::mint::Window::new(NOON as u64, 900, 300).unwrap(),
        number: [b'B'; 17],
    };
    let name =
        Authority::new(own.verifying_key(), "harbour", crate::attestation::Serial(20_000_001)).unwrap();
    let client = client.prepare(&name).unwrap();
    let signature = own.sign_prehash(&client.digest()).unwrap();
    let certificate = STANDARD.encode(client.finish(&signature).unwrap().der());
    found(MintAuthority { certificate, ..good() }, 0, "it was not issued by the authority that it is for");
}

#[test]
fn mint_revoked_unknown_is_a_number_that_nothing_minted() {
    let mut world = minted(|_| {});
    let number = world.assess().incidents[0].mintings[0].numbers[0].clone();
    revoke(&mut world, 1, &[&number]);
    revoke(&mut world, 1, &[]);
    none(&world, "MINT-REVOKED-UNKNOWN");
    revoke(&mut world, 1, &[&number, "4711"]);
    let finding =
        one(&world, "MINT-REVOKED-UNKNOWN", Sort::CannotCheck, "SSH certificate 4711 was taken back");
    assert!(!finding.text.contains(&number));
}

#[test]
fn mint_override_is_told_with_its_reason() {
    none(&minted(|_| {}), "MINT-OVERRIDE");
    let world = minted(|facts| {
        facts.overrides = vec![Override { rule: "clock".into(), why: "the battery is flat".into() }];
    });
    one(&world, "MINT-OVERRIDE", Sort::Note, "clock spoke against it: the battery is flat");
}

#[test]
fn sessions_undone_is_due_until_somebody_says_that_they_were_ended() {
    let mut world = minted(|_| {});
    let finding = one(&world, "SESSIONS-UNDONE", Sort::Due, "as jump-hosts");
    let next = format!("breakglass discharge {INCIDENT} 'sessions jump-hosts' --by NAME --how …");
    assert_eq!((finding.next, finding.records.len()), (Some(next), 1));
    world.word("sessions cluster");
    assert_eq!(found(&world, "SESSIONS-UNDONE").len(), 1);
    world.word("sessions jump-hosts");
    none(&world, "SESSIONS-UNDONE");
    mint(&mut world, |_| {});
    assert_eq!(found(&world, "SESSIONS-UNDONE").len(), 1, "minted again, owed again");
}

#[test]
fn trust_undone_is_due_until_it_was_renewed_or_withdrawn() {
    let mut world = minted(|_| {});
    one(&world, "TRUST-UNDONE", Sort::Due, "key 20000001");
    world.word("trust 20000001");
    none(&world, "TRUST-UNDONE");
    let mut world = minted(|_| {});
    revoke(&mut world, 1, &[]);
    none(&world, "TRUST-UNDONE");
    // Of another kind it is trusted still.
    mint(&mut world, |facts| (facts.kind, facts.rule) = (MintKind::X509, "cluster".into()));
    assert_eq!(found(&world, "TRUST-UNDONE").len(), 1);
}

#[test]
fn logins_are_held_against_what_was_minted() {
    let world = minted(|_| {});
    let mint = &world.assess().incidents[0].mintings[0];
    let number: u64 = mint.numbers[0].parse().unwrap();
    let identity = KeyIdentity {
        incident: INCIDENT.parse().unwrap(),
        operator: "ada".parse().unwrap(),
        numbers: Numbers::of_ssh(number),
    };
    let authority = crate::mint::ssh::fingerprint(slot_key(0, 0x83).verifying_key());
    let subject = base64::engine::general_purpose::STANDARD_NO_PAD.encode(Hash::of(b"subject").0);
    let line = |number: u64, authority: &str| crate::audit::reconcile::Trace::Ssh {
        number: number.to_string(),
        authority: authority.strip_prefix("SHA256:").unwrap().to_owned(),
        subject: subject.clone(),
        identity: identity.text(),
    };
    let found = |traces: &[crate::audit::reconcile::Trace]| {
        let logins = traces.iter().map(|trace| crate::audit::ledger::Login {
            log: "fw".into(),
            credential: trace.to_string(),
            at: mint.from + 400,
            from: None,
            success: true,
            raw: trace.to_string(),
        });
        let logins: Vec<_> = logins.collect();
        let mut ledger = world.ledger();
        ledger.put_logins(&logins, &[]).unwrap();
        let mut findings = assess(&mut ledger, &world.kit(), world.now).unwrap().findings;
        findings.extend(ledger_findings(&mut ledger, world.now).unwrap());
        let of_minted = |rule: &&str| crate::audit::reconcile::OF_MINTED.contains(rule);
        findings.iter().map(|finding| finding.rule).filter(of_minted).collect::<Vec<_>>()
    };
    assert!(found(&[line(number, &authority)]).is_empty());
    assert_eq!(found(&[line(number + 1, &authority)]), ["LOGIN-NOT-MINTED"]);
    assert!(found(&[line(number + 1, "SHA256:corporate")]).is_empty(), "another's authority");
    let of_nobody = crate::audit::reconcile::Trace::X509 { number: "4711".into(), name: String::new() };
    assert_eq!(found(&[of_nobody]), ["LOGIN-NOT-MINTED"], "no kit knows it");
}
