//! One traced call that is stepped: the number of the boundary that it stands at, and what it holds there.
//!
//! Whoever steps one keeps this between its stops: `windows`, the shell's `step`, the selftest of the hit path. Pure.

use super::held::Held;

/// A stepped call, between two of its stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stepper {
    /// The instruction that is about to be executed.
    pc: usize,
    held: Held,
    /// The number of the boundary that the call stands at; 0 is its first instruction. `None` before the call.
    number: Option<usize>,
    marks: Marks,
}

/// Where the trampoline's boundaries lie that begin and end a hold: T2 and T7.
pub type Marks = (usize, usize);

/// No trampoline's.
pub const NO_MARKS: Marks = (0, 0);

impl Stepper {
    /// The call has not begun; it is to go through the trampoline of these marks.
    pub const fn new(marks: Marks) -> Self {
        Self { pc: 0, held: Held::new(), number: None, marks }
    }

    /// The marks of its trampoline. Context: any.
    #[inline(always)]
    pub const fn marks(&self) -> Marks {
        self.marks
    }

    /// The thread stops at `pc`, where x2 holds `x2`; the call begins with the instruction at `entry`. Gives the number of
    /// the boundary, `None` before the call. Context: any.
    #[inline(always)]
    pub fn stop(&mut self, pc: usize, x2: usize, entry: usize) -> Option<usize> {
        self.number = match self.number {
            None if pc != entry => return None,
            None => Some(0),
            Some(number) => Some(number + 1),
        };
        let executed = core::mem::replace(&mut self.pc, pc);
        self.held.step(executed, pc, x2, self.marks);
        self.number
    }

    /// The thread stops at `pc`, which is no boundary: it is in something that the call called, and that is not looked at.
    /// Context: any.
    #[inline(always)]
    pub const fn pass(&mut self, pc: usize) {
        self.pc = pc;
    }

    /// Whether the call has begun. Context: any.
    #[inline(always)]
    pub const fn has_begun(&self) -> bool {
        self.number.is_some()
    }

    /// What the call holds where it stands. Context: any.
    #[inline(always)]
    pub const fn held(&self) -> &Held {
        &self.held
    }
}

#[cfg(test)]
mod tests {
    use super::Stepper;

    const ENTRY: usize = 0x1000;
    const MARKS: (usize, usize) = (0x20, 0x40);

    #[test]
    fn boundaries_are_numbered_from_the_entry_on() {
        let mut stepper = Stepper::new(MARKS);
        assert_eq!(stepper.stop(0x500, 0, ENTRY), None);
        assert!(!stepper.has_begun());
        let numbers: Vec<_> = [ENTRY, 0x20, 0x24, ENTRY].map(|pc| stepper.stop(pc, 7, ENTRY)).into();
        assert_eq!(numbers, [Some(0), Some(1), Some(2), Some(3)], "a call of itself is part of it");
        assert_eq!(stepper.held().innermost(), Some(7));
    }

    #[test]
    fn what_came_before_the_call_is_no_part_of_it() {
        let mut stepper = Stepper::new(MARKS);
        assert_eq!(stepper.stop(0x20, 7, ENTRY), None, "T2 of another call");
        assert_eq!(stepper.stop(ENTRY, 7, ENTRY), Some(0));
        assert_eq!(stepper.held().depth(), 0);
    }

    #[test]
    fn what_is_passed_has_no_number_and_is_what_was_executed() {
        let mut stepper = Stepper::new(MARKS);
        stepper.stop(ENTRY, 0, ENTRY);
        stepper.pass(0x20);
        assert_eq!(stepper.stop(0x24, 9, ENTRY), Some(1));
        assert_eq!(stepper.held().innermost(), Some(9));
    }
}
