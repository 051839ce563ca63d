#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(target_os = "none", feature(patchable_function_entry))]
//! Holdout: a kernel about one question. When every traced callsite branches to one shared trampoline that loads an
//! `ftrace_ops` pointer and calls `ops->func`, at which instant may a retired ops be freed?
//!
//! # The house
//! A module imports from lower floors only; rooms on one floor do not know each other (`tests/floors.rs` holds this).
//! Control goes up through data and set-once hooks, imports go down.
//!
//! | floor | rooms | |
//! |---|---|---|
//! | 9 | `main.rs`, `kernel` (the binary) | boot order as a list; the hooks' wiring |
//! | 8 | [`shell`], [`lab`] | two clients of one API: commands; experiments and their oracle |
//! | 7 | [`tracers`] | what an ops does |
//! | 6 | [`ftrace`] | who is called where: ops, filter, registry, fan-out |
//! | 5 | [`rcu`], `irq` | when things may be freed; when things happen |
//! | 4 | [`sched`] | who runs |
//! | 3 | [`mm`], [`console`] | heap with poison and quarantine, stacks; print and the panic path |
//! | 2 | [`sync`] | proofs about this CPU |
//! | 1 | [`arch`] | the machine |
//! | 0 | [`platform`], [`hook`], [`fault`] | what the device tree and the boot arguments say; how a floor calls up; what is wrong on purpose |
//!
//! Files that touch hardware or the running scheduler are gated with `#[cfg(target_os = "none")]` at their `mod` line.
//! The rest is pure and tested on the host.
//!
//! # The two flows
//! - **A hit**: callsite → `trampoline.S` → `ops.func`. Nothing on it locks, allocates, blocks or is traced.
//! - **A change**: shell or experiment → [`ftrace::registry`] decides → `arch::text` patches (literal, then branch) →
//!   [`rcu::Retired`] → grace periods, until nobody holds it → [`rcu::Elapsed`], its own → reclaim → drop → poison.
//!
//! IRQ entry and exit carry the third thread; see `irq::entry`.
//!
//! # Named invariants
//! | name | where | says |
//! |---|---|---|
//! | `literal-live` | [`arch::site`] | a literal names a live ops, or one whose grace period has not ended |
//! | `site-aligned` | [`arch::site`] | a literal lies on 8 bytes |
//! | `nop-bl-only` | `arch::text` | under running CPUs only NOP and BL change |
//! | `debug-private` | `arch::step` | what debugs a thread is set while that thread runs, and then alone |
//! | `fiq-first` | `arch::gic` | a pending FIQ holds back its CPU's IRQs until it is taken |
//! | `w-xor-x` | `arch::mmu` | no address is writable and executable |
//! | `poisoned` | [`mm::poison`] | a block in quarantine is poison, and nobody writes to it |
//! | `own-claims` | [`sync::held`] | what an owner holds is linked, and its list changed, by the owner alone |
//! | `acyclic` | [`sync::order`] | the nestings of classes of locks never form a cycle |
//! | `listed-once` | [`mm::classes`] | a block on a list of free ones belongs to it, and overlaps no other |
//! | `off-cpu` | [`sched`] | a saved context is read only after a release that says it is complete |
//! | `one-word` | `sched::runqueue` | where a task is queued is written under the lock of the queue that it names |
//! | `visited-stands` | `sched::tasks` | a task that is visited has its stack until the task lists are let go of |
//! | `no-empty-block` | `sched::roll` | blocks of task numbers are no more than tasks, and one |
//! | `linked-once` | `sched::fifo` | an entry is on one list at most, and stays in its place meanwhile |
//! | `two-ledgers` | `sched::account` | what CPUs and tasks count of switches agrees |
//! | `irq-chain` | `irq::entry` | each CPU's interrupted contexts are linked, innermost first |
//! | `retired-is-unlinked` | [`rcu::retired`] | no reader that starts later finds a retired object |
//! | `away-is-clean` | [`sched::rcu_words`] | a task that left voluntarily holds no ops |
//! | `one-decrement` | [`rcu::schemes::holdouts`] | a holdout's mark is taken once |
//! | `own-or-pinned` | [`rcu::schemes::holders`] | what is noted of a task is written by its CPU, or by a walk that keeps it off |
//! | `fresh` | [`rcu::schemes::holders`] | a task that says so has not run since it was looked at |
//! | `listed-lives` | `rcu::schemes::holders::list` | a listed task is unlinked by the switch in which it dies |
//! | `own-words` | [`rcu::bracket`] | a CPU's report is written by that CPU |
//! | `link-alive` | `ftrace::registry::link` | what the registry reaches by its links lives |
//! | `successor-ready` | [`ftrace::registry`] | unregistering allocates nothing that can fail |
//! | `filter-linear` | [`ftrace::filter`] | matching is never exponential |
//! | `key-order` | [`lab::report`] | the keys of a line never move |
//! | `one-scheme` | `rcu::gp_task` | a grace period has one scheme from begin to end |
//! | `symbols-sorted` | [`platform::symbols`] | the image's symbols are in the order of addresses |
//! | `echo-safe` | [`platform::shown`] | what a person typed is shown back without control characters |
//! | `whole-line`, `asked-whole` | [`shell`] | a line is taken as it was typed, and acted on whole or not at all |
//! | `cursor-inside` | [`shell::edit`] | the cursor of a line stands between two characters |
//! | `own-ops` | `shell::tracing` | what the shell registered only the shell unregisters |

extern crate alloc;

pub mod arch;
pub mod console;
pub mod fault;
pub mod ftrace;
pub mod hook;
pub mod irq;
pub mod lab;
pub mod mm;
pub mod platform;
pub mod rcu;
pub mod sched;
pub mod shell;
pub mod sync;
pub mod tracers;
