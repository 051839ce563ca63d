//! Who need not keep the rules that frame records stand on.

use super::Listed;

/// Code that keeps other rules about x29 than the procedure call standard's: all of it is assembly.
pub(crate) const OWN_FRAMES: &[Listed] = &[
    Listed { pattern: "first_cpu", reason: "reset: makes the chain's base before Rust runs" },
    Listed { pattern: "secondary_entry", reason: "reset: makes the chain's base before Rust runs" },
    Listed {
        pattern: "switch_context",
        reason: "goes on with the x29 of the next task, above whose sp its record lies",
    },
    Listed { pattern: "task_begin", reason: "makes the chain's base of a new task" },
    Listed {
        pattern: "trampoline_t0",
        reason: "two records, the callsite's and its caller's; stepped through by the GDB test",
    },
    Listed { pattern: "trampoline_depth_t0", reason: "as trampoline_t0" },
    Listed { pattern: "trampoline_nopreempt_t0", reason: "as trampoline_t0" },
    Listed { pattern: "entry_*", reason: "exception entry: its record ends the saved frame" },
    Listed { pattern: "restore_frame", reason: "exception return: x29 of what was interrupted" },
    Listed {
        pattern: "holdout::lab::hold::sleep_behind_broken_record",
        reason: "a record that leads nowhere, on purpose: `hold broken`",
    },
];
