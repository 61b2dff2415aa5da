//! The key itself: fido-authenticator on trussed's virtual platform, from plugging in to unplugging.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ctaphid_app::{App, Command};
use heapless_bytes::Bytes;
use littlefs2_core::path;
use trussed::backend::BackendId;
use trussed::platform::{Platform as _, UserInterface};
use trussed::store::Store as _;
use trussed::types::ui::Status;
use trussed::virt::{self, StorageConfig, StoreConfig, UptimeOffset};
use trussed_core::types::consent::Level;
use trussed_staging::virt::{BackendIds, Client, Dispatcher};

/// Self-signed, with an AAGUID of the tests' own; made once with openssl. The key is in trussed's form: flags, kind
/// (P-256), the 32 bytes.
const ATTESTATION_CERTIFICATE: &[u8] = include_bytes!("../data/attestation.der");
const ATTESTATION_KEY: &[u8] = include_bytes!("../data/attestation.key");

/// Longest message of CTAPHID.
pub(crate) const LONGEST_MESSAGE: usize = 7609;

/// How the signature counter moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counter {
    /// fido-authenticator 0.3.0: 1 for each assertion.
    Step,
    /// fido-authenticator 0.4.0-rc.4: 1 to 256 for each assertion.
    Random,
}

/// What a finger and a clock do to the key while it has power.
#[derive(Clone)]
pub(crate) struct Finger {
    /// Whether the key is touched whenever it waits for it.
    pub(crate) touches: Arc<AtomicBool>,
    /// Whether the key waits for a touch.
    pub(crate) waited_for: Arc<AtomicBool>,
    clock: UptimeOffset,
}

impl Finger {
    /// Ends a wait for a touch as if its time had come.
    pub(crate) fn give_up(&self) {
        self.clock.add(Duration::from_secs(3600));
    }
}

/// A key under power: takes CTAP messages, one at a time.
pub(crate) struct Power<'a> {
    pub(crate) finger: Finger,
    authenticator: &'a mut (dyn App<'static> + Send),
}

impl Power<'_> {
    /// The answer to a CTAP2 command (`cbor`) or to a U2F one, or `None` where the key has none.
    pub(crate) fn answer(&mut self, cbor: bool, message: &[u8]) -> Option<Vec<u8>> {
        let mut answer = Bytes::<LONGEST_MESSAGE>::new();
        let command = if cbor { Command::Cbor } else { Command::Msg };
        self.authenticator.call(command, message, &mut answer).ok()?;
        Some(answer.to_vec())
    }
}

/// Runs `use_it` with the key whose lasting memory is `state`, freshly powered.
pub(crate) fn while_plugged_in(state: &Path, counter: Counter, use_it: impl FnOnce(&mut Power<'_>) + Send) {
    let store = StoreConfig {
        internal: StorageConfig::filesystem(state.to_owned()),
        external: StorageConfig::ram(),
        volatile: StorageConfig::ram(),
    };
    virt::with_platform(store, |mut platform| {
        // The virtual platform begins every run with the same seed, and two keys would be one.
        let mut stream = [0; 8];
        File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut stream)).expect("randomness");
        platform.rng().set_stream(u64::from_le_bytes(stream));
        let finger = Finger {
            touches: Arc::new(AtomicBool::new(true)),
            waited_for: Arc::new(AtomicBool::new(false)),
            clock: platform.user_interface().uptime_offset(),
        };
        platform.user_interface().set_inner(Box::new(Surface(finger.clone())));
        let lasting = platform.store();
        for (file, content) in
            [(path!("fido/x5c/00"), ATTESTATION_CERTIFICATE), (path!("fido/sec/00"), ATTESTATION_KEY)]
        {
            let folder = file.parent().expect("a folder");
            lasting.ifs().create_dir_all(&folder).expect("the key has memory");
            lasting.ifs().write(file, content).expect("the key has memory");
        }
        platform.run_client_with_backends(
            "fido",
            Dispatcher::default(),
            &[BackendId::Custom(BackendIds::StagingBackend), BackendId::Core],
            |client| {
                let mut authenticator = of(counter, client);
                use_it(&mut Power { finger, authenticator: authenticator.as_mut() });
            },
        );
    });
}

fn of<'a>(counter: Counter, client: Client<'a>) -> Box<dyn App<'static> + Send + 'a> {
    match counter {
        Counter::Step => {
            use fido_authenticator_step::{Authenticator, Config, Conforming};
            let config = Config {
                max_msg_size: LONGEST_MESSAGE,
                skip_up_timeout: None,
                max_resident_credential_count: Some(25),
                large_blobs: None,
                nfc_transport: false,
            };
            Box::new(Authenticator::new(client, Conforming {}, config))
        }
        Counter::Random => {
            use fido_authenticator_random::{Authenticator, Config, Conforming};
            let mut config = Config::new(LONGEST_MESSAGE);
            config.max_resident_credential_count = Some(25);
            Box::new(Authenticator::new(client, Conforming {}, config))
        }
    }
}

/// The button, as trussed asks it.
struct Surface(Finger);

impl UserInterface for Surface {
    fn check_user_presence(&mut self) -> Level {
        if self.0.touches.load(Ordering::Relaxed) {
            return Level::Strong;
        }
        std::thread::sleep(Duration::from_millis(20));
        Level::None
    }

    fn set_status(&mut self, status: Status) {
        self.0.waited_for.store(status == Status::WaitingForUserPresence, Ordering::Relaxed);
    }
}
