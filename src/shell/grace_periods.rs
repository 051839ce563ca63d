//! `rcu`: how grace periods go, under which scheme, and when one counts as stalled. Context: task.

use super::schemes::Schemes;
use crate::console::epitaph::Place;
use crate::ftrace::live::{self, SchemeError};
use crate::platform::Urgency;
use crate::rcu::schemes::NAMES;
use crate::{print, println, rcu, sched};

const NS_PER_US: u64 = 1_000;
const NS_PER_MS: u64 = 1_000_000;

/// Prints the scheme, what grace periods took, what waits for one, and a row for each scheme that has run.
pub(super) fn list() {
    let summary = rcu::statistics();
    println!("scheme        {}", summary.scheme);
    println!("grace periods {}", summary.ended);
    println!("pending       {}", summary.pending);
    println!("last          {} us", summary.last_ns / NS_PER_US);
    println!("max           {} us", summary.max_ns / NS_PER_US);
    println!("stalls        {}", summary.stalls);
    println!("stall after   {} ms", summary.stall_after_ns / NS_PER_MS);
    println!("retired       {}", summary.retired);
    println!("not freed     {} of {} bytes", summary.kept.objects, summary.kept.bytes);
    if let Some(oldest) = summary.oldest {
        println!("oldest        retirement {oldest} of {}", summary.last);
    }
    rcu::tell_holders();
    if let Some(task) = rcu::last_broken() {
        println!("broken chains {}, the last one task {task}'s", rcu::nr_broken_chains());
    }
    print!("{}", Schemes { names: &NAMES, statistics: &summary.of_schemes, selected: summary.scheme });
}

/// Selects another scheme. Waits until nothing is retired; refuses while something is traced.
pub(super) fn select(name: &str) -> Result<(), SchemeError> {
    live::set_scheme(name)?;
    println!("the scheme is {name} from here on; callsites branch to {}", Place(live::trampoline().t0));
    Ok(())
}

/// Reports each step of a grace period that takes longer.
pub(super) fn set_stall_after(ms: u32) {
    rcu::set_stall_after(u64::from(ms) * NS_PER_MS);
    println!("a grace period counts as stalled after {ms} ms");
}

/// Waits for a grace period, and says how long that took.
pub(super) fn synchronize(urgency: Urgency) {
    let began_ns = sched::now_ns();
    match urgency {
        Urgency::Normal => rcu::synchronize(),
        Urgency::Expedited => rcu::synchronize_expedited(),
    }
    println!("a grace period of {} took {} us", rcu::scheme_name(), (sched::now_ns() - began_ns) / NS_PER_US);
}
