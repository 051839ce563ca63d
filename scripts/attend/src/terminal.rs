//! The terminal that the keys come from: each key goes to the guest as it is, and none to this host's line editor.

use rustix::io;
use rustix::process::getpgrp;
use rustix::stdio::stdin;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};

/// As it was found; dropping this makes it so again.
pub(crate) struct Terminal {
    found: Option<Termios>,
    is_ours: bool,
}

impl Terminal {
    /// Standard input's, if that is one, and nobody else's in the foreground.
    pub(crate) fn of_stdin() -> io::Result<Self> {
        if !isatty(stdin()) {
            return Ok(Self { found: None, is_ours: true });
        }
        if tcgetpgrp(stdin()) != Ok(getpgrp()) {
            return Ok(Self { found: None, is_ours: false });
        }
        let found = tcgetattr(stdin())?;
        let mut raw = found.clone();
        raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
        raw.input_modes -= InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR | InputModes::IXON;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { found: Some(found), is_ours: true })
    }

    /// Whether standard input may be read: a terminal stops whoever reads it in the background.
    pub(crate) fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// Whether a person types.
    pub(crate) fn is_terminal(&self) -> bool {
        self.found.is_some()
    }

    /// Makes it as it was found.
    pub(crate) fn restore(&mut self) {
        if let Some(found) = self.found.take() {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(stdin(), OptionalActions::Drain, &found);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}
