//! Whether records are all there, and as they were signed.

use super::*;

/// A record whose reason was changed after it was signed: everything fits but the signature.
fn edited(record: &Record) -> Record {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let text = std::str::from_utf8(record.bytes()).unwrap();
    let parts: Vec<&str> = text.split('.').collect();
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let claims = URL_SAFE_NO_PAD.encode(claims.replace("quorum", "QUORUM"));
    Record::parse(format!("{}.{claims}.{}", parts[0], parts[2]).as_bytes()).unwrap()
}

#[test]
fn record_changed_is_found_and_the_gap_that_it_leaves() {
    let mut world = World::lived(2);
    none(&world, "RECORD-CHANGED");
    let at = world.keys[0].records.iter().position(|record| matches!(record.event, Event::OpenIntent(_)));
    let at = at.unwrap();
    world.keys[0].records[at] = edited(&world.keys[0].records[at]);
    let hash = world.keys[0].records[at].hash();
    let finding = one(&world, "RECORD-CHANGED", Sort::Wrong, "(open.intent) is not as its key signed it");
    assert_eq!((finding.severity, &finding.records[..]), (Severity::Critical, &[hash][..]));
    one(&world, "CHAIN-GAP", Sort::Wrong, "what stands there was changed");
}

#[test]
fn record_changed_beside_the_right_one_leaves_no_gap() {
    let mut world = World::lived(2);
    let at = world.keys[0].records.len() - 2;
    let record = world.keys[0].records[at].clone();
    assert!(matches!(record.event, Event::IncidentClosed(_)));
    world.keys[0].records.push(edited(&record));
    one(&world, "RECORD-CHANGED", Sort::Wrong, "(incident.closed)");
    none(&world, "CHAIN-GAP");
    none(&world, "CHAIN-FORK");
}

#[test]
fn record_unknown_key_is_not_passed() {
    let mut world = World::lived(2);
    none(&world, "RECORD-UNKNOWN-KEY");
    let strange = world.keys.pop().unwrap();
    let mut ledger = world.ledger();
    let records: Vec<Record> = strange.records[1..].to_vec();
    world.put(&mut ledger, &records);
    let findings = of_rule(assess(&mut ledger, &world.kit(), NOW).unwrap(), "RECORD-UNKNOWN-KEY");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].sort, Sort::CannotCheck);
    let told = format!("{} records of {} cannot be verified", records.len(), strange.name());
    assert!(findings[0].text.starts_with(&told), "{}", findings[0].text);
}

#[test]
fn record_other_kit_is_found_and_does_not_count() {
    let mut world = World::lived(2);
    none(&world, "RECORD-OTHER-KIT");
    let intent = Event::OpenIntent(world.intent());
    let mut draft = world.draft(1, intent);
    draft.link.kit = Some(Hash::of(b"another kit"));
    world.sign(1, draft);
    one(&world, "RECORD-OTHER-KIT", Sort::Wrong, "key 20000002: 1 record, from record");
    assert_eq!(world.assess().incidents[0].openings.len(), 1);
}

#[test]
fn chain_gap_is_found_at_the_start_and_in_the_middle() {
    let mut world = World::lived(2);
    none(&world, "CHAIN-GAP");
    for _ in 0..2 {
        world.witness(1);
    }
    world.keys[1].records.drain(2..4);
    let finding = one(&world, "CHAIN-GAP", Sort::Wrong, "records 2 to 3 of");
    assert_eq!(finding.records, [world.keys[1].records[2].hash()]);
    world.keys[1].records.remove(3);
    assert_eq!(found(&world, "CHAIN-GAP").len(), 2);
    world.keys[1].records.remove(0);
    assert_eq!(found(&world, "CHAIN-GAP"), [], "without its enrolment nothing of a key is known");
    one(&world, "RECORD-UNKNOWN-KEY", Sort::CannotCheck, "cannot be verified");
    let mut world = World::lived(2);
    world.keys[1].records.remove(1);
    one(&world, "CHAIN-GAP", Sort::Wrong, "record 1 of");
}

#[test]
fn chain_fork_is_found_once_with_all_its_records() {
    let mut world = World::lived(2);
    none(&world, "CHAIN-FORK");
    // The key goes on from an older copy of the kit, twice.
    let records = world.keys[1].records.clone();
    let from = records.len() - 2;
    world.keys[1].records.truncate(from);
    let mut others = vec![world.witness(1)];
    others.insert(0, world.keys[1].records[from].clone());
    world.keys[1].records.splice(from.., records[from..].iter().cloned());
    world.keys[1].records.extend(others.iter().cloned());
    let finding = one(&world, "CHAIN-FORK", Sort::Wrong, "signed 2 records for place");
    let mut both = [records[from].hash(), others[0].hash()];
    both.sort();
    assert_eq!((finding.severity, &finding.records[..]), (Severity::Critical, &both[..]));
}

#[test]
fn chain_fork_of_a_branch_of_a_fork_is_another() {
    let mut world = World::lived(1);
    let pin = || Event::KeyPinChanged(KeyPinChanged { what: "puk".into() });
    // Both branches go on by one record: one fork. Then the newer one forks again.
    let at = world.keys[0].records.len();
    let branch = |world: &mut World, from: &[Record], count: usize| {
        world.keys[0].records = from.to_vec();
        (0..count).map(|_| world.write(0, pin())).collect::<Vec<_>>()
    };
    let before = world.keys[0].records.clone();
    world.clock = Some(NOON + 7_200);
    let one_side = branch(&mut world, &before, 2);
    world.clock = Some(NOON + 7_300);
    let other = branch(&mut world, &before, 2);
    let both = |records: &[&[Record]]| [&before[..], &records.concat()].concat();
    world.keys[0].records = both(&[&one_side, &other]);
    one(&world, "CHAIN-FORK", Sort::Wrong, &format!("signed 2 records for place {at}"));
    world.clock = Some(NOON + 7_400);
    let again = branch(&mut world, &[&before[..], &other[..1]].concat(), 1);
    world.keys[0].records = both(&[&one_side, &other, &again]);
    let told: Vec<String> = found(&world, "CHAIN-FORK").into_iter().map(|finding| finding.text).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains(&format!("signed 3 records for place {}", at + 1)), "{told:?}");
}

#[test]
fn chain_fork_shows_by_the_record_that_was_signed_on_the_lost_branch() {
    let mut world = World::lived(2);
    let records = world.keys[1].records.clone();
    let last = records.len() - 1;
    world.keys[1].records.truncate(last);
    world.witness(1);
    // Of the branch that went on, only what came after its first record is here.
    let after = world.keys[1].records.split_off(last + 1);
    world.keys[1].records[last] = records[last].clone();
    world.keys[1].records.extend(after);
    one(&world, "CHAIN-FORK", Sort::Wrong, "that branch of the chain is lacking");
}

#[test]
fn chain_lacks_what_another_key_had_seen() {
    let mut world = World::lived(2);
    none(&world, "CHAIN-LACKS");
    world.write(0, Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    let end = world.keys[1].records.len() as u64;
    world.keys[1].records.truncate(end as usize - 2);
    let told = format!("the ledger lacks records {} to {} of {}", end - 2, end - 1, world.chain(1));
    one(&world, "CHAIN-LACKS", Sort::Wrong, &told);
}

#[test]
fn chain_lacks_what_an_export_names() {
    let mut world = World::lived(1);
    let heads = [(world.chain(0), (40, Hash::of(b"later")))].into();
    world.write(0, Event::Exported(Exported { count: 41, bundle: Hash::of(b"bundle"), heads }));
    one(&world, "CHAIN-LACKS", Sort::Wrong, "to 40 of");
}

#[test]
fn chain_lacks_nothing_that_only_a_foreign_key_claims_to_have_seen() {
    let mut world = World::lived(2);
    let mut foreign = Writer::new(9);
    let enrolment = foreign.enrolment();
    foreign.write(enrolment);
    foreign.kit = Some(world.kit());
    foreign.seen = [(world.chain(0), (4_000, Hash::of(b"never")))].into();
    foreign.write(Event::KeyPinChanged(KeyPinChanged { what: "pin".into() }));
    world.keys.push(foreign);
    none(&world, "CHAIN-LACKS");
}

#[test]
fn chain_other_is_found_where_two_had_seen_two_records() {
    let mut world = World::lived(2);
    none(&world, "CHAIN-OTHER");
    world.keys[1].seen = [(world.chain(0), (3, Hash::of(b"another")))].into();
    let draft = world.keys[1].draft(Event::KeyPinChanged(KeyPinChanged { what: "puk".into() }));
    world.sign(1, draft);
    let told = format!("had seen another record {}/3 than the ledger holds", world.chain(0));
    one(&world, "CHAIN-OTHER", Sort::Wrong, &told);
}

#[test]
fn gap_accepted_stays_visible() {
    let mut world = World::lived(1);
    none(&world, "GAP-ACCEPTED");
    world
        .write(0, Event::GapAccepted(GapAccepted { damage: Hash::of(b"x"), why: "the stick burned".into() }));
    one(&world, "GAP-ACCEPTED", Sort::Note, "the stick burned");
}
