//! Instructions in words, as `step` and `windows` print them, beside the toolchain's own disassembler.

use crate::load::Image;
use holdout::arch::disassembly::Spelled;
use holdout::arch::insn::Insn;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether the toolchain has an alias of SYS where ours has numbers, or says what is the same in each `clrex`.
fn is_alias(theirs: &str) -> bool {
    ["at ", "clrex", "dc ", "ic ", "tlbi "].iter().any(|start| theirs.starts_with(start))
}

/// Takes out the name of a system register where ours has numbers: no hit meets one of those.
fn without_system_register(ours: &str, theirs: &str) -> [String; 2] {
    let is_numbered = ["s3_", "s2_", "pstate."].iter().any(|number| ours.contains(number));
    [ours, theirs].map(|text| match text.split([' ', ',']).collect::<Vec<_>>()[..] {
        [name @ "mrs", register, "", _] if is_numbered => format!("{name} {register}"),
        [name @ "msr", _, "", register] if is_numbered => format!("{name} {register}"),
        _ => text.to_owned(),
    })
}

/// Each instruction word of the image, once; a word of data between functions is none.
fn words(image: &Image) -> BTreeSet<u32> {
    image.functions.iter().flat_map(|function| function.code.iter().copied()).filter(|&word| word >> 16 != 0).collect()
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("LLVM's tools speak UTF-8")
}

/// Where the toolchain has the host's libraries; its tools lie beside.
fn rustc_libdir() -> PathBuf {
    output(Command::new("rustc").args(["--print", "target-libdir"])).trim().into()
}

/// What the toolchain's disassembler makes of the words, one behind the other from address 0 on.
fn listing(words: &BTreeSet<u32>, name: &str) -> BTreeMap<usize, String> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (raw, object) = (scratch.join(format!("{name}.bin")), scratch.join(format!("{name}.o")));
    std::fs::write(&raw, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>()).expect("scratch");
    let tools = rustc_libdir().parent().expect("libraries lie beside tools").join("bin");
    output(
        Command::new(tools.join("llvm-objcopy"))
            .args(["-I", "binary", "-O", "elf64-littleaarch64"])
            .args([&raw, &object]),
    );
    let options = ["-D", "-z", "--section=.data", "--mattr=+all", "--no-show-raw-insn"];
    let text = output(Command::new(tools.join("llvm-objdump")).args(options).arg(&object));
    text.lines().filter_map(line).collect()
}

/// Reads `  10:  adr x4, 0x20 <symbol+0x20>`.
fn line(text: &str) -> Option<(usize, String)> {
    let (address, rest) = text.trim_start().split_once(':')?;
    let rest = rest.split(" <").next()?.split("//").next()?;
    Some((usize::from_str_radix(address, 16).ok()?, rest.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// Lower case, and each number as it is in as many bits as the first register has.
fn normal(text: &str) -> String {
    let is_word = text.split_once(' ').is_some_and(|(_, operands)| operands.starts_with('w'));
    let number = |word: &str| {
        let digits = word.trim_start_matches('#');
        let (sign, digits) = digits.strip_prefix('-').map_or((1, digits), |digits| (-1, digits));
        let value = match digits.strip_prefix("0x") {
            Some(digits) => i128::from_str_radix(digits, 16).ok()?,
            None => digits.parse().ok()?,
        };
        Some(if is_word { (value * sign) as u32 as u64 } else { (value * sign) as u64 })
    };
    let is_end = |c: char| ", []!".contains(c);
    let lower = text.to_lowercase();
    let words = lower.split_inclusive(is_end).map(|word| {
        let bare = word.trim_end_matches(is_end);
        number(bare).map_or_else(|| word.to_owned(), |value| format!("{value}{}", &word[bare.len()..]))
    });
    words.collect()
}

/// Each instruction that is not spelled as the toolchain's disassembler does.
pub(crate) fn otherwise(image: &Image) -> Vec<String> {
    let words = words(image);
    let listing = listing(&words, &format!("spelling-{}", image.profile));
    let differs = |(index, &word): (usize, &u32)| {
        let pc = index * 4;
        let theirs = listing.get(&pc).cloned().unwrap_or_default();
        let spelled = Spelled::new(Insn(word));
        let mut ours = String::new();
        let target = spelled.target(pc).map(|target| format!("{target:#x}"));
        spelled.write(&mut ours, pc, target).expect("a string takes all that is written");
        let [plain, known] = without_system_register(&ours, &theirs).map(|text| normal(&text));
        let is_same = plain == known || is_alias(&theirs);
        (!is_same).then(|| format!("{word:#010x} is `{ours}`, and `{theirs}` to the toolchain"))
    };
    let found = words.iter().enumerate().filter_map(differs).collect();
    assert!(words.len() > 20_000, "{} words are no kernel", words.len());
    found
}

#[cfg(test)]
mod tests {
    use super::{line, normal};

    #[test]
    fn a_line_is_read_without_what_is_said_beside() {
        assert_eq!(line("  14:      \tcbz\tw0, 0x4 <start+0x4>"), Some((0x14, "cbz w0, 0x4".into())));
        assert_eq!(line("Disassembly of section .data:"), None);
    }

    #[test]
    fn one_digit_or_register_more_is_another_spelling() {
        assert_eq!(normal("mov x0, #-0x1"), normal("mov x0, #0xffffffffffffffff"));
        assert_eq!(normal("mov w0, #-0x1"), normal("mov w0, #0xffffffff"));
        assert_eq!(normal("mrs x0, TPIDR_EL0"), normal("mrs x0, tpidr_el0"));
        assert_eq!(normal("lsl x0, x1, #0x20"), normal("lsl x0, x1, #32"));
        for other in ["ldr x1, [x2, #0x10]", "ldr x2, [x2, #0x18]", "ldr x2, [x2], #0x10", "ldr x2, [x2, #-0x10]"] {
            assert_ne!(normal("ldr x2, [x2, #0x10]"), normal(other));
        }
    }
}
