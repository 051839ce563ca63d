//! Without semihosting: what cannot run says so on the console and switches the machine off; where there is no console
//! either, registers say it, and the CPU halts. Nothing ends in silence.

use crate::guest::{Guest, Handed, raw_image, virt_tree};
use std::io::{Read, Write};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// The exit status is QEMU's own: the machine powered off.
#[track_caller]
fn is_said_before_power_off(guest: &Guest, said: &str) {
    let guest = guest.clone().option("--no-semihosting");
    let ended = guest.boot(&["shell", "cmds=version"]).expect_status(0);
    assert_eq!(ended.refusal(), said, "{}", ended.story());
}

#[test]
fn entry_at_el3_is_said_on_the_console() {
    let said = "entered at EL3, needs EL1 or EL2 (leave out secure=on)";
    is_said_before_power_off(&Guest::with_cpus(4).qemu(&["-machine", "secure=on"]), said);
    let with_el2 = Guest::with_cpus(2).option("--gic=2").qemu(&["-machine", "secure=on,virtualization=on"]);
    is_said_before_power_off(&with_el2, said);
}

#[test]
fn a_cpu_without_lse_says_so_on_the_console() {
    let said = "this CPU has no large-system atomics (LSE), use -cpu max, cortex-a76 or neoverse-n1";
    is_said_before_power_off(&Guest::with_cpus(2).option("--cpu=cortex-a53"), said);
    let with_el2 = Guest::with_cpus(1).option("--cpu=cortex-a72").qemu(&["-machine", "virtualization=on"]);
    is_said_before_power_off(&with_el2, said);
}

/// The monitor's.
const PROMPT: &str = "(qemu) ";
/// `holdout` and the status, the address of the text, its length.
const UNHEARD: &str = "X20=686f6c646f757402";

/// The text that the registers of the halted guest point to.
#[track_caller]
fn text_in_registers(guest: Handed) -> String {
    let mut child = guest.unheard().watched();
    let (mut monitor, mut answers) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let (sender, receiver) = channel();
    let reader = thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(len @ 1..) = answers.read(&mut chunk) {
            let _ = sender.send(String::from_utf8_lossy(&chunk[..len]).into_owned());
        }
    });
    let mut ask = |question: &str| {
        writeln!(monitor, "{question}").expect("a monitor");
        // Its echo, what it answers, and its prompt again; nothing more once it has ended.
        let mut answer = String::new();
        while let Ok(more) = receiver.recv_timeout(Duration::from_secs(30)) {
            answer += &more;
            if answer.ends_with(PROMPT) && answer.len() > PROMPT.len() {
                break;
            }
        }
        answer
    };
    let start = Instant::now();
    let mut said = String::new();
    while !said.contains(UNHEARD) && start.elapsed() < Duration::from_secs(60) {
        said += &ask("info registers");
    }
    let register = |name: &str| {
        let at = said.rfind(name).unwrap_or_else(|| panic!("no {name} in {said}")) + name.len();
        u64::from_str_radix(&said[at..at + 16], 16).expect("a number")
    };
    let (text, len) = (register("X21="), register("X22="));
    // Bytes, as lines of `address: 0x68 0x6f …`.
    let mut bytes = ask(&format!("xp/{}xb {text:#x}", if len == 0 { 160 } else { len }));
    if bytes.matches("0x").count() < 20 {
        bytes += &ask("");
    }
    let _ = ask("quit");
    child.wait().expect("its end");
    reader.join().expect("the thread that reads");
    assert!(said.contains(UNHEARD), "{said}");
    let bytes = bytes.split_whitespace().filter_map(|word| word.strip_prefix("0x").filter(|word| word.len() == 2));
    let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).expect("a byte")).take_while(|byte| *byte != 0);
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).trim_end().to_owned()
}

#[test]
fn without_a_console_registers_say_why() {
    let image = format!("loader,file={},addr=0x44000000,force-raw=on,cpu-num=0", raw_image().display());
    let said = text_in_registers(Handed::image(&image));
    assert!(said.starts_with("holdout: loaded at another address than 0x40200000"), "{said}");
    let said = text_in_registers(Handed::address("unheard", 0));
    assert!(said.starts_with("holdout: there is no device tree at 0x40000000"), "{said}");
    let mut tree = virt_tree("virt", 1);
    tree.children.retain(|node| !node.name.starts_with("pl011@"));
    let said = text_in_registers(Handed::tree("unheard-tree", &tree));
    assert_eq!(said, "holdout: device tree: it lacks a PL011 UART");
}
