//! Rules on the image as a whole: its symbol table, its permissions, and code that must not occur in it.

use crate::insn::{uses_pointer_authentication, uses_simd};
use crate::load::Image;

/// No outlined code (it has no frame record), no signed return addresses, no SIMD registers (nobody saves them).
pub(crate) fn forbidden_code(image: &Image) -> Vec<String> {
    let mut found = Vec::new();
    for function in &image.functions {
        if function.name.contains("OUTLINED_FUNCTION") {
            found.push(format!("{} was outlined by the machine outliner", function.name));
        }
        for (index, &word) in function.code.iter().enumerate() {
            if uses_simd(word) {
                found.push(format!("{}+{:#x}: {word:#010x} uses SIMD registers", function.name, index * 4));
            }
            if uses_pointer_authentication(word) {
                found.push(format!("{}+{:#x}: {word:#010x} signs or checks pointers", function.name, index * 4));
            }
        }
    }
    found
}

/// The file is no longer than `most` bytes.
pub(crate) fn size(image: &Image, most: usize) -> Vec<String> {
    if image.size > most { vec![format!("the file has {} bytes, more than {most}", image.size)] } else { Vec::new() }
}

/// `.symbols` is sorted text that names exactly the code symbols of the ELF file, as another demangler spells them, then NULs to its
/// end.
pub(crate) fn symbols(image: &Image) -> Vec<String> {
    let Some(section) = image.section(".symbols") else { return vec!["there is no .symbols section".into()] };
    let text_end = section.bytes.iter().position(|&byte| byte == 0).unwrap_or(section.bytes.len());
    let (text, padding) = section.bytes.split_at(text_end);
    let mut found = Vec::new();
    if padding.iter().any(|&byte| byte != 0) {
        found.push("something stands after the text of .symbols".to_owned());
    }
    if !text.ends_with(b"\n") {
        found.push(".symbols does not end with a whole line: does it fit?".to_owned());
    }
    let text = String::from_utf8_lossy(text);
    let parse = |line: &str| {
        let (address, name) = line.split_once(' ')?;
        let is_exact = address.len() == 16 && !name.is_empty() && !name.starts_with("_R");
        is_exact.then_some((u64::from_str_radix(address, 16).ok()?, name.to_owned()))
    };
    let mut lines = Vec::new();
    for line in text.lines() {
        match parse(line) {
            Some(entry) => lines.push(entry),
            None => found.push(format!(".symbols: `{line}` is not `address name`")),
        }
    }
    if !lines.is_sorted_by_key(|(address, _)| *address) {
        found.push(".symbols is not sorted".to_owned());
    }
    lines.sort();
    let missing = image.symbols.iter().filter(|symbol| lines.binary_search(symbol).is_err());
    found.extend(missing.map(|(address, name)| format!(".symbols lacks {name} at {address:#x}")));
    let mut symbols = image.symbols.clone();
    symbols.sort();
    let extra = lines.iter().filter(|line| symbols.binary_search(line).is_err());
    found.extend(extra.map(|(address, name)| format!(".symbols has {name} at {address:#x}, the ELF file has not")));
    found
}

/// W^X: no segment is both.
pub(crate) fn writable_and_executable(image: &Image) -> Vec<String> {
    let both = image.segments.iter().filter(|(_, is_writable, is_executable)| *is_writable && *is_executable);
    both.map(|(address, ..)| format!("the segment at {address:#x} is writable and executable")).collect()
}

#[cfg(test)]
mod tests {
    use super::{forbidden_code, symbols, writable_and_executable};
    use crate::load::{Function, Image, Section};

    fn image_with_table(text: &str) -> Image {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(128, 0);
        let table = Section { name: ".symbols".into(), address: 0x3000, bytes, is_code: false };
        let symbols = vec![(0x1000, "f".to_owned()), (0x1010, "g".to_owned())];
        Image { sections: vec![table], symbols, ..Image::default() }
    }

    #[test]
    fn a_symbol_table_that_differs_from_the_elf_file_is_found() {
        let table = |text: &str| symbols(&image_with_table(text)).len();
        assert_eq!(table("0000000000001000 f\n0000000000001010 g\n"), 0);
        assert_eq!(table("0000000000001010 g\n0000000000001000 f\n"), 1, "unsorted");
        assert_eq!(table("0000000000001000 f\n"), 1, "one is missing");
        assert_eq!(table("0000000000001000 f\n0000000000001010 g\n0000000000001020 h\n"), 1, "one too many");
        assert_eq!(table("0000000000001000 f\n0000000000001010 g"), 1, "cut short");
        assert_eq!(table("1000 f\n0000000000001000 f\n0000000000001010 g\n"), 1, "not 16 digits");
        assert_eq!(table("0000000000001000 f\n0000000000001010 g\n\0x"), 1, "rubbish after it");
        assert_eq!(symbols(&Image::default()).len(), 1, "no table");
    }

    #[test]
    fn forbidden_code_is_found() {
        let count = |name: &str, word: u32| {
            let functions =
                vec![Function { address: 0x1000, name: name.into(), may_be_traced: true, code: vec![word] }];
            forbidden_code(&Image { functions, ..Image::default() }).len()
        };
        assert_eq!(count("f", 0xd503_201f), 0);
        assert_eq!(count("OUTLINED_FUNCTION_3", 0xd503_201f), 1);
        assert_eq!(count("f", 0x4ea0_1c00), 1, "mov v0.16b, v0.16b");
        assert_eq!(count("f", 0xd503_233f), 1, "paciasp");
    }

    #[test]
    fn a_segment_that_is_writable_and_executable_is_found() {
        let image = |segments: &[(u64, bool, bool)]| Image { segments: segments.to_vec(), ..Image::default() };
        assert_eq!(writable_and_executable(&image(&[(0x1000, false, true), (0x2000, true, false)])).len(), 0);
        assert_eq!(writable_and_executable(&image(&[(0x1000, true, true)])).len(), 1);
    }
}
