//! A command of README.md is run, as a person would in the root of the tree.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Host seconds that a command may take on a busy host: several times the longest, the build of a kernel included.
const SECS: u32 = 900;
/// Where the kernel waits for somebody to type: all has been printed.
const PROMPT: &str = "\nholdout> ";

/// The root of the tree.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `command` prints to its standard output, without carriage returns, to its end or to the kernel's prompt.
pub(crate) fn console(command: &str) -> Result<String, String> {
    told(command).map_err(|error| format!("  `{command}`: {error}"))
}

fn told(command: &str) -> Result<String, io::Error> {
    let mut timeout = Command::new("timeout");
    timeout.args(["--kill-after=10", &SECS.to_string(), "bash", "-c", command]).current_dir(root());
    timeout.env_remove("QEMU").env("PATH", &*PATH);
    let mut child = timeout.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut errors = child.stderr.take().expect("a piped output");
    let errors = std::thread::spawn(move || io::read_to_string(&mut errors));
    let mut output = child.stdout.take().expect("a piped output");
    let (mut console, mut bytes) = (Vec::new(), [0; 4096]);
    let is_at_prompt = loop {
        let nr = output.read(&mut bytes)?;
        console.extend(bytes[..nr].iter().filter(|&&byte| byte != b'\r'));
        if nr == 0 || console.ends_with(PROMPT.as_bytes()) {
            break nr != 0;
        }
    };
    if is_at_prompt {
        // timeout(1) hands on what it can catch: killed itself, it would leave the emulator behind.
        Command::new("kill").arg(child.id().to_string()).status()?;
    }
    let status = child.wait()?;
    let errors = errors.join().expect("the thread that reads")?;
    match status.code() {
        // By timeout(1): its time is up; by a shell: the command cannot be run, or is not there.
        Some(124 | 126 | 127 | 137) if !is_at_prompt => Err(io::Error::other(format!("{status}\n{errors}"))),
        _ if console.is_empty() => Err(io::Error::other(format!("nothing was printed, {status}\n{errors}"))),
        _ => Ok(String::from_utf8_lossy(&console).into_owned()),
    }
}

/// The PATH of all commands. There the emulator that `QEMU=` picks has the name `qemu-system-aarch64`: README.md shows
/// no other, and replay lines would.
static PATH: LazyLock<OsString> = LazyLock::new(|| {
    let path = std::env::var_os("PATH").expect("a PATH");
    let Some(qemu) = std::env::var_os("QEMU") else { return path };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("readme-{}", std::process::id()));
    let found = std::env::split_paths(&path).map(|folder| folder.join(&qemu)).find(|file| file.is_file());
    std::fs::create_dir_all(&folder).expect("a place for a PATH");
    symlink(found.expect("QEMU= names an emulator"), folder.join("qemu-system-aarch64")).expect("a folder of ours");
    std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path))).expect("a PATH")
});
