//! Whether the grace-period task is kept from its CPU: what nobody else would report, since that task reports stalls.
//!
//! It is of the high class, so where tasks are preempted it waits for nobody. Under `none` and `voluntary` a task that
//! does not let go keeps it waiting, and is named from the tick that interrupts it. Pure: the glue looks at each tick at
//! which the task waits, and says how often it has been switched away from by then.

/// One wait of the grace-period task for a CPU.
#[derive(Debug, Default)]
pub struct Starved {
    /// What tells this wait from the one before.
    switches: u64,
    since_ns: u64,
    report_ns: u64,
}

impl Starved {
    /// It waits for a CPU, and was switched away from so often. How long it has waited, when that is to be reported: after
    /// `stall_after_ns` of progress, and after each further such interval.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn look(&mut self, switches: u64, progress_ns: u64, stall_after_ns: u64) -> Option<u64> {
        let is_new = switches != self.switches || self.report_ns == 0;
        if is_new {
            *self = Self { switches, since_ns: progress_ns, report_ns: progress_ns + stall_after_ns };
        }
        if progress_ns < self.report_ns {
            return None;
        }
        self.report_ns = progress_ns + stall_after_ns;
        Some(progress_ns - self.since_ns)
    }
}
