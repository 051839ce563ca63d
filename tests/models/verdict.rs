//! Runs a model and compares its outcome with the one that is expected.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use libtest_mimic::Failed;

use crate::fault::{Fault, plant};
use crate::sync::atomic::{Weaken, weaken};

/// How the exploration ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every interleaving is right and ends.
    Holds,
    /// Some interleaving uses what was freed, or frees what is not ordered after its last use.
    FreesEarly,
    /// Some interleaving looks at the frames of a task while it goes on.
    ReadsLiveFrames,
    /// Some interleaving waits for ever.
    WaitsForEver,
    /// Some interleaving lets a barrier pass before what it waits for is freed.
    BarrierPassesEarly,
    /// Some interleaving does not free what was queued, or frees it twice.
    LosesCallback,
    /// In some interleaving a task waits for a mutex that others take, who came later.
    Overtakes,
}

/// One world, with or without a fault, and what must come of it.
pub struct Model {
    /// The fact that it shows.
    pub name: &'static str,
    /// Runs the world in each interleaving.
    pub explore: fn(&loom::model::Builder),
    /// How often a thread that could go on is set aside for another one: every interleaving with that many is explored.
    /// Faults that others found in concurrent protocols need two or three.
    pub preemptions: usize,
    /// What is taken from the orderings.
    pub weaken: Weaken,
    /// What is broken in the shipping files.
    pub fault: Option<Fault>,
    /// What must come of it.
    pub expected: Outcome,
}

thread_local! {
    static IS_EXPLORING: Cell<bool> = const { Cell::new(false) };
}

/// A panic inside an exploration is its outcome, not a message for the terminal.
fn silence_explorations() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_EXPLORING.get() {
                print(info);
            }
        }));
    });
}

/// What holds, unless it is said otherwise.
pub const fn holds(name: &'static str, explore: fn(&loom::model::Builder)) -> Model {
    Model { name, explore, preemptions: 4, weaken: Weaken::Nothing, fault: None, expected: Outcome::Holds }
}

/// What is found to free the ops while somebody holds it.
pub const fn frees_early(name: &'static str, explore: fn(&loom::model::Builder)) -> Model {
    Model { expected: Outcome::FreesEarly, ..holds(name, explore) }
}

/// What is found to look at the frames of a task that runs elsewhere.
pub const fn reads_live_frames(name: &'static str, explore: fn(&loom::model::Builder)) -> Model {
    Model { expected: Outcome::ReadsLiveFrames, ..holds(name, explore) }
}

/// What is found to wait although there is nobody left to wait for.
pub const fn waits_for_ever(name: &'static str, explore: fn(&loom::model::Builder)) -> Model {
    Model { expected: Outcome::WaitsForEver, ..holds(name, explore) }
}

impl Model {
    /// The same with another bound on preemptions.
    pub const fn bounded(self, preemptions: usize) -> Self {
        Self { preemptions, ..self }
    }

    /// The same with weaker orderings.
    pub const fn without(self, weaken: Weaken) -> Self {
        Self { weaken, ..self }
    }

    /// The same with a rule of the shipping files broken, and what must come of that.
    pub const fn planted(self, fault: Fault, expected: Outcome) -> Self {
        Self { fault: Some(fault), expected, ..self }
    }

    /// Explores, and fails unless the outcome is the expected one.
    pub fn run(&self) -> Result<(), Failed> {
        silence_explorations();
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(self.preemptions);
        builder.max_branches = 20_000;
        weaken(self.weaken);
        plant(self.fault);
        IS_EXPLORING.set(true);
        let ended = catch_unwind(AssertUnwindSafe(|| (self.explore)(&builder)));
        IS_EXPLORING.set(false);
        weaken(Weaken::Nothing);
        plant(None);
        let (outcome, story) = match ended {
            Ok(()) => (Outcome::Holds, String::new()),
            Err(payload) => judge(&*payload)?,
        };
        if outcome == self.expected {
            return Ok(());
        }
        Err(format!("expected {:?}, found {outcome:?}: {story}", self.expected).into())
    }
}

/// Reads loom's complaint, or our own.
fn judge(payload: &(dyn std::any::Any + Send)) -> Result<(Outcome, String), Failed> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no text");
    let (is_in_frames, is_race) = (crate::eyes::frames_were_touched(), text.contains("Causality violation"));
    let is_early = ["Causality violation", crate::kernel::USED_AFTER_FREE].iter().any(|sign| text.contains(sign));
    match text {
        _ if is_in_frames && is_race => Ok((Outcome::ReadsLiveFrames, text.to_owned())),
        _ if is_early => Ok((Outcome::FreesEarly, text.to_owned())),
        _ if text.contains(crate::kernel::NOBODY_LEFT) => Ok((Outcome::WaitsForEver, text.to_owned())),
        _ if text.contains(crate::batching::BARRIER_LIED) => Ok((Outcome::BarrierPassesEarly, text.to_owned())),
        _ if text.contains(crate::handover::OVERTAKEN) => Ok((Outcome::Overtakes, text.to_owned())),
        _ if text.contains(crate::batching::CALLBACK_LOST) => Ok((Outcome::LosesCallback, text.to_owned())),
        _ => Err(format!("the model itself failed: {text}").into()),
    }
}
