//! Models: the interleavings of small worlds, up to a bound on preemptions, over the shipping files of `rcu`, and of the
//! mutex of `sched`.
//!
//! The files come in by path; `crate::sync::atomic` gives them loom's atomics instead of core's, nothing else is
//! changed. A fault is planted in the world around them (a hook told wrongly, a task not shown, an ordering
//! weakened on its way to loom) or, by its name of `src/fault/table.rs`, in the shipping file itself, never in a copy; each
//! has to make a model fail: a model that cannot fail shows nothing.
//!
//! What they do not cover: loom explores C11, and its `SeqCst` fences are a little stronger than that; Arm's own
//! ordering (address dependencies, `DSB`, exception entry and return) is what the litmus tests are for. The trampoline
//! and func are a load, a place in each, and a use; instruction boundaries are explored on the real thing. SGIs are
//! messages that a CPU handles between two steps; wake-ups are not deferred. Worlds have one or two tasks and two or three
//! CPUs, each model says which.
//!
//! No harness of rustc's: the models would run as unit tests under loom's atomics outside of loom.

#[path = "models/arch.rs"]
pub mod arch;
#[path = "models/batching.rs"]
pub mod batching;
#[path = "models/broken.rs"]
pub mod broken;
#[path = "models/classic.rs"]
pub mod classic;
#[path = "models/cpu.rs"]
pub mod cpu;
#[path = "models/eyes.rs"]
pub mod eyes;
#[path = "models/fault.rs"]
pub mod fault;
#[path = "models/gp_task.rs"]
pub mod gp_task;
#[path = "models/handover.rs"]
pub mod handover;
#[path = "models/holders.rs"]
pub mod holders;
#[path = "models/kernel.rs"]
pub mod kernel;
#[path = "models/linux.rs"]
pub mod linux;
#[path = "models/mailbox.rs"]
pub mod mailbox;
#[path = "models/nopreempt.rs"]
pub mod nopreempt;
#[path = "models/planted.rs"]
pub mod planted;
#[path = "models/rcu.rs"]
pub mod rcu;
#[path = "models/sched.rs"]
pub mod sched;
#[path = "models/scripts.rs"]
pub mod scripts;
#[path = "models/sync.rs"]
pub mod sync;
#[path = "models/verdict.rs"]
pub mod verdict;

extern crate alloc;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let schemes = classic::MODELS
        .iter()
        .chain(&linux::MODELS)
        .chain(&nopreempt::MODELS)
        .chain(&broken::MODELS)
        .chain(&holders::MODELS);
    let all = schemes.chain(&batching::MODELS).chain(&handover::MODELS).chain(&planted::MODELS);
    let trials = all.map(|model| Trial::test(model.name, || model.run()));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
