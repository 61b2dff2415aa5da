//! Signals that end a program. While a secret may be on the screen they are only noted, so that it leaves the screen first;
//! at any other time they do what they always do.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

const ENDING: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// While it lives, signals are noted.
pub(crate) struct Signals {
    came: Arc<AtomicBool>,
    noting: Vec<SigId>,
}

/// Whether a signal does what it always does. Once something else was done at a signal, only this brings that back.
fn as_always() -> io::Result<&'static Arc<AtomicBool>> {
    static AS_ALWAYS: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(flag) = AS_ALWAYS.get() {
        return Ok(flag);
    }
    let flag = Arc::new(AtomicBool::new(true));
    for signal in ENDING {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag))?;
    }
    Ok(AS_ALWAYS.get_or_init(|| flag))
}

impl Signals {
    /// From now on they are noted.
    pub(crate) fn note() -> io::Result<Self> {
        let always = as_always()?;
        let came = Arc::new(AtomicBool::new(false));
        let mut signals = Signals { came, noting: Vec::new() };
        for signal in ENDING {
            signals.noting.push(signal_hook::flag::register(signal, Arc::clone(&signals.came))?);
        }
        always.store(false, Ordering::SeqCst);
        Ok(signals)
    }

    /// Whether one came.
    pub(crate) fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    /// Set when one comes.
    pub(crate) fn flag(&self) -> &Arc<AtomicBool> {
        &self.came
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        if let Ok(always) = as_always() {
            always.store(true, Ordering::SeqCst);
        }
        for id in self.noting.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}
