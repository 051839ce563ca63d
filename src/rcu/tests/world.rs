//! A still world, for schemes whose steps are looked at one by one.

use core::cell::RefCell;

use crate::rcu::schemes::{At, Context, Eyes, Kind, Look, Meet, Scheme, Sighting, Subject, World};
use crate::sched::rcu_words::TaskWords;

/// A still world: every CPU is found as `sightings` say, every task is ordinary.
pub(super) struct Still<'a> {
    pub(super) scheme: &'a dyn Scheme,
    pub(super) sightings: RefCell<Vec<Sighting>>,
    pub(super) tasks: Vec<(&'a TaskWords, Kind)>,
    /// The words of whatever the CPUs run.
    interrupted: TaskWords,
}

/// Eyes for schemes that do not look inside anybody.
pub(super) struct Blind;

impl Eyes for Blind {
    fn each_hold(&self, _: &TaskWords, _: At, _: &dyn Meet) -> bool {
        unreachable!("it does not look")
    }
    fn depth(&self, _: &TaskWords) -> u32 {
        unreachable!("it does not look")
    }
    fn want_report(&self, _: &TaskWords, _: bool) {}
    fn agree(&self, _: &TaskWords, _: At) -> bool {
        unreachable!("it does not look")
    }
    fn boost(&self, _: &TaskWords, _: bool) {}
    fn relax(&self) {
        unreachable!("nobody else runs")
    }
}

pub(super) fn blind(task: &TaskWords) -> Context<'_> {
    Context { task, eyes: &Blind }
}

impl Eyes for Still<'_> {
    fn each_hold(&self, task: &TaskWords, at: At, who: &dyn Meet) -> bool {
        Blind.each_hold(task, at, who)
    }
    fn depth(&self, task: &TaskWords) -> u32 {
        Blind.depth(task)
    }
    fn want_report(&self, _: &TaskWords, _: bool) {}
    fn agree(&self, task: &TaskWords, at: At) -> bool {
        Blind.agree(task, at)
    }
    fn boost(&self, _: &TaskWords, _: bool) {}
    fn relax(&self) {
        unreachable!("nobody else runs")
    }
}

impl World for Still<'_> {
    fn number(&self) -> u64 {
        2
    }
    fn nr_cpus(&self) -> usize {
        self.sightings.borrow().len()
    }
    fn visit_every_cpu(&self) {
        for sighting in self.sightings.borrow().iter() {
            let _ = self.scheme.visited(sighting, &blind(&self.interrupted));
        }
    }
    fn wake_workers(&self) {}
    fn for_each_task(&self, look: &dyn Look) {
        self.tasks.iter().for_each(|&(words, kind)| look.look(&Subject { words, kind }));
    }
}

pub(super) fn at_task_level(cpu: usize) -> Sighting {
    Sighting { cpu, is_outermost: true, is_idle: false, preempt_count: 0 }
}

pub(super) fn world<'a>(scheme: &'a dyn Scheme, sightings: &[Sighting], tasks: &[&'a TaskWords]) -> Still<'a> {
    let tasks = tasks.iter().map(|&words| (words, Kind::Ordinary)).collect();
    Still { scheme, sightings: RefCell::new(sightings.to_vec()), tasks, interrupted: TaskWords::running() }
}
