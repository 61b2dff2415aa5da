use super::*;
use crate::kit::policy::template;
use crate::record::event::{KeyAdmitted, KeyRetired, PolicyAdopted};
use crate::record::sample::Writer;

/// Keys A, B, C… of one kit, each with its own view of the others.
struct Keys(Vec<Writer>);

fn policy(quorum: usize) -> Policy {
    let text = template("kit", KitKind::Practice).replace("quorum = 2", &format!("quorum = {quorum}"));
    Policy::parse(text.as_bytes()).unwrap()
}

/// Two signatures, of which one must be of B or C: the writers' serials.
fn grouped() -> Policy {
    let [b, c] = [2, 3].map(|n| Writer::new(n).serial);
    let group = format!("\n[[quorum-group]]\nname = \"security\"\nkeys = [{b}, {c}]\n");
    Policy::parse((template("kit", KitKind::Practice) + &group).as_bytes()).unwrap()
}

impl Keys {
    /// A founds a kit; the others are enrolled.
    fn new(keys: u8, quorum: usize) -> Self {
        Keys::by(keys, policy(quorum).hash)
    }

    fn by(keys: u8, policy: Hash) -> Self {
        let mut founder = Writer::new(1);
        founder.write(founder.enrolment());
        let founding = founder.write(Event::KitFounded(KitFounded {
            name: "kit".into(),
            kind: KitKind::Practice,
            policy,
            attestation_root: None,
        }));
        founder.kit = Some(founding.hash());
        let mut all = vec![founder];
        for n in 2..=keys {
            let mut writer = Writer::new(n);
            writer.kit = Some(founding.hash());
            writer.write(writer.enrolment());
            all.push(writer);
        }
        Keys(all)
    }

    fn kit(&self) -> Hash {
        self.0[0].kit.unwrap()
    }

    fn id(&self, key: usize) -> KeyId {
        self.0[key].records[0].kid
    }

    /// The signer has seen everything that is there now.
    fn sees_all(&mut self, signer: usize) {
        let heads: BTreeMap<_, _> = self
            .0
            .iter()
            .enumerate()
            .filter(|(key, _)| *key != signer)
            .filter_map(|(_, w)| w.records.last())
            .map(|r| (r.chain_name(), (r.link.seq, r.hash())))
            .collect();
        self.0[signer].seen = heads;
    }

    fn sign(&mut self, signer: usize, change: Change) {
        self.sees_all(signer);
        self.sign_blind(signer, change);
    }

    /// Signs without having seen anything new.
    fn sign_blind(&mut self, signer: usize, change: Change) {
        let hash = change.hash(&self.kit());
        let event = match change {
            Change::Admit { key, enrolment } => {
                Event::KeyAdmitted(KeyAdmitted { change: hash, serial: self.serial_of(&key), key, enrolment })
            }
            Change::Retire { key, last_seq } => Event::KeyRetired(KeyRetired {
                change: hash,
                serial: self.serial_of(&key),
                key,
                last_seq,
                why: "lost".into(),
            }),
            Change::Adopt { policy } => Event::PolicyAdopted(PolicyAdopted { change: hash, policy }),
        };
        self.0[signer].write(event);
    }

    fn serial_of(&self, key: &KeyId) -> Serial {
        self.0.iter().find(|w| w.records[0].kid == *key).unwrap().serial
    }

    fn admit(&self, key: usize) -> Change {
        Change::Admit { key: self.id(key), enrolment: self.0[key].records[0].hash() }
    }

    fn retire(&self, key: usize) -> Change {
        let last_seq = self.0[key].records.last().unwrap().link.seq;
        Change::Retire { key: self.id(key), last_seq }
    }

    fn derive(&self) -> Roster {
        let names: Vec<String> = self.0.iter().map(|w| w.records[0].chain_name()).collect();
        let records =
            self.0.iter().zip(&names).flat_map(|(w, name)| w.records.iter().map(|r| (name.as_str(), r)));
        let known: Vec<Policy> = (1..=5).map(policy).chain([grouped()]).collect();
        derive(records, &|hash| known.iter().find(|p| p.hash == *hash).cloned()).unwrap()
    }

    fn standing(&self, key: usize) -> Standing {
        self.derive().keys[&self.id(key)].standing
    }

    /// All of them admitted.
    fn all(keys: u8, quorum: usize) -> Self {
        let mut all = Keys::new(keys, quorum);
        for key in 1..usize::from(keys) {
            for signer in 0..key {
                all.sign(signer, all.admit(key));
            }
            assert_eq!(all.standing(key), Standing::Admitted);
        }
        all
    }
}

#[test]
fn the_first_key_admits_the_second_alone_and_no_third() {
    let mut keys = Keys::new(3, 2);
    assert_eq!(keys.standing(0), Standing::Admitted);
    assert_eq!(keys.standing(1), Standing::Enrolled);
    keys.sign(0, keys.admit(1));
    assert_eq!(keys.standing(1), Standing::Admitted);
    keys.sign(0, keys.admit(2));
    assert_eq!(keys.standing(2), Standing::Enrolled);
    let roster = keys.derive();
    assert_eq!((roster.pending.len(), roster.pending[0].signers.len(), roster.pending[0].needs), (1, 1, 2));
    keys.sign(1, keys.admit(2));
    assert_eq!(keys.standing(2), Standing::Admitted);
    assert!(keys.derive().pending.is_empty());
}

#[test]
fn one_key_signing_twice_is_one_signature() {
    let mut keys = Keys::all(3, 2);
    let mut more = Writer::new(9);
    more.kit = Some(keys.kit());
    more.write(more.enrolment());
    keys.0.push(more);
    keys.sign(0, keys.admit(3));
    keys.sign(0, keys.admit(3));
    assert_eq!(keys.standing(3), Standing::Enrolled);
}

#[test]
fn a_key_that_is_not_admitted_has_no_vote() {
    let mut keys = Keys::all(2, 2);
    for n in [7, 8] {
        let mut stranger = Writer::new(n);
        stranger.kit = Some(keys.kit());
        stranger.write(stranger.enrolment());
        keys.0.push(stranger);
    }
    keys.sign(2, keys.admit(3));
    keys.sign(3, keys.admit(2));
    keys.sign(2, keys.admit(2));
    assert_eq!((keys.standing(2), keys.standing(3)), (Standing::Enrolled, Standing::Enrolled));
    assert_eq!(keys.derive().irregular.len(), 3);
}

#[test]
fn the_victim_has_no_vote_on_its_retirement_and_none_is_needed() {
    let mut keys = Keys::all(2, 2);
    keys.sign(0, keys.retire(1));
    assert!(matches!(keys.standing(1), Standing::Retired { .. }));

    let mut keys = Keys::all(3, 2);
    keys.sign(0, keys.retire(1));
    keys.sign(1, keys.retire(1));
    assert_eq!(keys.standing(1), Standing::Admitted);
    keys.sign(2, keys.derive().pending[0].change.clone());
    assert!(matches!(keys.standing(1), Standing::Retired { .. }));
}

#[test]
fn what_a_retired_key_signs_later_counts_for_nothing() {
    let mut keys = Keys::all(3, 2);
    let retire = keys.retire(2);
    keys.sign(0, retire.clone());
    keys.sign(1, retire);
    let adopt = Change::Adopt { policy: policy(3).hash };
    keys.sign(2, adopt.clone());
    keys.sign(0, adopt);
    let roster = keys.derive();
    assert_eq!(roster.policy, policy(2).hash);
    assert_eq!(roster.irregular.len(), 1);
}

#[test]
fn two_keys_that_retire_each_other_unseen_are_both_frozen() {
    let mut two = Keys::all(2, 2);
    let (retire_0, retire_1) = (two.retire(0), two.retire(1));
    two.sign_blind(0, retire_1);
    two.sign_blind(1, retire_0);
    assert_eq!((two.standing(0), two.standing(1)), (Standing::Frozen, Standing::Frozen));
}

#[test]
fn a_stolen_key_that_a_quorum_has_retired_freezes_nobody() {
    let mut keys = Keys::all(3, 2);
    let (stolen, mine) = (keys.retire(2), keys.retire(0));
    keys.sign(0, stolen.clone());
    keys.sign(1, stolen);
    keys.sign_blind(2, mine);
    assert_eq!((keys.standing(0), keys.standing(1)), (Standing::Admitted, Standing::Admitted));
    assert!(matches!(keys.standing(2), Standing::Retired { .. }));
    assert_eq!(keys.derive().irregular.len(), 1);
}

#[test]
fn two_halves_of_a_quorum_that_retire_each_other_freeze() {
    let mut keys = Keys::all(4, 2);
    let (retire_0, retire_2) = (keys.retire(0), keys.retire(2));
    keys.sign(3, retire_0.clone());
    keys.sign(0, retire_2.clone());
    keys.sign_blind(1, retire_2);
    keys.0[2].seen.clear();
    keys.sign_blind(2, retire_0);
    assert_eq!((keys.standing(0), keys.standing(2)), (Standing::Frozen, Standing::Frozen));
}

#[test]
fn a_retirement_that_was_seen_is_not_answered_by_another() {
    let mut keys = Keys::all(2, 2);
    let (retire_0, retire_1) = (keys.retire(0), keys.retire(1));
    keys.sign(0, retire_1);
    keys.sign(1, retire_0);
    assert_eq!(keys.standing(0), Standing::Admitted);
    assert!(matches!(keys.standing(1), Standing::Retired { .. }));
}

#[test]
fn a_retired_key_comes_back_only_by_fresh_signatures() {
    let mut keys = Keys::all(3, 2);
    let retire = keys.retire(2);
    keys.sign(0, retire.clone());
    keys.sign(1, retire);
    assert!(matches!(keys.standing(2), Standing::Retired { .. }));
    keys.sign(0, keys.admit(2));
    assert!(matches!(keys.standing(2), Standing::Retired { .. }));
    keys.sign(1, keys.admit(2));
    assert_eq!(keys.standing(2), Standing::Admitted);
}

#[test]
fn a_policy_takes_effect_by_quorum_and_changes_the_quorum() {
    let mut keys = Keys::all(3, 2);
    let three = Change::Adopt { policy: policy(3).hash };
    keys.sign(0, three.clone());
    assert_eq!(keys.derive().policy, policy(2).hash);
    keys.sign(1, three);
    assert_eq!(keys.derive().policy, policy(3).hash);
    let one = Change::Adopt { policy: policy(1).hash };
    keys.sign(0, one.clone());
    keys.sign(1, one.clone());
    assert_eq!(keys.derive().policy, policy(3).hash);
    keys.sign(2, one);
    assert_eq!(keys.derive().policy, policy(1).hash);
    // Back to an earlier one: its old signatures do not count.
    let three = Change::Adopt { policy: policy(3).hash };
    assert_eq!(keys.derive().needs(&three, 1), 1);
    keys.sign(2, three);
    assert_eq!(keys.derive().policy, policy(3).hash);
}

#[test]
fn of_a_group_some_must_be_among_the_signers() {
    let mut keys = Keys::by(5, grouped().hash);
    for (key, signers) in [(1, &[0][..]), (2, &[0, 1]), (3, &[0, 1])] {
        for signer in signers {
            keys.sign(*signer, keys.admit(key));
        }
        assert_eq!(keys.standing(key), Standing::Admitted);
    }
    // A and D are two and none of security.
    keys.sign(0, keys.admit(4));
    keys.sign(3, keys.admit(4));
    assert_eq!(keys.standing(4), Standing::Enrolled);
    let pending = keys.derive().pending;
    assert_eq!((pending[0].signers.len(), pending[0].needs), (2, 2));
    let [b, c] = [1, 2].map(|key| keys.0[key].serial);
    assert_eq!(pending[0].wanting.to_string(), format!("1 of security ({b}, {c})"));
    keys.sign(2, keys.admit(4));
    assert_eq!(keys.standing(4), Standing::Admitted);
}

#[test]
fn a_group_asks_for_no_more_keys_than_have_a_vote() {
    let mut keys = Keys::by(4, grouped().hash);
    keys.sign(0, keys.admit(1));
    for signer in [0, 1] {
        keys.sign(signer, keys.admit(3));
    }
    // B is all of security that belongs, and has no vote on its own retirement.
    let retire = keys.retire(1);
    keys.sign(0, retire.clone());
    keys.sign(3, retire);
    assert!(matches!(keys.standing(1), Standing::Retired { .. }));
    keys.sign(0, keys.admit(2));
    keys.sign(3, keys.admit(2));
    assert_eq!(keys.standing(2), Standing::Admitted);
}

#[test]
fn a_policy_brings_its_groups_and_another_ends_them() {
    let mut keys = Keys::all(4, 2);
    let adopt = |policy: Policy| Change::Adopt { policy: policy.hash };
    for signer in [0, 3] {
        keys.sign(signer, adopt(grouped()));
    }
    assert_eq!(keys.derive().policy, grouped().hash);
    for signer in [0, 3] {
        keys.sign(signer, adopt(policy(2)));
    }
    assert_eq!(keys.derive().policy, grouped().hash);
    keys.sign(1, adopt(policy(2)));
    assert_eq!(keys.derive().policy, policy(2).hash);
}

#[test]
fn a_retired_key_whose_group_was_wanting_freezes_nobody_by_a_vote_that_was_not_enough() {
    let mut keys = Keys::by(4, grouped().hash);
    for (key, signers) in [(1, &[0][..]), (2, &[0, 1]), (3, &[0, 1])] {
        for signer in signers {
            keys.sign(*signer, keys.admit(key));
        }
    }
    // D and A are two, but none of security: the retirement of D by B and C is not answered.
    let (mine, theirs) = (keys.retire(1), keys.retire(3));
    keys.sign(0, mine.clone());
    keys.sign(1, theirs.clone());
    keys.sign(2, theirs);
    keys.0[3].seen.clear();
    keys.sign_blind(3, mine);
    assert_eq!(keys.standing(1), Standing::Admitted);
    assert!(matches!(keys.standing(3), Standing::Retired { .. }));
}

#[test]
fn a_change_that_says_other_than_it_hashes_is_irregular() {
    let mut keys = Keys::all(2, 2);
    let event = Event::PolicyAdopted(PolicyAdopted { change: Hash([1; 32]), policy: policy(1).hash });
    keys.sees_all(0);
    keys.0[0].write(event);
    assert_eq!(keys.derive().policy, policy(2).hash);
    assert_eq!(keys.derive().irregular.len(), 1);
}

#[test]
fn the_order_of_files_makes_no_difference() {
    let keys = Keys::all(4, 3);
    let roster = keys.derive();
    let names: Vec<String> = keys.0.iter().map(|w| w.records[0].chain_name()).collect();
    let records: Vec<(&str, &Record)> = keys
        .0
        .iter()
        .zip(&names)
        .rev()
        .flat_map(|(w, name)| w.records.iter().map(|r| (name.as_str(), r)))
        .collect();
    let again = derive(records.into_iter(), &|_| Some(policy(3))).unwrap();
    let standings = |r: &Roster| r.keys.iter().map(|(id, m)| (*id, m.standing)).collect::<Vec<_>>();
    assert_eq!(standings(&roster), standings(&again));
}

#[test]
fn two_foundings_are_no_kit() {
    let one = Writer::founder(1);
    let other = Writer::founder(2);
    let records = one.records.iter().map(|r| ("a", r)).chain(other.records.iter().map(|r| ("b", r)));
    assert_eq!(
        derive(records, &|_| Some(policy(2))).unwrap_err(),
        RosterError::FoundedTwice(vec!["a".into(), "b".into()])
    );
    let twice = one.records.iter().flat_map(|r| [("a", r), ("b", r)]);
    assert!(derive(twice, &|_| Some(policy(2))).is_ok(), "the same record twice is one");
    let none: [(&str, &Record); 0] = [];
    assert_eq!(derive(none.into_iter(), &|_| None).unwrap_err(), RosterError::NotFounded);
}
