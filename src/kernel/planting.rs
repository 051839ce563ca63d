//! The build with deliberate faults: what a boot argument breaks.

use holdout::arch::text::misorder;
use holdout::fault::{Fault, plant};
use holdout::{println, sched};

/// From here on this is wrong, if anything is to be. Context: task, before an experiment starts.
pub(super) fn break_on_purpose(fault: Option<Fault>) {
    if let Some(fault) = fault {
        println!("fault: {}: {}", fault.as_str(), fault.what());
    }
    if fault == Some(Fault::CountedLate) {
        misorder::count_late();
        sched::synchronise_every_cpu();
    }
    plant(fault);
}
