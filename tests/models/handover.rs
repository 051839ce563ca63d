//! Tasks that want one mutex: who has it, in what order, and whether anybody is forgotten.
//!
//! World: two or three tasks, each on a CPU of its own, that take the mutex some times; a queue behind a lock; a wait that
//! ends when the mutex is granted, and wake-ups that are not lost. What the mutex guards is a cell that loom watches.
//! Not covered: how a task blocks and is woken (`sched::wait`), and nudges, which change nothing but the time of a look.

use std::collections::VecDeque;

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;

use crate::kernel::NOBODY_LEFT;
use crate::sched::handover::Word;
use crate::sync::atomic::{AtomicUsize, Weaken};
use crate::verdict::{Model, Outcome, frees_early, holds, waits_for_ever};

/// The complaint of a waiter.
pub const OVERTAKEN: &str = "a waiter was overtaken twice";

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The mutex is freed, and the oldest is woken to try.
    Freed,
    /// The oldest is granted the mutex, and not woken.
    Unwoken,
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Awake,
    Asleep,
    Granted,
    Ended,
}

/// What happened to the mutex, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Queued(usize),
    Has(usize),
}

struct Shared {
    word: Word,
    queue: Mutex<VecDeque<usize>>,
    tasks: (Mutex<Vec<Task>>, Condvar),
    steps: Mutex<Vec<Step>>,
    guarded: UnsafeCell<usize>,
    fault: Fault,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no step panics with it")
}

impl Shared {
    fn new(nr_tasks: usize, fault: Fault) -> Self {
        Self {
            word: Word(AtomicUsize::new(Word::FREE)),
            queue: Mutex::new(VecDeque::new()),
            tasks: (Mutex::new(vec![Task::Awake; nr_tasks]), Condvar::new()),
            steps: Mutex::new(Vec::new()),
            guarded: UnsafeCell::new(0),
            fault,
        }
    }

    fn now_is(&self, task: usize, what: Task) {
        locked(&self.tasks.0)[task] = what;
        self.tasks.1.notify_all();
    }

    /// As the kernel's mutex.
    fn lock(&self, me: usize) {
        while !self.word.take() && !self.take_or_queue(me) {
            self.sleep(me);
            if self.fault != Fault::Freed {
                return;
            }
        }
    }

    /// Until the mutex is granted.
    fn sleep(&self, me: usize) {
        let mut tasks = locked(&self.tasks.0);
        while tasks[me] != Task::Granted {
            tasks[me] = Task::Asleep;
            assert!(tasks.iter().any(|task| matches!(task, Task::Awake | Task::Granted)), "{NOBODY_LEFT}");
            tasks = self.tasks.1.wait(tasks).expect("no step panics with it");
        }
        tasks[me] = Task::Awake;
    }

    fn take_or_queue(&self, me: usize) -> bool {
        let mut queue = locked(&self.queue);
        self.word.take_or_queue(|| {
            locked(&self.steps).push(Step::Queued(me));
            queue.push_back(me);
        })
    }

    /// As the kernel's mutex, but for the fault.
    fn unlock(&self) {
        if self.word.free() {
            return;
        }
        let mut queue = locked(&self.queue);
        self.word.hand_over(|| {
            let Some(oldest) = queue.pop_front() else { return false };
            if self.fault != Fault::Unwoken {
                self.now_is(oldest, Task::Granted);
            }
            self.fault != Fault::Freed
        });
    }

    /// One that takes the mutex so often.
    fn task(&self, me: usize, times: usize) {
        for _ in 0..times {
            self.lock(me);
            locked(&self.steps).push(Step::Has(me));
            self.guarded.with_mut(|word| {
                // SAFETY: 1. The cell is alive. 2. loom fails the model if another task touches it meanwhile.
                unsafe { *word += 1 };
            });
            self.unlock();
        }
        self.now_is(me, Task::Ended);
    }
}

/// How often waiters were overtaken at the most: others that have the mutex between a waiter's coming to the queue and its
/// having it, and came to the queue later or not at all.
fn overtaken(steps: &[Step]) -> usize {
    let mut most = 0;
    for (at, &step) in steps.iter().enumerate() {
        let Step::Queued(waiter) = step else { continue };
        let mut before: Vec<usize> = Vec::new();
        for &step in &steps[..at] {
            match step {
                Step::Queued(task) => before.push(task),
                Step::Has(task) => before.retain(|&other| other != task),
            }
        }
        let meanwhile = steps[at..].iter().take_while(|&&step| step != Step::Has(waiter));
        most = most.max(meanwhile.filter(|&&step| matches!(step, Step::Has(task) if !before.contains(&task))).count());
    }
    most
}

/// Tasks that take the mutex so often each.
fn world(builder: &Builder, times: &'static [usize], fault: Fault) {
    builder.check(move || {
        let shared = Arc::new(Shared::new(times.len(), fault));
        let threads: Vec<_> = (1..times.len())
            .map(|me| {
                let shared = shared.clone();
                thread::spawn(move || shared.task(me, times[me]))
            })
            .collect();
        shared.task(0, times[0]);
        threads.into_iter().for_each(|thread| thread.join().expect("no task panics"));
        let steps = locked(&shared.steps);
        // One that had the mutex before the waiter came to the queue may say so after that.
        assert!(overtaken(&steps) <= 1, "{OVERTAKEN}: {steps:?}");
        assert!(shared.word.is_free() && locked(&shared.queue).is_empty());
    });
}

/// First what holds, then what each fault does.
pub const MODELS: [Model; 6] = [
    holds("a_mutex_has_one_holder_and_is_handed_to_who_waits", |b| world(b, &[2, 2], Fault::None)),
    holds("a_mutex_is_handed_on_from_waiter_to_waiter", |b| world(b, &[1, 1, 1], Fault::None)).bounded(3),
    holds("who_takes_a_mutex_again_and_again_overtakes_nobody_twice", |b| world(b, &[3, 1], Fault::None)),
    frees_early("fault_a_mutex_without_releases", |b| world(b, &[2, 2], Fault::None)).without(Weaken::Releases),
    Model {
        expected: Outcome::Overtakes,
        ..holds("fault_a_mutex_is_freed_and_the_oldest_tries", |b| world(b, &[3, 1], Fault::Freed))
    },
    waits_for_ever("fault_whoever_is_granted_a_mutex_is_not_woken", |b| world(b, &[2, 2], Fault::Unwoken)),
];
