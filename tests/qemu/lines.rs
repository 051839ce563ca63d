//! Lines over a pipe, by the thousand: what nearly is a command, and what is nothing at all.
//!
//! `HOLDOUT_FUZZ_LINES=1000000 cargo test --test qemu -- lines::` tries a million. The same seed makes the same lines; the
//! environment's HOLDOUT_FUZZ_SEED names another one.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::guest::{Ended, Guest};

const LINES: u64 = 2_000;
const SEED: u64 = 0x11e5;
/// One line in so many asks for a mark, which must come.
const MARK_EVERY: u64 = 50;
/// What lines have left on, and the shell's list of it. Were 16 bytes left by each line, they would be twice this.
const MOST_GROWTH_KIB: u64 = 16;
/// More than the shell's history takes.
const LINES_REMEMBERED: usize = 40;
const KIB_PER_STACK: u64 = 16;
/// Host seconds for a million lines.
const SECS_OF_A_MILLION: u64 = 7_200;

/// What commands are made of. None of them ends the kernel, asks whether it shall end, or takes long.
const COMMANDS: [&str; 12] = [
    "version",
    "ops",
    "trace",
    "echo",
    "sleep",
    "exit",
    "ls",
    "dmesg",
    "stresses",
    "hold spin x",
    "rcu scheme",
    "frobnicate",
];
/// The same, of those that answer with many lines, patch text or go through all names: rarer, for they take a hundred times as long.
const COSTLY: [&str; 11] = [
    "help",
    "ps",
    "cpus",
    "irqs",
    "mem",
    "log",
    "rcu",
    "callsites tracees::*",
    "callsites nothing::*",
    "trace tracees::bravo",
    "step tracees::alpha",
];
const ARGUMENTS: [&str; 24] = [
    "boot",
    "1",
    "0",
    "4294967296",
    "-1",
    "0x10",
    "on",
    "off",
    "tracees::alpha",
    "tracees::[a-b]*",
    "scan",
    "depth",
    "ip",
    "synchronize",
    "expedited",
    "stall",
    "50",
    "\"a b\"",
    "\"open",
    "a\"b",
    "*\\",
    "[!a",
    "é",
    "key=value",
];

fn number(key: &str, default: u64) -> u64 {
    std::env::var(key).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{key}={text} is no number")))
}

fn one_of<'a>(random: &mut impl Rng, words: &[&'a str]) -> &'a str {
    words[random.next_u32() as usize % words.len()]
}

/// A line, with its end.
fn line(random: &mut impl Rng, into: &mut Vec<u8>) {
    match random.next_u32() % 16 {
        // Bytes of any kind, but for those that end a session, or steer it to a line that did.
        0 => {
            let len = random.next_u32() % 100;
            let bytes = (0..len).map(|_| random.next_u32() as u8);
            into.extend(
                bytes.filter(|byte| !matches!(byte, 0x01 | 0x03 | 0x04 | 0x0e | 0x10 | 0x12 | 0x1b | b'\r' | b'\n')),
            );
        }
        // Longer than any line may be.
        1 if random.next_u32().is_multiple_of(32) => into.extend(std::iter::repeat_n(b'x', 20_000)),
        // Half a line that is taken back, in one of three ways.
        2 => {
            into.extend(one_of(random, &COMMANDS).bytes());
            into.push([0x15, 0x17, 0x7f][random.next_u32() as usize % 3]);
        }
        // Several commands.
        3 => {
            let line = format!("{}; {} ;; ", one_of(random, &COMMANDS), one_of(random, &COMMANDS));
            into.extend(line.bytes());
        }
        kind => {
            into.extend(if kind == 4 { one_of(random, &COSTLY) } else { one_of(random, &COMMANDS) }.bytes());
            for _ in 0..random.next_u32() % 4 {
                into.push(b' ');
                into.extend(one_of(random, &ARGUMENTS).bytes());
            }
        }
    }
    into.push(b'\n');
}

/// Live KiB of the heap, as `mem` had them the `nth` time: what is freed and rests is none of them, nor a stack that is kept.
fn live_kib(console: &str, nth: usize) -> u64 {
    let text = console.split("of the session").nth(nth).expect("mem");
    let line = |name: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(name)).expect("a line of mem");
    let kib = |name: &str| line(name).split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("KiB");
    let kept = line("stacks").split(", ").nth(1).and_then(|kept| kept.split(' ').next()?.parse::<u64>().ok());
    kib("allocated") - kib("quarantine") - kept.expect("stacks that are kept") * KIB_PER_STACK
}

#[test]
fn no_line_ends_the_kernel_hangs_is_lost_or_makes_it_grow() {
    let (lines, seed) = (number("HOLDOUT_FUZZ_LINES", LINES), number("HOLDOUT_FUZZ_SEED", SEED));
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    // The history holds the same at both looks.
    let remembered: String = (0..LINES_REMEMBERED).map(|n| format!("echo {n}\n")).collect();
    let mut typed = b"trace tracees::alpha on\ntrace tracees::alpha off\n".to_vec();
    typed.extend(format!("{remembered}echo begin of the session\nmem\n").bytes());
    for n in 0..lines {
        line(&mut random, &mut typed);
        if n % MARK_EVERY == 0 {
            typed.extend(format!("echo mark {n}\n").bytes());
        }
    }
    // What was left on goes off again: none of the patterns matters.
    for pattern in ARGUMENTS {
        typed.extend(format!("trace {pattern} off\n").bytes());
    }
    typed.extend(b"trace tracees::bravo off\n");
    typed.extend(format!("{remembered}echo end of the session\nmem\nops\npoweroff\n").bytes());
    let guest = Guest::with_cpus(1).option("--exact").patience(lines * SECS_OF_A_MILLION / 1_000_000);
    let ended: Ended = guest.typing_bytes(typed).boot(&["shell", "seed=1"]).expect_status(0);
    let mut rest = &*ended.console;
    for n in (0..lines).step_by(MARK_EVERY as usize) {
        let mark = format!("\nmark {n}\n");
        rest = rest.split_once(&mark).unwrap_or_else(|| panic!("{mark:?} of seed {seed} is lost: {}", ended.story())).1;
    }
    ended.line_with(&["0 ops registered"]);
    let [before, after] = [2, 4].map(|nth| live_kib(&ended.console, nth));
    assert!(after <= before + MOST_GROWTH_KIB, "from {before} to {after} KiB, seed {seed}: {}", ended.story());
    println!("fuzz: shell lines={lines} seed={seed:#x} live_kib={before} then={after}");
}
