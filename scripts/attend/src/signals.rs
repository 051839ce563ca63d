//! Signals as bytes: poll waits for them as for everything else.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// What Ctrl-C sends where the terminal is not read here.
pub(crate) const INTERRUPT: i32 = SIGINT;

/// Signals that have come and were not taken yet.
pub(crate) struct Signals {
    wake: UnixStream,
    came: Vec<(i32, UnixStream)>,
}

impl Signals {
    /// Of all that end a program and can be caught.
    pub(crate) fn new() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        let mut came = Vec::new();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let (ours, theirs) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            // In this order: who is woken finds the signal.
            signal_hook::low_level::pipe::register(signal, theirs)?;
            signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
            came.push((signal, ours));
        }
        Ok(Self { wake, came })
    }

    /// Becomes readable when a signal comes.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// One that came.
    pub(crate) fn take(&mut self) -> io::Result<Option<i32>> {
        self.wake.read_exact(&mut [0])?;
        Ok(self.came.iter_mut().find_map(|(signal, came)| came.read_exact(&mut [0]).is_ok().then_some(*signal)))
    }
}
