//! What the shell asks with. `scripts/attend` takes this file in by its path: where input has ended, it sees by these that
//! the guest waits for more.

/// For a command.
pub const COMMAND: &str = "holdout> ";
/// Whether the kernel shall end.
pub const SURE: &str = "this ends the kernel; type yes to go on: ";
