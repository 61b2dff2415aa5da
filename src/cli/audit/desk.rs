//! What every verb of the auditor works with: the ledger, the terminal, the clock.

use std::time::Duration;

use serde::Serialize;

use super::Global;
use super::trouble::Trouble;
use crate::audit::ledger::{self, Ledger};
use crate::cli::terminal::Terminal;

/// The edge's side of every verb.
pub(super) struct AuditDesk {
    /// The person.
    pub(super) terminal: Terminal,
    /// One JSON object instead of text.
    pub(super) json: bool,
    /// Where the records are kept.
    pub(super) ledger: String,
}

impl AuditDesk {
    pub(super) fn new(global: Global) -> Self {
        let terminal = Terminal::new(None, std::time::Duration::ZERO, None, global.json);
        AuditDesk { terminal, json: global.json, ledger: global.ledger }
    }

    /// The ledger, which must be there: for verbs that read, or add to what is known already.
    pub(super) fn open(&self) -> Result<Box<dyn Ledger>, Trouble> {
        Ok(ledger::open_existing(&self.ledger)?)
    }

    /// The ledger, made if it is not there: for verbs by which records come in.
    pub(super) fn open_or_make(&self) -> Result<Box<dyn Ledger>, Trouble> {
        Ok(ledger::open(&self.ledger)?)
    }

    /// The same, and waits no longer than that for others who are writing.
    pub(super) fn open_waiting(&self, patience: Duration) -> Result<Box<dyn Ledger>, Trouble> {
        Ok(ledger::open_waiting(&self.ledger, patience)?)
    }

    /// The auditor's clock, Unix seconds.
    pub(super) fn now(&self) -> i64 {
        crate::cli::desk::now()
    }

    /// Lines of results.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Trouble> {
        Ok(self.terminal.text(text)?)
    }

    /// The one object of `--json`.
    pub(super) fn object(&mut self, object: &impl Serialize) -> Result<(), Trouble> {
        let mut bytes = serde_json::to_vec(object).map_err(|error| Trouble::Json(error.to_string()))?;
        bytes.push(b'\n');
        Ok(self.terminal.result(&bytes)?)
    }
}
