//! What is said when the heap was misused, or is at its end. Context: any; takes no lock.

use core::alloc::Layout;
use core::fmt;
use holdout::arch::exit;
use holdout::console::epitaph::{self, Place};
use holdout::lab::oracle;
use holdout::mm::damage::{Damage, Deed};
use holdout::mm::heap;
use holdout::sched::TaskName;

const KIB: usize = 1024;

/// Who, when, where from, in a line.
struct By(Deed);

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deed { task, cpu, time_ns, callers } = self.0;
        let us = time_ns / 1000;
        let (secs, us) = (us / 1_000_000, us % 1_000_000);
        write!(f, "by {} on CPU {cpu} at {secs}.{us:06}", TaskName { number: task, cpu })?;
        // A return address belongs to the call before it.
        callers
            .iter()
            .filter(|&&caller| caller != 0)
            .try_for_each(|&caller| write!(f, "\n    in {}", Place(caller - 4)))
    }
}

/// Tells what was done to the heap: the oracle's, or the end. Wired to `heap::DAMAGED`.
pub(super) fn tell(damage: &Damage) {
    match *damage {
        Damage::FreedTwice { block, bytes, first, again } => match first {
            Some(first) => end(format_args!(
                "heap: double free of {block:#x} ({bytes} bytes)\n  freed first {}\n  freed again {}",
                By(first),
                By(again)
            )),
            None => end(format_args!(
                "heap: double free of {block:#x} ({bytes} bytes)\n  freed first too long ago to say by whom\n  \
                 freed again {}",
                By(again)
            )),
        },
        Damage::Written { block, bytes, offset, found, had_tombstone, freed } => {
            if had_tombstone {
                oracle::late_write(block);
            }
            end(format_args!(
                "heap: write after free to {block:#x} ({bytes} bytes), at offset {offset}: found {found:#x}\n  freed {}",
                By(freed)
            ))
        }
        Damage::NoBlock { block, bytes, why, by } => {
            end(format_args!("heap: bad free of {block:#x} ({bytes} bytes): {why}\n  freed {}", By(by)))
        }
    }
}

fn end(message: fmt::Arguments<'_>) -> ! {
    epitaph::die(message, None, exit::STATUS_PANIC)
}

/// Somebody allocated who cannot go on without memory.
#[alloc_error_handler]
fn out_of_memory(layout: Layout) -> ! {
    let (bytes, alignment) = (layout.size(), layout.align());
    match heap::try_usage() {
        Some(usage) => end(format_args!(
            "heap: out of memory: no block of {bytes} bytes, aligned to {alignment}: \
             {} of {} KiB are in use ({} of that in quarantine), the largest free block has {} bytes",
            usage.allocated / KIB,
            usage.total / KIB,
            usage.quarantined / KIB,
            usage.largest_joined,
        )),
        None => end(format_args!("heap: out of memory: no block of {bytes} bytes, aligned to {alignment}")),
    }
}
