//! Options of the verb that leads through a change of people or keys.

use clap::Args;

use crate::attestation::Serial;
use crate::kit::change::Occasion;
use crate::kit::name::Name;

#[derive(Args, Debug)]
pub(in crate::cli) struct Change {
    #[command(flatten)]
    happened: Happened,
    /// The key that comes: in the place of the one that is gone, or with the person who joins
    #[arg(long, value_name = "SERIAL", conflicts_with = "leaves")]
    pub key: Option<Serial>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Happened {
    /// Nobody knows where this key is
    #[arg(long, value_name = "SERIAL")]
    lost: Option<Serial>,
    /// Somebody took this key
    #[arg(long, value_name = "SERIAL")]
    stolen: Option<Serial>,
    /// This person leaves, by the name in the policy
    #[arg(long, value_name = "NAME")]
    leaves: Option<Name>,
    /// This person joins, by the name that the policy will have
    #[arg(long, value_name = "NAME")]
    joins: Option<Name>,
}

impl Change {
    /// What happened.
    pub(in crate::cli) fn occasion(&self) -> Option<Occasion> {
        let Happened { lost, stolen, leaves, joins } = &self.happened;
        lost.map(Occasion::Lost)
            .or(stolen.map(Occasion::Stolen))
            .or_else(|| leaves.clone().map(Occasion::Leaves))
            .or_else(|| joins.clone().map(Occasion::Joins))
    }
}
