//! Clones of this tree in folders of their own, and the kernels that are built in them.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// This tree.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A git repository that has HEAD of this tree, until it is dropped.
pub(crate) struct Tree {
    pub(crate) folder: PathBuf,
    /// What is removed with it.
    outermost: PathBuf,
}

impl Tree {
    /// Clones into the folder `name`, inside one of this process. That is not in this tree, because cargo would add this
    /// tree's settings to those of a tree inside it.
    pub(crate) fn new(name: &str) -> Self {
        let first = Path::new(name).components().next().expect("a name");
        let tmp = std::env::temp_dir().join(format!("holdout-clones-{}", std::process::id()));
        let clone = Self { folder: tmp.join(name), outermost: tmp.join(first) };
        let folder = clone.folder.to_str().expect("a path of text");
        git(Path::new(ROOT), &["clone", "--quiet", ROOT, folder]);
        clone
    }

    /// The folder that holds it.
    pub(crate) fn parent(&self) -> PathBuf {
        self.folder.parent().expect("it lies in a folder").into()
    }

    /// Runs git in it.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.folder, arguments)
    }

    /// Writes `text` to the file `name`.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).expect("a folder of ours");
    }

    /// Makes the changes of `patch`, which may be none.
    pub(crate) fn apply(&self, patch: &[u8]) {
        let mut command = Command::new("git");
        command.args(["apply", "--allow-empty", "--whitespace=nowarn"]).current_dir(&self.folder);
        let mut git = command.stdin(Stdio::piped()).spawn().expect("git runs");
        git.stdin.take().expect("a pipe").write_all(patch).expect("git reads");
        assert!(git.wait().expect("git ends").success(), "git apply");
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // A folder that stays is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.outermost);
        // The last one takes along the folder of this process.
        let _ = self.outermost.parent().map(std::fs::remove_dir);
    }
}

/// Runs git in `folder` as somebody whose settings do not matter.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let settings = ["user.name=somebody", "user.email=somebody@example.org", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    let output = command.args(settings.iter().flat_map(|it| ["-c", it])).args(arguments).current_dir(folder).output();
    let output = output.expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("git speaks UTF-8 of files like ours").trim_end().to_owned()
}

/// How this tree differs from its HEAD. A file that git does not know is left out, as a commit would leave it out.
pub(crate) fn uncommitted() -> Vec<u8> {
    let options = ["--binary", "--no-ext-diff", "--no-color", "--src-prefix=a/", "--dst-prefix=b/"];
    let output = Command::new("git").arg("diff").args(options).arg("HEAD").current_dir(ROOT).output();
    output.expect("git runs").stdout
}

/// Builds the kernel in the tree `root`. Returns where it is, and what cargo told.
pub(crate) fn kernel(root: &Path, environment: &[(&str, &OsStr)]) -> (PathBuf, String) {
    let mut command = Command::new(root.join("scripts/build"));
    if root != Path::new(ROOT) {
        command.env_remove("CARGO_TARGET_DIR");
    }
    let output = command.envs(environment.iter().copied()).output().expect("bash");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    (String::from_utf8_lossy(&output.stdout).trim_end().into(), told)
}
