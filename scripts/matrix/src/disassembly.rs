//! Instructions in words: by the disassembler of the Rust toolchain, since guests say instructions as they were executed.
//!
//! Callsites are patched and funcs are copied at run time, so the image's own text does not show them. All words are put
//! into one object file, one behind the other; where an operand is relative to the PC, the place there says nothing, and
//! its distance is kept instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// One instruction: what stands before its last operand, and how far from the PC that is, if it is relative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insn {
    before: String,
    distance: Option<Distance>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distance {
    /// From the instruction.
    Bytes(i64),
    /// From the page that it is in.
    Pages(i64),
}

const PAGE: u64 = 4096;

impl Insn {
    /// Where it branches to, or what it takes the address of, when it stands at `pc`.
    pub fn target(&self, pc: u64) -> Option<u64> {
        Some(match self.distance? {
            Distance::Bytes(distance) => pc.wrapping_add_signed(distance),
            Distance::Pages(distance) => (pc & !(PAGE - 1)).wrapping_add_signed(distance),
        })
    }

    /// Itself, at `pc`, with the name of its target if that has one.
    pub fn shown(&self, pc: u64, target: Option<&str>) -> String {
        match (self.distance, target) {
            (Some(_), Some(target)) => format!("{}{target}", self.before),
            (Some(Distance::Bytes(distance)), None) => format!("{}.{distance:+}", self.before),
            (Some(Distance::Pages(_)), None) => format!("{}{:#x}", self.before, self.target(pc).unwrap_or(0)),
            (None, _) => self.before.clone(),
        }
    }
}

/// Mnemonics whose last operand is relative to the PC. `ldr` is only where that is an address.
fn is_relative(mnemonic: &str, operand: &str) -> bool {
    let branches = ["b", "bl", "cbz", "cbnz", "tbz", "tbnz", "adr", "adrp", "ldr", "ldrsw"];
    operand.starts_with("0x") && (branches.contains(&mnemonic) || mnemonic.starts_with("b."))
}

/// Reads a line of the disassembler, `  10:  adr x4, 0x20 <symbol+0x20>`, with the address of its instruction.
fn line(text: &str) -> Option<(u64, Insn)> {
    let (address, rest) = text.trim_start().split_once(':')?;
    let address = u64::from_str_radix(address, 16).ok()?;
    let rest = rest.split(" <").next().unwrap_or(rest);
    let rest = rest.split("//").next().unwrap_or(rest);
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (mnemonic, operands) = words.split_first()?;
    let operand = operands.last().copied().unwrap_or_default();
    if !is_relative(mnemonic, operand) {
        return Some((address, Insn { before: words.join(" "), distance: None }));
    }
    let target = u64::from_str_radix(operand.strip_prefix("0x")?, 16).ok()?;
    let mut before = words[..words.len() - 1].join(" ");
    before.push(' ');
    let distance = match *mnemonic {
        "adrp" => Distance::Pages(target.wrapping_sub(address & !(PAGE - 1)).cast_signed()),
        _ => Distance::Bytes(target.wrapping_sub(address).cast_signed()),
    };
    Some((address, Insn { before, distance: Some(distance) }))
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", command.get_program().display(), String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every one of `words` in words. `tools` is the toolchain's folder of LLVM tools; `scratch` is a folder to work in.
pub fn disassemble(words: &BTreeSet<u32>, tools: &Path, scratch: &Path) -> Result<BTreeMap<u32, Insn>, String> {
    if words.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (raw, object) = (scratch.join("words.bin"), scratch.join("words.o"));
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    std::fs::write(&raw, bytes).map_err(|error| format!("{}: {error}", raw.display()))?;
    let to_object = ["-I", "binary", "-O", "elf64-littleaarch64"];
    output(Command::new(tools.join("llvm-objcopy")).args(to_object).args([&raw, &object]))?;
    // Zeroes in a row would be left out without -z.
    let options = ["-D", "-z", "--section=.data", "--mattr=+all", "--no-show-raw-insn"];
    let listing = output(Command::new(tools.join("llvm-objdump")).args(options).arg(&object))?;
    let lines: BTreeMap<u64, Insn> = listing.lines().filter_map(line).collect();
    let one = |(index, word): (usize, &u32)| {
        let found = lines.get(&(index as u64 * 4)).cloned();
        Ok((*word, found.ok_or_else(|| format!("the disassembler has no line for {word:#010x}"))?))
    };
    words.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_a_relative_operand_is_taken_as_it_is() {
        let (address, insn) = line("       8:      \tldur\tx2, [x11, #-0x10]").expect("a line");
        assert_eq!((address, insn.shown(0, None).as_str()), (8, "ldur x2, [x11, #-0x10]"));
        assert_eq!(insn.target(0x1000), None);
        assert_eq!(line("Disassembly of section .data:"), None);
    }

    #[test]
    fn a_relative_operand_becomes_its_distance_or_a_name() {
        let insn = |text| line(text).expect("a line").1;
        let branch = insn("      14:      \tcbz\tw0, 0x4 <_binary_start+0x4>");
        assert_eq!([branch.shown(0, None), branch.shown(0, Some("there"))], ["cbz w0, .-16", "cbz w0, there"]);
        assert_eq!(branch.target(0x1000), Some(0xff0));
        assert_eq!(insn("  4:  \tbl\t0x44 <x>").shown(0, Some("trampoline")), "bl trampoline");
        assert_eq!(insn("  4:  \tldr\tx5, 0x1c <x>").shown(0, None), "ldr x5, .+24");
        assert_eq!(insn("  1004:  \tadrp\tx8, 0x3000 <x>").shown(0x4020_3290, None), "adrp x8, 0x40205000");
    }
}
