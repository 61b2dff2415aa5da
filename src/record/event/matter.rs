//! What kind of thing each event tells: one list for who may sign it, and for what follows from it.

use super::Event;

/// What kind of thing a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// What the signing key itself is. Whichever key is enrolled may sign it.
    Key,
    /// What was seen, by whichever key is enrolled. Nothing follows from it.
    Sight,
    /// Who belongs to the kit, and which policy is in force: the roster judges who may sign it.
    Roster,
    /// What is sealed, what is trusted, and what the journal may lack.
    Content,
    /// What was done with the kit.
    Deed,
}

impl Event {
    /// What kind of thing it tells.
    pub const fn matter(&self) -> Matter {
        match self {
            Event::KeyEnrolled(_) | Event::KeyPinChanged(_) | Event::OpenAsserted(_) => Matter::Key,
            Event::KeyWitness(_) | Event::Exported(_) => Matter::Sight,
            Event::KitFounded(_) | Event::KeyAdmitted(_) | Event::KeyRetired(_) | Event::PolicyAdopted(_) => {
                Matter::Roster
            }
            Event::CredentialSealed(_)
            | Event::CredentialConfirmed(_)
            | Event::MintAuthority(_)
            | Event::MintRevoked(_)
            | Event::GapAccepted(_) => Matter::Content,
            Event::OpenIntent(_)
            | Event::OpenReleased(_)
            | Event::IncidentClosed(_)
            | Event::LedgerAnchored(_)
            | Event::KeyCheckedOut(_)
            | Event::KeyCheckedIn(_)
            | Event::DebtDischarged(_)
            | Event::IncidentReviewed(_)
            | Event::DrillBegun(_)
            | Event::DrillEnded(_)
            | Event::RequestApproved(_)
            | Event::MintIntent(_)
            | Event::MintIssued(_) => Matter::Deed,
        }
    }

    /// Whether it changes what the kit is (keys, policy, what is sealed, and to what it may be sealed), rather than
    /// telling what was done with it.
    pub const fn changes_the_kit(&self) -> bool {
        matches!(self.matter(), Matter::Key | Matter::Roster | Matter::Content)
    }

    /// Whether what was decided without it is to be decided again: who belongs, by which policy, what is sealed or trusted.
    pub const fn changes_plans(&self) -> bool {
        matches!(self.matter(), Matter::Roster | Matter::Content)
    }
}
