//! What a look at the running kernel shows: tasks.
//!
//! Context: task. Rows are copied while the lists are locked and printed afterwards.

use alloc::vec::Vec;

use crate::println;
use crate::sched::{self, Class, Task};
use crate::sync::atomic::Ordering;

/// Room for tasks that are spawned between the count and the look.
const SPARE_ROWS: usize = 64;

/// What `ps` says of a task.
struct Row {
    id: u32,
    name: heapless::String<15>,
    class: Class,
    state: &'static str,
    cpu: usize,
    voluntary: u64,
    involuntary: u64,
    migrations: u64,
}

impl Row {
    /// Context: any; allocates nothing.
    fn of(task: &Task) -> Self {
        let state = if task.is_exiting() {
            "exiting"
        } else if task.is_running() {
            "running"
        } else {
            task.state_name()
        };
        Self {
            id: task.id,
            // Fits: a task's name is as short.
            name: task.name().try_into().unwrap_or_default(),
            class: task.class(),
            state,
            cpu: task.cpu(),
            voluntary: task.nvcsw.load(Ordering::Relaxed),
            involuntary: task.nivcsw.load(Ordering::Relaxed),
            migrations: task.migrations.load(Ordering::Relaxed),
        }
    }
}

/// Prints every task: the idle ones, then by number.
pub(super) fn list() {
    let (living, exiting) = sched::counts();
    let mut rows = Vec::with_capacity(sched::nr_cpus() + living + exiting + SPARE_ROWS);
    let mut nr_missed = 0;
    rows.extend((0..sched::nr_cpus()).filter_map(sched::idle_task).map(Row::of));
    sched::for_each_task(|task| {
        // The lists are locked, IRQs masked: no growing here.
        if rows.len() < rows.capacity() {
            rows.push(Row::of(task));
        } else {
            nr_missed += 1;
        }
    });
    println!(
        "{:>6} {:<15} {:<6} {:<8} {:>3} {:>10} {:>11} {:>10}",
        "ID", "NAME", "CLASS", "STATE", "CPU", "VOLUNTARY", "INVOLUNTARY", "MIGRATIONS"
    );
    for row in rows {
        let class = match row.class {
            Class::Normal => "normal",
            Class::High => "high",
        };
        println!(
            "{:>6} {:<15} {class:<6} {:<8} {:>3} {:>10} {:>11} {:>10}",
            row.id, row.name, row.state, row.cpu, row.voluntary, row.involuntary, row.migrations
        );
        sched::cond_resched();
    }
    if nr_missed > 0 {
        println!("and {nr_missed} more");
    }
}
