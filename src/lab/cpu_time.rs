//! Using a CPU's time: what passes while others have the CPU does not count. Context: task, in funcs too: notrace.

use crate::irq::serial;
use crate::sched::now_ns;

/// Whoever looks at the clock again after so long had no CPU in between.
const AWAY_NS: u64 = 500_000;

/// Uses so much of it.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn use_up(ns: u64) {
    use_up_while(ns, || true);
}

/// The same, or until Ctrl-C.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn use_up_until_interrupt(ns: u64) {
    use_up_while(ns, || !serial::is_interrupted());
}

#[inline(always)]
fn use_up_while(ns: u64, go_on: impl Fn() -> bool) {
    let (mut used_ns, mut last_ns) = (0, now_ns());
    while used_ns < ns && go_on() {
        let passed_ns = now_ns() - last_ns;
        last_ns += passed_ns;
        used_ns += if passed_ns < AWAY_NS { passed_ns } else { 0 };
    }
}
