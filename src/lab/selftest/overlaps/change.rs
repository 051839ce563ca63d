//! A change of schemes, beside what would keep it waiting.

use super::{INNER, OUTER, Outcome, Run, call, check, comes, free, inner, inner_func, other, register, retire, site};
use crate::ftrace::live::{self, SchemeError};
use crate::ftrace::ops::OpsBox;
use crate::ftrace::registry::RegisterError;
use crate::platform::{Name, SchemeName};
use crate::rcu;
use crate::sched::{self, JoinHandle};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::tracers::nop;
use alloc::vec::Vec;
use core::hint::black_box;

/// Between two tries to register, and to select a scheme.
const REST_NS: u64 = 500_000;
/// Tasks that ask for one grace period after the other.
const ASKERS: usize = 4;

/// While a scheme is being selected, which waits for a sleeper, registering is refused at once, and whoever only looks does not wait.
pub(super) fn beside_a_sleeper() -> Outcome {
    static IS_SELECTED: AtomicBool = AtomicBool::new(false);
    static NR_REFUSED: AtomicUsize = AtomicUsize::new(0);
    [&OUTER, &INNER].iter().for_each(|gate| gate.close());
    IS_SELECTED.store(false, Ordering::Relaxed);
    NR_REFUSED.store(0, Ordering::Relaxed);
    let held = register(OpsBox::new("held", inner_func, 0), inner)?;
    let holder = call(inner)?;
    INNER.wait_for_one();
    let held = retire(held);
    let selector = call(|| {
        // What the registrar has registered just now is refused, and tried again.
        while let Err(error) = live::set_scheme(rcu::scheme_name()) {
            assert!(matches!(error, SchemeError::Traced { .. }), "selftest: {error}");
            sched::sleep(REST_NS);
        }
        IS_SELECTED.store(true, Ordering::Relaxed);
    })?;
    // A task of its own: where the registry is locked for as long as that waits, it is this that does not come back.
    let registrar = call(|| {
        while NR_REFUSED.load(Ordering::Relaxed) == 0 && !INNER.is_open.load(Ordering::Relaxed) {
            match live::register_at(nop::empty(), site(other)) {
                Ok(ops) => rcu::call(retire(ops), drop), // it has not begun
                Err(RegisterError::Closed) => drop(NR_REFUSED.fetch_add(1, Ordering::Relaxed)),
                Err(error) => panic!("selftest: {error}"),
            }
            live::with_registry(|registry| black_box(registry.registrations().count()));
            sched::sleep(REST_NS);
        }
    })?;
    let is_refused = comes(|| NR_REFUSED.load(Ordering::Relaxed) > 0);
    let is_early = IS_SELECTED.load(Ordering::Relaxed);
    INNER.open();
    [holder, selector, registrar].into_iter().for_each(JoinHandle::join);
    check!(is_refused, "registering was not refused at once while a scheme was being selected");
    check!(!is_early, "a scheme was selected while a sleeper was inside");
    check!(IS_SELECTED.load(Ordering::Relaxed), "the scheme was not selected though nobody is inside any more");
    free(held)?;
    free(retire(register(nop::empty(), other)?))
}

/// Tasks ask for grace periods all the time, so that one begins where the last one ends: each scheme is selected in its turn all the
/// same, and at last the one that was.
pub(super) fn beside_those_that_synchronize(run: &mut Run) -> Outcome {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    static NR_CHANGES: AtomicUsize = AtomicUsize::new(0);
    IS_OVER.store(false, Ordering::Relaxed);
    NR_CHANGES.store(0, Ordering::Relaxed);
    let ask = || {
        while !IS_OVER.load(Ordering::Relaxed) {
            rcu::synchronize();
        }
    };
    let mut tasks = Vec::new();
    for _ in 0..ASKERS {
        tasks.push(call(ask)?);
    }
    tasks.push(call(|| {
        let before = rcu::scheme_name();
        for name in SchemeName::ALL.iter().map(|name| name.as_str()).chain([before]) {
            assert!(live::set_scheme(name).is_ok() && rcu::scheme_name() == name, "selftest: nothing is registered");
            NR_CHANGES.fetch_add(1, Ordering::Relaxed);
        }
    })?);
    let nr_changes = || NR_CHANGES.load(Ordering::Relaxed);
    let are_made = comes(|| nr_changes() == SchemeName::ALL.len() + 1);
    check!(are_made, "{} changes were made beside {ASKERS} tasks that synchronize, and no more", nr_changes());
    IS_OVER.store(true, Ordering::Relaxed);
    tasks.into_iter().for_each(JoinHandle::join);
    run.note("changes", nr_changes());
    Ok(())
}
