//! Tasks RCU: when a retired ops may be freed.
//!
//! | file | what |
//! |---|---|
//! | [`cookie`] | grace-period numbers |
//! | [`retired`] | the type rule: an unlinked object becomes memory again only against [`Elapsed`], the proof that is its own |
//! | [`graveyard`] | all that is retired: each waits for its own holders |
//! | [`judging`] | how an object is judged, and how many of the held ones a look judges again |
//! | [`extent`] | how far it is, for waits without a name |
//! | `links` | the lists that the graveyard keeps |
//! | [`grace`] | the machine: what the grace-period task does next |
//! | [`bracket`] | the plain grace period, CPU by CPU |
//! | [`outside`] | before a change of schemes: nobody is inside a trampoline |
//! | [`room`] | how much may be retired and not yet freed |
//! | [`conclude`] | the end of a grace period, in its one order |
//! | [`starved`] | the grace-period task itself waits for a CPU |
//! | [`schemes`] | the seam, and every answer to the question behind it |
//! | `hooks`, `eyes`, `broken`, `inside`, `gp_task`, `hurry`, `reclaimer`, `api`, `report`, `sight`, `named`, `standing`, `waits` | glue to the running scheduler; target only |
//!
//! All but the glue is pure: unit tests run it on the host, and `tests/models.rs` enumerates its interleavings. The unit
//! tests stand in `tests.rs` beside this file and not in the files themselves, since the models take those in by path.
//!
//! INVARIANT `retired-is-unlinked` (in [`retired`]), `away-is-clean` (in `sched::rcu_words`), `one-decrement` (in
//! [`schemes::holdouts`]), `own-words` (in [`bracket`]), `own-or-pinned`, `fresh` and `listed-lives` (in
//! [`schemes::holders`]), `one-scheme` (in `gp_task`).
//! Floor 5. Below: `sched`, whose hooks `start` fills. Above: `ftrace` retires, `lab` and `shell` select and watch.

pub mod bracket;
pub mod conclude;
pub mod cookie;
pub mod extent;
pub mod grace;
pub mod graveyard;
pub mod judging;
mod links;
pub mod outside;
pub mod retired;
pub mod room;
pub mod schemes;
pub mod starved;

#[cfg(target_os = "none")]
mod api;
#[cfg(target_os = "none")]
mod broken;
#[cfg(target_os = "none")]
mod eyes;
#[cfg(target_os = "none")]
mod gp_task;
#[cfg(target_os = "none")]
mod hooks;
#[cfg(target_os = "none")]
mod hurry;
#[cfg(target_os = "none")]
mod inside;
#[cfg(target_os = "none")]
mod named;
#[cfg(target_os = "none")]
mod reclaimer;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod sight;
#[cfg(target_os = "none")]
mod standing;
#[cfg(target_os = "none")]
mod waits;
#[cfg(target_os = "none")]
pub use {
    broken::{last_broken, nr_broken_chains},
    hooks::{let_funcs_break_rules, report},
    inside::until_nobody_is_inside,
    named::{MOST_MEMBERS, Named, OPS, OpsName, What},
    report::{forbid_wait_in_func, tell_holders, tell_holdouts},
    standing::{Standing, standing},
};

#[cfg(test)]
mod tests;

#[cfg(target_os = "none")]
pub use api::{
    Cookie, GP_TASK, NoSuchScheme, Summary, barrier, call, check_room, cond_synchronize, has_ended, lets_funcs_block,
    nr_ended, retire, scheme_name, set_scheme, set_stall_after, start, start_poll, statistics, synchronize,
    synchronize_expedited, synchronize_for, tells_ops_apart, trampoline,
};
pub use retired::{Elapsed, Node, Reclaim, Retired};
