//! RAM that holds what somebody left in it: an earlier kernel, a pattern, noise. Nothing of it is believed.
//!
//! The guest's RAM is a file that lasts from boot to boot. On an exact machine a run on such RAM prints what it prints
//! on RAM that is zero, to the byte: times and addresses included. A loader writes the image and the device tree over
//! what it finds; QEMU's clears .bss and the boot stack too, so one scenario boots without QEMU's loader.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use holdout::mm::poison::{LIVE, POISON};
use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::guest::{Ended, Guest, each, emulator, image, run};
use crate::verdict::{FirstLine, Verdict};

const RAM_START: u64 = 0x4000_0000;
const MIB: u64 = 128;
/// Host seconds of a guest that `scripts/boot` does not start.
const SECS: u64 = 120;
/// The seed of the noise.
const SEED: u64 = 0x5eed_d127;

/// Frees and poisons ops and pages of text, steps, preempts, blocks.
const WINDOWS: [&str; 4] = ["windows", "tasks_rcu=scan", "seed=1", "only=plain,callee,preempted,running"];
/// Takes most of memory, and gives it back.
const TASKS: [&str; 3] = ["selftest", "seed=3", "only=tasks-10000"];

/// A guest's memory, as a file that goes with it.
struct Ram(PathBuf);

impl Ram {
    /// Memory whose word at each address is what `word` says.
    fn of(mut word: impl FnMut(u64) -> u64) -> Self {
        let ram = Self::zero();
        let mut file = File::create(&ram.0).expect("a file for RAM");
        for mib in 0..MIB {
            let start = RAM_START + (mib << 20);
            let bytes: Vec<u8> = (start..start + (1 << 20)).step_by(8).flat_map(|at| word(at).to_le_bytes()).collect();
            file.write_all(&bytes).expect("room for RAM");
        }
        ram
    }

    fn zero() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Of one length: the name is in the boot arguments of an exact machine.
        let name = format!("ram-{:08}-{:02}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        File::create(&path).and_then(|file| file.set_len(MIB << 20)).expect("a file for RAM");
        Self(path)
    }

    fn backend(&self) -> String {
        format!("memory-backend-file,id=ram,share=on,size={MIB}M,mem-path={}", self.0.display())
    }

    /// A machine of two CPUs with this memory.
    fn guest(&self) -> Guest {
        let backend = self.backend();
        let guest = Guest::with_cpus(2).option(&format!("--memory={MIB}M"));
        guest.qemu(&["-object", &backend, "-machine", "memory-backend=ram"])
    }

    /// What an exact machine with this memory does.
    fn exactly(&self, words: &[&str]) -> Ended {
        self.guest().option("--exact").boot(words)
    }
}

impl Drop for Ram {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // in the build's own place for such files
    }
}

/// Asserts that a run on this memory is the run on memory that is zero.
#[track_caller]
fn changes_nothing(ram: &Ram, words: &[&str], what: &str) {
    static CLEAN: [OnceLock<Ended>; 2] = [const { OnceLock::new() }; 2];
    let clean = &CLEAN[usize::from(words == TASKS)].get_or_init(|| Ram::zero().exactly(words).expect_status(0));
    let dirty = ram.exactly(words);
    let differs = clean.console.lines().zip(dirty.console.lines()).find(|(clean, dirty)| clean != dirty);
    assert!(clean.console == dirty.console, "{what}: {differs:?} in {}", dirty.story());
}

#[test]
fn what_lies_in_ram_changes_no_instruction_of_a_run() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let patterns: [(&str, &mut (dyn FnMut(u64) -> u64 + Send)); 5] = [
        ("ones", &mut |_| u64::MAX),
        ("poison", &mut |_| POISON),
        ("the mark of a block that was just handed out", &mut |_| LIVE),
        ("free blocks that name themselves", &mut |at| if at % 16 == 0 { at } else { !(at - 8) }),
        ("noise", &mut |_| random.next_u64()),
    ];
    each(patterns, |(what, word)| changes_nothing(&Ram::of(word), &WINDOWS, &format!("{what}, seed {SEED:#x}")));
}

#[test]
fn what_an_earlier_kernel_left_changes_no_instruction_of_a_run() {
    let ram = Ram::zero();
    let caught = ram.exactly(&["stress", "tasks_rcu=none", "seed=1"]).expect_status(1);
    caught.line_with(&["violation of p"]);
    changes_nothing(&ram, &TASKS, "left by a stress that ended at its first violation");
    changes_nothing(&ram, &WINDOWS, "left by ten thousand tasks");
    changes_nothing(&ram, &TASKS, "left by windows");
}

/// What `ends` a stress in the middle, typed when two thirds of its load are over: what it printed, if it was in time.
fn in_the_middle(guest: &Guest, ends: &str, is_in_time: impl Fn(&Ended) -> bool) -> Ended {
    let guest = guest.clone().typing_behind("every callsite traced", ends);
    let ended = (0..5).map(|_| guest.boot(&["stress", "secs=3", "seed=3"])).find(is_in_time);
    ended.expect("five times a stress was over before the emulator read what was typed")
}

#[test]
fn what_a_kernel_left_that_was_killed_changes_no_instruction_of_a_run() {
    let ram = Ram::zero();
    in_the_middle(&ram.guest(), "\x01x", |killed| !killed.console.contains("stress: "));
    changes_nothing(&ram, &TASKS, "left by a stress that was killed");
}

/// Asserts that the last verdict is that nothing was found wrong.
#[track_caller]
fn passes(ended: &Ended) {
    let verdict = Verdict::of("stress", ended);
    assert!(verdict.passed, "{}", ended.story());
    for property in ["p1", "p2", "p3", "p4", "p5", "p6"] {
        verdict.pairs.expect(property, |violations| violations == 0, "0");
    }
    verdict.pairs.expect("freed", |freed| freed > 0, "more than 0");
}

#[test]
fn a_machine_that_is_reset_in_the_middle_of_stress_comes_up_and_passes() {
    // The second first line stands behind the monitor's prompt.
    let from_name = |line: &str| line.find("holdout ").and_then(|at| FirstLine::parse(&line[at..]));
    let was_reset = |ended: &Ended| ended.status != 0 || ended.lines().filter_map(from_name).count() == 2;
    let guest = Guest::with_cpus(2).option("--memory=128M");
    let ended = in_the_middle(&guest, "\x01csystem_reset\n", was_reset);
    passes(&ended.expect_status(0));
}

/// What is loaded of the image: where, and bytes of the file. Nothing stands for .bss and the boot stack.
fn segments() -> Vec<(u64, Vec<u8>)> {
    let elf = std::fs::read(image()).expect("the image");
    let header = FileHeader64::<Endianness>::parse(&*elf).expect("an ELF file");
    let segments = header.program_headers(Endianness::Little, &*elf).expect("segments");
    let loaded = segments.iter().filter(|segment| segment.p_type(Endianness::Little) == PT_LOAD);
    let bytes = |segment: &_| ProgramHeader::data(segment, Endianness::Little, &*elf).expect("bytes").to_vec();
    loaded.map(|segment| (segment.p_paddr(Endianness::Little), bytes(segment))).collect()
}

/// QEMU without `-kernel` leaves its device tree at the start of RAM, and the rest as it finds it.
#[test]
fn a_loader_that_clears_nothing_is_good_enough() {
    let ram = Ram::of(|at| if at % 16 == 0 { at } else { !(at - 8) });
    let file = File::options().write(true).open(&ram.0).expect("RAM");
    for (address, bytes) in segments() {
        file.write_all_at(&bytes, address - RAM_START).expect("room for the image");
    }
    let memory = format!("{MIB}M");
    let arguments = [
        ["-machine", "virt,gic-version=3,memory-backend=ram"],
        ["-object", &ram.backend()],
        ["-cpu", "max"],
        ["-smp", "2"],
        ["-m", &memory],
        ["-nic", "none"],
        ["-device", "loader,addr=0x40200000,cpu-num=0"],
        ["-semihosting-config", "enable=on,target=native"],
    ];
    let mut arguments: Vec<String> = arguments.as_flattened().iter().map(|&argument| argument.to_owned()).collect();
    arguments.push("-nographic".to_owned());
    let ended = run(SECS, &emulator(), &arguments, "stress secs=1 seed=3; poweroff\r");
    passes(&ended.unwrap_or_else(|error| panic!("{error}")).expect_status(0));
}
