//! What every verdict says of chains of frames that were met and did not reach their base.
//!
//! Such a chain is taken to hold everything: sound, but not exact, and a sign that a walk read what it may not, or that text
//! without an honest frame record was called. So a run that met one has not passed.

use crate::platform::Mode;
use crate::{println, rcu};

/// Whether there were any; says so in the name of the run's mode. Context: task.
pub(super) fn were_broken(mode: Mode) -> bool {
    let nr_broken = rcu::nr_broken_chains();
    if nr_broken > 0 {
        println!("{mode}: {nr_broken} chains of frames did not reach their base");
    }
    nr_broken > 0
}
