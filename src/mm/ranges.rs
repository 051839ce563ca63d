//! The few ranges of addresses that were given to the heap. Pure; grows at boot, read by anybody. Notrace, as the heap.

use crate::sync::atomic::{AtomicUsize, Ordering};
use core::ops::Range;

/// Up to `N` ranges; what is added beyond that widens the last one.
#[derive(Debug)]
pub struct Ranges<const N: usize>([[AtomicUsize; 2]; N]);

impl<const N: usize> Ranges<N> {
    /// None.
    pub const fn new() -> Self {
        Self([const { [AtomicUsize::new(0), AtomicUsize::new(0)] }; N])
    }

    /// Adds a range that is not empty. Context: boot, one at a time.
    pub fn add(&self, range: Range<usize>) {
        let is_free = |[_, end]: &&[AtomicUsize; 2]| end.load(Ordering::Relaxed) == 0;
        match (self.0.iter().find(is_free), self.0.last()) {
            (Some([start, end]), _) => {
                start.store(range.start, Ordering::Relaxed);
                end.store(range.end, Ordering::Relaxed);
            }
            (None, Some([start, end])) => {
                start.fetch_min(range.start, Ordering::Relaxed);
                end.fetch_max(range.end, Ordering::Relaxed);
            }
            (None, None) => {}
        }
    }

    /// Whether `address` is in one of them. Context: any.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    #[inline(always)]
    pub fn holds(&self, address: usize) -> bool {
        for [start, end] in &self.0 {
            let end = end.load(Ordering::Relaxed);
            if start.load(Ordering::Relaxed) <= address && address < end {
                return true;
            }
            if end == 0 {
                return false; // the others are free, too
            }
        }
        false
    }

    /// Past the highest address of all.
    pub fn end(&self) -> usize {
        self.0.iter().map(|[_, end]| end.load(Ordering::Relaxed)).max().unwrap_or(0)
    }
}

impl<const N: usize> Default for Ranges<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    #[test]
    fn what_lies_between_ranges_is_in_none() {
        let ranges = Ranges::<3>::new();
        assert!(!ranges.holds(0) && ranges.end() == 0);
        ranges.add(0x4000..0x5000);
        ranges.add(0x1000..0x2000);
        let held = |at: &[usize]| at.iter().map(|&at| ranges.holds(at)).collect::<Vec<_>>();
        assert_eq!(
            held(&[0xfff, 0x1000, 0x1fff, 0x2000, 0x3fff, 0x4000, 0x4fff, 0x5000]),
            [false, true, true, false, false, true, true, false]
        );
        assert_eq!(ranges.end(), 0x5000);
    }

    #[test]
    fn one_range_too_many_widens_the_last() {
        let ranges = Ranges::<2>::new();
        for start in [0x1000, 0x4000, 0x8000] {
            ranges.add(start..start + 0x100);
        }
        assert!(ranges.holds(0x1000) && !ranges.holds(0x2000) && ranges.holds(0x4000) && ranges.holds(0x80ff));
        assert_eq!(ranges.end(), 0x8100);
    }
}
