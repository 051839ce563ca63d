//! A guest whose loader is the test's own: what it hands over and in which state it enters is the test's to say.
//!
//! QEMU writes into a tree that it is given: it puts its own memory and boot arguments there. What a loader in the
//! guest hands over stays as it is.

use super::{Ended, emulator, image, one_cpu, run_cued};
use crate::tree::Node;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Where the loader and the tree are, and what QEMU leaves its own tree at.
const LOADER: u64 = 0x4400_0000;
const TREE: u64 = 0x4800_0000;
const QEMUS_TREE: u64 = 0x4000_0000;
const ENTRY: u64 = 0x4020_0000;
/// Host seconds for a guest that hardly does more than boot.
const SECS: u64 = 120;

/// The device tree of QEMU's `virt` with these machine options, which begin with `virt`.
pub(crate) fn virt_tree(machine: &str, cpus: u32) -> Node {
    let version = if machine.contains("gic-version") { "" } else { ",gic-version=3" };
    let path = file(&format!("{}-{cpus}.dtb", machine.replace(['=', ','], "-")));
    let machine = format!("-M {machine}{version},dumpdtb={} -cpu max -smp {cpus} -m 512M -nic none", path.display());
    let output = Command::new(emulator()).args(machine.split_whitespace()).arg("-nographic").output();
    assert!(output.as_ref().is_ok_and(|output| output.status.success()), "no tree from {}: {output:?}", emulator());
    Node::read(&std::fs::read(path).expect("the tree"))
}

/// A file of this run, in cargo's folder for such.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

/// A guest that is not running yet: 4 CPUs, 512 MiB, GICv3.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    name: String,
    tree: Option<(Node, Vec<(u64, u64)>)>,
    x0: u64,
    before: Vec<u32>,
    image: Option<String>,
    options: Vec<[String; 2]>,
    is_heard: bool,
    typed: String,
}

impl Handed {
    /// Its loader wipes QEMU's own tree and enters the kernel with this in x0. The name is that of its files.
    pub(crate) fn address(name: &str, x0: u64) -> Self {
        let options = [("-M", "virt,gic-version=3"), ("-cpu", "max"), ("-smp", "4"), ("-m", "512M")];
        let options = options.map(|(option, value)| [option.to_owned(), value.to_owned()]).to_vec();
        let (name, typed) = (name.to_owned(), String::new());
        Self { name, tree: None, x0, before: Vec::new(), image: None, options, is_heard: true, typed }
    }

    /// Its loader hands this tree over.
    pub(crate) fn tree(name: &str, tree: &Node) -> Self {
        Self { tree: Some((tree.clone(), Vec::new())), ..Self::address(name, TREE) }
    }

    /// It has no loader but this device of QEMU's.
    pub(crate) fn image(device: &str) -> Self {
        Self { image: Some(device.to_owned()), ..Self::address("image", 0) }
    }

    /// With these memory reservations: base and size.
    pub(crate) fn reserving(mut self, reservations: &[(u64, u64)]) -> Self {
        self.tree.as_mut().expect("a tree").1.extend(reservations);
        self
    }

    /// With an option of QEMU's, in the place of the one that there was.
    pub(crate) fn option(mut self, name: &str, value: &str) -> Self {
        self.options.retain(|[old, _]| old != name);
        self.options.push([name.to_owned(), value.to_owned()]);
        self
    }

    /// Its loader executes these instructions first.
    pub(crate) fn before(mut self, instructions: &[u32]) -> Self {
        self.before = instructions.to_vec();
        self
    }

    /// Without semihosting.
    pub(crate) fn unheard(mut self) -> Self {
        self.is_heard = false;
        self
    }

    /// What stands in its input.
    pub(crate) fn typing(mut self, text: &str) -> Self {
        text.clone_into(&mut self.typed);
        self
    }

    /// Boots it with these boot arguments in its tree, if it has one, on one CPU of the host.
    #[track_caller]
    pub(crate) fn boot(self, words: &str) -> Ended {
        let arguments: Vec<String> = self.arguments(words).into_iter().chain(["-nographic".into()]).collect();
        let ended = run_cued(SECS, one_cpu(), &emulator(), &arguments, ("", self.typed.as_bytes()));
        ended.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts it with QEMU's monitor in the place of the console, as a child that the caller ends.
    pub(crate) fn watched(self) -> Child {
        let mut command = Command::new(emulator());
        command.args(self.arguments("")).args(["-display", "none", "-serial", "null", "-monitor", "stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the emulator")
    }

    fn arguments(&self, words: &str) -> Vec<String> {
        let mut arguments: Vec<String> = self.options.iter().flatten().cloned().collect();
        arguments.extend(["-nic", "none"].map(String::from));
        if self.is_heard {
            arguments.extend(["-semihosting-config", "enable=on,target=native"].map(String::from));
        }
        let mut devices = Vec::from_iter(self.image.clone());
        if devices.is_empty() {
            let loader = self.file("loader", &self.loader());
            devices.push(format!("loader,file={}", image().display()));
            devices.push(format!("loader,file={loader},addr={LOADER:#x},force-raw=on,cpu-num=0"));
        }
        if let Some((tree, reservations)) = &self.tree {
            let mut tree = tree.clone();
            tree.at("chosen").set("bootargs", [words.as_bytes(), &[0]].concat());
            let tree = self.file("tree", &tree.blob(reservations));
            devices.push(format!("loader,file={tree},addr={TREE:#x},force-raw=on"));
        }
        arguments.extend(devices.into_iter().flat_map(|device| ["-device".to_owned(), device]));
        arguments
    }

    fn file(&self, what: &str, bytes: &[u8]) -> String {
        let path = file(&format!("{}.{what}", self.name));
        std::fs::write(&path, bytes).expect("a file of ours");
        path.display().to_string()
    }

    fn loader(&self) -> Vec<u8> {
        const STORE_ZERO_TO_X1: u32 = 0xf900_003f;
        const BRANCH_TO_X1: u32 = 0xd61f_0020;
        let load = |register: u32, value: u64| {
            let part = |index: u32| ((value >> (16 * index)) & 0xffff) as u32;
            let keep = |index: u32| 0xf280_0000 | index << 21 | part(index) << 5 | register;
            [0xd280_0000 | part(0) << 5 | register, keep(1), keep(2), keep(3)]
        };
        let mut code = self.before.clone();
        code.extend(load(1, QEMUS_TREE).into_iter().chain([STORE_ZERO_TO_X1]));
        code.extend(load(0, self.x0).into_iter().chain(load(1, ENTRY)).chain([BRANCH_TO_X1]));
        code.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}
