//! What the end of an emulator means. Pure.
//!
//! 1 is the guest's FAIL alone, 101 its panic alone, 2 a refusal, whoever refuses; what was ended from outside has the status
//! that shells give a signal, 128 and its number.

use crate::keys::Leave;

/// Nothing was run.
pub(crate) const REFUSED: u8 = 2;
const FAIL: i32 = 1;
const OF_SIGNALS: i32 = 128;
const SIGINT: i32 = 2;
const SIGPIPE: i32 = 13;
const SIGABRT: i32 = 6;

/// How an emulator ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// Its exit status, if it had one.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// Why it was ended from here.
    pub(crate) left: Option<Leave>,
}

/// What an end comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The status to end with.
    pub(crate) status: u8,
    /// What there is to say of it.
    pub(crate) said: Option<String>,
    /// That holds all that the emulator has said of itself.
    pub(crate) retells: bool,
}

impl Outcome {
    const fn silent(status: u8) -> Self {
        Self { status, said: None, retells: false }
    }

    const fn said(status: u8, said: String) -> Self {
        Self { status, said: Some(said), retells: false }
    }
}

impl End {
    /// What it means; `complaint` is what the emulator has said of itself.
    pub(crate) fn means(self, guest_has_printed: bool, complaint: &str) -> Outcome {
        let signalled = |signal: i32| u8::try_from(OF_SIGNALS + signal).unwrap_or(u8::MAX);
        match (self.left, self.code) {
            (Some(Leave::Key), _) => Outcome::said(signalled(SIGINT), "left by Ctrl-A X; the run had not ended".into()),
            (Some(Leave::Interrupts), _) => Outcome::said(signalled(SIGINT), "ended by Ctrl-C twice".into()),
            (Some(Leave::Signal(signal)), _) => Outcome::silent(signalled(signal)),
            (Some(Leave::CannotPrint(error)), _) => {
                let error = std::io::Error::from_raw_os_error(error);
                Outcome::said(REFUSED, format!("the console cannot be written: {error}"))
            }
            (Some(Leave::NobodyListens), _) => Outcome::silent(signalled(SIGPIPE)),
            // No verdict without a word of it: this is the emulator, which has said what it does not take.
            (None, Some(FAIL)) if !guest_has_printed => {
                let words: Vec<&str> = complaint.split_whitespace().collect();
                // In front stands the emulator's name.
                let why = words.iter().skip_while(|word| !word.ends_with(':')).skip(1).copied().collect::<Vec<_>>();
                let why = if why.is_empty() { "without a word".into() } else { why.join(" ") };
                Outcome { status: REFUSED, said: Some(format!("the emulator refuses: {why}")), retells: true }
            }
            (None, Some(0)) if let Some(signal) = ending_signal(complaint) => Outcome::silent(signalled(signal)),
            (None, Some(code)) => Outcome::silent(u8::try_from(code).unwrap_or(u8::MAX)),
            (None, None) => {
                let signal = self.signal.unwrap_or(SIGABRT);
                Outcome::said(signalled(signal), format!("the emulator was ended by signal {signal}"))
            }
        }
    }
}

/// The signal by which the emulator says that it was ended, with status 0.
fn ending_signal(complaint: &str) -> Option<i32> {
    let (_, rest) = complaint.rsplit_once("terminating on signal ")?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXITED: fn(i32) -> End = |code| End { code: Some(code), signal: None, left: None };

    #[test]
    fn a_guest_that_has_spoken_ends_with_its_own_status() {
        for status in [0, 1, 2, 101, 102, 130] {
            assert_eq!(EXITED(status.into()).means(true, "qemu: warning\n"), Outcome::silent(status));
        }
    }

    #[test]
    fn status_one_is_a_verdict_only_if_the_guest_has_spoken() {
        let refused = |complaint| EXITED(1).means(false, complaint);
        let said = |why: &str| Outcome { status: 2, said: Some(format!("the emulator refuses: {why}")), retells: true };
        assert_eq!(refused("/a/qemu: no CPU 'x'\n"), said("no CPU 'x'"));
        assert_eq!(refused("qemu: -m x: no size\nk, M or G\n"), said("-m x: no size k, M or G"));
        assert_eq!(refused(""), said("without a word"));
        assert_eq!(EXITED(0).means(false, "qemu: warning\n"), Outcome::silent(0));
    }

    #[test]
    fn what_was_ended_from_outside_did_not_pass() {
        let left = |left| End { code: None, signal: Some(9), left: Some(left) }.means(true, "").status;
        assert_eq!(left(Leave::Key), 130);
        assert_eq!(left(Leave::Interrupts), 130);
        assert_eq!(left(Leave::Signal(15)), 143);
        assert_eq!(left(Leave::NobodyListens), 141);
        assert_eq!(End { code: None, signal: Some(11), left: None }.means(true, "").status, 139);
        assert_eq!(EXITED(0).means(true, "qemu: terminating on signal 15 from pid 7 (x)\n").status, 143);
    }
}
