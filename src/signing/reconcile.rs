//! A key's head and the journal, brought together before the key signs anything.

use super::{Signer, SigningError, Station};
use crate::kit::Kit;
use crate::kit::head::{self, Head};
use crate::record::event::Override;

impl Signer {
    /// Takes the higher of both as the record that the next one follows.
    ///
    /// # Errors
    /// Where they contradict each other and nobody has said to go on; where a record came back that changes plans.
    pub(super) fn reconcile(&mut self, station: &mut Station, kit: &mut Kit) -> Result<(), SigningError> {
        let serial = self.serial;
        let objects = self.key.head_objects().map_err(|cause| SigningError::Device { serial, cause })?;
        let head = head::highest(&objects, &self.signing);
        self.last = kit.journal.last(&self.chain);
        let at = |seq| kit.journal.hash_at(&self.chain, seq);
        let kit_id = kit.id();
        match head::compare(kit_id.as_ref(), head.as_ref(), self.last.map(|(seq, _)| seq), &at) {
            head::Standing::Agree | head::Standing::JournalAhead => {}
            // Without a head the key cannot tell of records that this copy lacks: that is said, not passed over.
            head::Standing::NoHead => station.operator.progress(&format!(
                "note: {serial} carries no head, so it was not compared with the journal"
            )),
            head::Standing::Restorable(record) => {
                kit.append(&self.chain, &record)?;
                station.operator.progress(&format!(
                    "record {} of {serial} was only on the key; it is back in the journal",
                    record.link.seq
                ));
                self.last = Some((record.link.seq, record.hash()));
                if record.event.changes_plans() {
                    let (seq, what) = (record.link.seq, record.event.name());
                    return Err(SigningError::Restored { serial, seq, what });
                }
            }
            head::Standing::Gap { from, to } => match self.accepted_gap() {
                Some(why) => self.go_on_with(kit, "gap", why, head)?,
                None => return Err(SigningError::Gap { serial, from, to }),
            },
            head::Standing::Fork { seq } => match self.accepted_gap() {
                Some(why) => self.go_on_with(kit, "fork", why, head)?,
                None => return Err(SigningError::Fork { serial, seq }),
            },
            head::Standing::OtherKit(other) => {
                let words = crate::kit::words::kit_words(&other).join(" ");
                return Err(SigningError::OtherKit { serial, words });
            }
        }
        Ok(())
    }

    /// Why to go on without records, if somebody says why.
    fn accepted_gap(&self) -> Option<String> {
        self.caution.accept_gap.clone().filter(|why| !why.trim().is_empty())
    }

    /// Goes on after the higher of journal and head; what the head holds whole is put into the journal.
    fn go_on_with(
        &mut self,
        kit: &mut Kit,
        rule: &str,
        why: String,
        head: Option<Head>,
    ) -> Result<(), SigningError> {
        self.overrides.push(Override { rule: rule.into(), why });
        let Some(head) = head else { return Ok(()) };
        if self.last.is_none_or(|(seq, _)| head.seq > seq) {
            if let Some(record) = &head.record {
                kit.append(&self.chain, record)?;
            }
            self.last = Some((head.seq, head.hash));
        }
        Ok(())
    }
}
