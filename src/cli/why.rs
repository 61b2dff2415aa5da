//! What everybody is asked who wants something of a key in an emergency: which, for what incident, why, and who they are.

use clap::Args;

use super::desk::Desk;
use super::hint::Trouble;

/// As far as it was given with the verb.
#[derive(Args, Debug, Default)]
pub(super) struct Why {
    /// Which emergency of the policy
    #[arg(long, value_name = "NAME")]
    pub emergency: Option<String>,
    /// Incident or ticket
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// Why, in a few words
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Your name as in the policy
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
}

/// All of it.
pub(super) struct Told {
    pub(super) emergency: String,
    pub(super) incident: String,
    pub(super) reason: String,
    pub(super) operator: String,
}

impl Why {
    /// Asks for what was not given; of an emergency or a name that is not among these, again.
    pub(super) fn asked(
        self,
        desk: &mut Desk,
        emergencies: &[&str],
        operators: &[&str],
    ) -> Result<Told, Trouble> {
        let mut ask = |given: Option<String>, question: &str, known: &[&str]| match given {
            Some(given) => Ok(given),
            None => desk.terminal.ask_known(question, known),
        };
        Ok(Told {
            emergency: ask(self.emergency, &format!("why ({})? ", emergencies.join(", ")), emergencies)?,
            // Space that nobody sees would make it another incident.
            incident: ask(self.incident, "incident or ticket? ", &[])?.trim().to_owned(),
            reason: ask(self.reason, "in a few words: ", &[])?,
            operator: ask(self.operator, "your name as in the policy: ", operators)?,
        })
    }
}
