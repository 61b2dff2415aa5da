//! What every verb works with: the kit's folder, the terminal, the clock, randomness, and where keys are found.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rand_core::UnwrapErr;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::args::Global;
use super::hint::Trouble;
use super::terminal::{PinSource, Terminal};
use crate::attestation::{Roots, Serial};
use crate::device::practice::{PracticeReaders, Surroundings};
use crate::device::{Attached, DeviceError, Readers};
use crate::kit::finding::Finding;
use crate::kit::folder::{Folder, Lock};
use crate::kit::roster::Standing;
use crate::kit::{Enrolled, Kit};
use crate::operator::{Operator, Unanswered};
use crate::record::chain::Depth;
use crate::record::event::KitKind;
use crate::record::hash::Hash;
use crate::signing::{Caution, Signer, Station};

/// The edge's side of every verb.
pub(crate) struct Desk {
    /// The person.
    pub(crate) terminal: Terminal,
    /// One JSON object instead of text.
    pub(crate) json: bool,
    /// What hardening could not be done; `doctor` shows it.
    pub(crate) unhardened: Vec<&'static str>,
    /// The kit is a practice kit.
    pub(crate) practice: bool,
    kit: PathBuf,
    journal: Option<PathBuf>,
    rng: UnwrapErr<getrandom::SysRng>,
}

impl Desk {
    /// Reads the descriptors that were named.
    pub(crate) fn new(global: Global, unhardened: Vec<&'static str>) -> Result<Self, Trouble> {
        let pins = global.pin_fd.map(PinSource::read).transpose()?;
        Ok(Desk {
            terminal: Terminal::new(pins, Duration::from_secs(global.wait), global.confirm, global.json),
            json: global.json,
            unhardened,
            practice: false,
            kit: global.kit.unwrap_or_else(|| ".".into()),
            journal: global.journal,
            rng: UnwrapErr(getrandom::SysRng),
        })
    }

    /// A desk at which nothing is said and everything is answered beforehand: lines of PINs as `--pin-fd` takes them, and
    /// the exact word.
    pub(crate) fn scripted(kit: &Path, pins: &str, word: Option<String>) -> Result<Self, Trouble> {
        let pins = PinSource::parse(pins.as_bytes())?;
        Ok(Desk {
            terminal: Terminal::new(Some(pins), Duration::ZERO, word, true),
            json: false,
            unhardened: Vec::new(),
            practice: false,
            kit: kit.to_owned(),
            journal: None,
            rng: UnwrapErr(getrandom::SysRng),
        })
    }

    /// Goes on with another kit.
    pub(crate) fn turn_to(&mut self, kit: &Path) {
        kit.clone_into(&mut self.kit);
        self.practice = false;
    }

    /// The kit's folder as it was named.
    pub(crate) fn kit_path(&self) -> &Path {
        &self.kit
    }

    pub(crate) fn folder(&self) -> Folder {
        Folder::at(&self.kit, self.journal.as_deref())
    }

    /// The kit, to look at.
    pub(crate) fn look(&self) -> Result<Kit, Trouble> {
        Ok(Kit::read(self.folder(), Depth::Links)?)
    }

    /// The kit, locked, to write to. Says what was set aside.
    pub(crate) fn work(&mut self) -> Result<(Kit, Lock), Trouble> {
        // Whoever writes will sign, and the hash of the program is in every record: it is made meanwhile.
        std::thread::spawn(tool_hash);
        let (kit, lock, mended) = Kit::write(self.folder(), Depth::Links)?;
        for Finding { text, .. } in mended {
            self.terminal.say(&text);
        }
        self.practice_banner(&kit);
        Ok((kit, lock))
    }

    /// A practice kit says so on every screen.
    pub(crate) fn practice_banner(&mut self, kit: &Kit) {
        if kit.kind() == KitKind::Practice {
            self.practice = true;
            self.terminal.say("PRACTICE: simulated keys, no real secrets");
        }
    }

    /// Where this kit's keys are found: PC/SC for a real one, simulated keys in its folder for a practice one.
    pub(crate) fn readers(&self, kind: KitKind) -> Box<dyn Readers> {
        match kind {
            KitKind::Practice => Box::new(self.practice_keys()),
            KitKind::Real => real_readers(),
        }
    }

    /// The practice keys in the kit's folder.
    pub(crate) fn practice_keys(&self) -> PracticeReaders {
        PracticeReaders::new(&self.kit.join("practice"), Surroundings::of_this_machine())
    }

    /// Who may vouch for a key of this kit.
    pub(crate) fn roots(&self, kit: &Kit) -> Result<Roots, Trouble> {
        Ok(match kit.kind() {
            KitKind::Practice => Roots::practice(&crate::device::practice::root_certificate()?)?,
            KitKind::Real => Roots::real(kit.policy.attestation_root.as_deref())?,
        })
    }

    /// Runs a flow with everything that it takes from outside.
    pub(crate) fn at_station<T>(
        &mut self,
        readers: &mut dyn Readers,
        flow: impl FnOnce(&mut Station) -> T,
    ) -> T {
        flow(&mut Station {
            readers,
            operator: &mut self.terminal,
            clock: &now,
            rng: &mut self.rng,
            tool: &tool_hash,
        })
    }

    /// Runs a flow that speaks with the person and draws randomness, and finds its key itself.
    pub(crate) fn with_operator<T>(
        &mut self,
        flow: impl FnOnce(&mut dyn Operator, &mut dyn rand_core::CryptoRng) -> T,
    ) -> T {
        flow(&mut self.terminal, &mut self.rng)
    }

    /// Randomness, for what is generated here.
    pub(crate) fn rng(&mut self) -> &mut dyn rand_core::CryptoRng {
        &mut self.rng
    }

    /// A fresh nonce, for a key to prove itself with.
    pub(crate) fn nonce(&mut self) -> [u8; 32] {
        use rand_core::Rng;
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        nonce
    }

    /// `: safe A, bag 0417`, as far as a check-in or the policy tells; or who has it.
    pub(crate) fn whereabouts(&self, kit: &Kit, serial: Serial) -> String {
        let Some(key) = kit.enrolled(serial) else { return String::new() };
        match super::bag::lies(&kit.whereabouts(&key.id, serial)) {
            lies if lies.is_empty() => lies,
            lies => format!(": {lies}"),
        }
    }

    /// `23112 (safe A, bag 0417)`.
    fn labelled(&self, kit: &Kit, serial: Serial) -> String {
        match self.whereabouts(kit, serial).strip_prefix(": ") {
            Some(lies) => format!("{serial} ({lies})"),
            None => serial.to_string(),
        }
    }

    /// Prints one JSON object.
    pub(crate) fn json_result(&mut self, value: &impl Serialize) -> Result<(), Trouble> {
        let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| Trouble::Output(e.into()))?;
        bytes.push(b'\n');
        self.terminal.result(&bytes).map_err(Trouble::Output)
    }

    /// Prints a line of results.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Trouble> {
        self.terminal.line(text).map_err(Trouble::Output)
    }

    /// Prints lines of results, each with its line feed.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Trouble> {
        self.terminal.text(text).map_err(Trouble::Output)
    }

    /// The key to sign with: the one that was named, else the only admitted one that is plugged in. A person is waited for
    /// until it is, and asked where several are.
    pub(crate) fn signing_key(
        &mut self,
        kit: &Kit,
        readers: &mut dyn Readers,
        named: Option<Serial>,
    ) -> Result<Serial, Trouble> {
        if let Some(serial) = named {
            self.await_key(kit, readers, serial)?;
            return Ok(serial);
        }
        loop {
            let attached = match readers.attached() {
                Err(DeviceError::NoKey) => Vec::new(),
                attached => attached?,
            };
            let admitted: Vec<Serial> =
                attached.iter().map(|key| key.serial).filter(|serial| is_admitted(kit, *serial)).collect();
            let missing = match admitted[..] {
                [one] => return Ok(one),
                [] if attached.is_empty() => DeviceError::NoKey.into(),
                [] => Trouble::NoSigner,
                _ if self.terminal.has_person() => return self.which_of(&admitted),
                _ => return Err(Trouble::WhichKey { serials: admitted }),
            };
            let all = kit.enrolled_keys().into_iter().map(|key| key.facts.serial);
            let wanted: Vec<String> = all
                .filter(|serial| is_admitted(kit, *serial))
                .map(|serial| self.labelled(kit, serial))
                .collect();
            match self.terminal.swap(&format!("insert the key that signs, one of: {}", wanted.join(" · "))) {
                Ok(()) => {}
                Err(Unanswered::NobodyToAsk) => return Err(missing),
                Err(cancelled) => return Err(cancelled.into()),
            }
        }
    }

    /// Waits while there is somebody to wait for. Whether the key is there then, connecting to it tells.
    pub(crate) fn await_key(
        &mut self,
        kit: &Kit,
        readers: &mut dyn Readers,
        serial: Serial,
    ) -> Result<(), Trouble> {
        let text = format!("insert {}", self.labelled(kit, serial));
        let is_there = |attached: &[Attached]| attached.iter().any(|key| key.serial == serial);
        // Who cannot be asked is not waited for, and no reader is looked at for nothing.
        while self.terminal.waits() {
            match readers.attached() {
                Err(DeviceError::NoKey) => {}
                Ok(attached) if !is_there(&attached) => {}
                _ => break,
            }
            match self.terminal.swap(&text) {
                Ok(()) => {}
                Err(Unanswered::NobodyToAsk) => break,
                Err(cancelled) => return Err(cancelled.into()),
            }
        }
        Ok(())
    }

    fn which_of(&mut self, serials: &[Serial]) -> Result<Serial, Trouble> {
        let names: Vec<String> = serials.iter().map(ToString::to_string).collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let answer = self.terminal.ask_known(&format!("which key signs ({})? ", names.join(", ")), &known)?;
        let chosen = serials.iter().find(|serial| serial.to_string() == answer);
        chosen.copied().ok_or_else(|| Trouble::WhichKey { serials: serials.to_vec() })
    }

    /// Shows a text and has it confirmed by an exact word.
    pub(crate) fn confirm(&mut self, text: &str, word: &str) -> Result<(), Trouble> {
        match self.terminal.confirm(text, word)? {
            true => Ok(()),
            false => Err(Trouble::NotConfirmed),
        }
    }

    /// What changes a kit is refused while its journal is damaged or lacks records that its keys have seen, unless just
    /// that was accepted on record.
    pub(crate) fn refuse_damaged(&mut self, kit: &Kit) -> Result<(), Trouble> {
        match crate::kit::check::wounds(kit) {
            None => Ok(()),
            Some(wounds) if wounds.accepted => {
                self.terminal.say(&format!("note: accepted on record: {}", wounds.text));
                Ok(())
            }
            Some(wounds) => Err(Trouble::Damaged(wounds.text)),
        }
    }

    /// Says when a key does not carry its last record: a finding, not a failure.
    pub(crate) fn head_written(&mut self, signer: &mut Signer) {
        if let Err(cause) = std::mem::replace(&mut signer.head, Ok(())) {
            let serial = signer.serial;
            self.terminal.say(&format!(
                "note: key {serial} does not carry its last record: {cause}. the journal has it."
            ));
        }
    }

    /// Checks an enrolment's attestations against the roots of this kit.
    pub(crate) fn check_enrolment(&self, kit: &Kit, enrolled: &Enrolled) -> Result<(), Trouble> {
        let record = kit
            .journal
            .records()
            .find(|(_, record)| record.hash() == enrolled.enrolment)
            .map(|(_, record)| record.clone());
        let serial = enrolled.facts.serial;
        let lost = || Trouble::Damaged(format!("the enrolment record of key {serial} is not in the journal"));
        crate::kit::enrolment::check(&record.ok_or_else(lost)?, &self.roots(kit)?)
            .and_then(|()| crate::kit::enrolment::check_alone(kit, enrolled))
            .map_err(|cause| Trouble::Enrolment { serial, cause })
    }

    /// A signer that must be admitted, for what changes the kit.
    pub(crate) fn admitted_signer(
        &mut self,
        kit: &mut Kit,
        readers: &mut dyn Readers,
        named: Option<Serial>,
        caution: &Caution,
    ) -> Result<Signer, Trouble> {
        match named.map(|serial| (serial, kit.enrolled(serial).map(|key| key.standing))) {
            None | Some((_, Some(Standing::Admitted))) => {}
            Some((serial, Some(_))) => return Err(Trouble::NotAdmitted(serial)),
            Some((serial, None)) => return Err(crate::signing::SigningError::NotEnrolled(serial).into()),
        }
        let serial = self.signing_key(kit, readers, named)?;
        kit.folder.reserve().map_err(crate::kit::KitError::from)?;
        Ok(self.at_station(readers, |station| Signer::ready(station, kit, serial, caution))?)
    }
}

fn is_admitted(kit: &Kit, serial: Serial) -> bool {
    kit.enrolled(serial).is_some_and(|key| key.standing == Standing::Admitted)
}

#[cfg(feature = "hardware")]
fn real_readers() -> Box<dyn Readers> {
    use crate::device::piv::pcsc::{Limits, PcscReaders};
    let readers = PcscReaders::new(Limits::default(), crate::device::provisioning::open);
    Box::new(readers.telling(super::terminal::announce))
}

#[cfg(not(feature = "hardware"))]
fn real_readers() -> Box<dyn Readers> {
    Box::new(crate::device::NoReaders)
}

/// The machine's clock in Unix seconds: a claim that goes into records, never an order.
#[allow(clippy::disallowed_methods)] // the edge is where the clock is read
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// SHA-256 of the running program, read once and in pieces; of nothing where the system does not show it.
pub(crate) fn tool_hash() -> Hash {
    static OF_THIS: OnceLock<Hash> = OnceLock::new();
    *OF_THIS.get_or_init(|| {
        let mut digest = Sha256::new();
        let mut piece = vec![0; 32 * 1024]; // stays in the cache
        let Ok(mut program) = std::fs::File::open("/proc/self/exe") else { return Hash::of(b"") };
        while let Ok(read @ 1..) = program.read(&mut piece) {
            digest.update(&piece[..read]);
        }
        Hash(digest.finalize().into())
    })
}

/// How long ago that was, in whole days: `0 days`, `1 day`, `41 days`.
pub(crate) fn days(seconds: i64) -> String {
    let days = (now().saturating_sub(seconds) / 86_400).max(0);
    format!("{days} day{}", if days == 1 { "" } else { "s" })
}

/// The hour and minute of a time to come, in UTC; with its day where that is more than a day ahead.
pub(crate) fn hour(seconds: i64) -> String {
    let soon = seconds.saturating_sub(now()) < 86_400;
    let shape = if soon { "%H:%MZ" } else { "%Y-%m-%d %H:%MZ" };
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.strftime(shape).to_string())
}

/// A time as people read it, in UTC.
pub(crate) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}
