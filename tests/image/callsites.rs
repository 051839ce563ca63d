//! Callsites: the records of the image, and which functions have none.

use crate::load::{Function, Image};
use crate::policy::{Listed, matches};

const NOP: u32 = 0xd503_201f;
const MOV_X9_LR: u32 = 0xaa1e_03e9;

/// Of our functions, so many can be traced, of a hundred. In `checked` builds asserts keep small notrace helpers from being
/// inlined: there they count as functions.
fn least_traceable_percent(image: &Image) -> usize {
    if image.profile == "checked" { 75 } else { 80 }
}

/// Records are sorted; each literal is aligned; two NOPs stand for it and two at the function's entry.
pub(crate) fn well_formed(image: &Image) -> Vec<String> {
    let mut found = Vec::new();
    if image.callsites.is_empty() {
        found.push("there are no callsites".to_owned());
    }
    let unsorted = image.callsites.windows(2).filter(|pair| pair[0] >= pair[1]);
    found.extend(unsorted.map(|pair| format!("record {:#x} stands before {:#x}", pair[0], pair[1])));
    // Where the kernel leaves them out of its table, nobody stores to their literals.
    for &literal in image.callsites.iter().filter(|literal| !image.notrace.contains(literal)) {
        if !literal.is_multiple_of(8) {
            found.push(format!("literal {literal:#x} is not on 8 bytes"));
        }
        let words = image.bytes(literal, 16).map(|bytes| {
            let words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
            words.collect::<Vec<u32>>()
        });
        if words.is_none_or(|words| words != [NOP; 4]) {
            found.push(format!("literal {literal:#x}: not two NOPs, then two NOPs"));
        }
        if image.entry_at(literal.wrapping_add(8)).is_none() {
            found.push(format!("literal {literal:#x}: no function begins 8 bytes after it"));
        }
    }
    found
}

/// `mov x9, x30`, which boot writes at each callsite, is nowhere in the image: the scheme `scan` knows a trampoline's frame
/// by it.
pub(crate) fn marks(image: &Image) -> Vec<String> {
    let bears_mark = |function: &&Function| function.code.contains(&MOV_X9_LR);
    let found = image.functions.iter().filter(bears_mark);
    found.map(|function| format!("{} has `mov x9, x30`", function.name)).collect()
}

/// Enough of our functions have a callsite, and those without are in the table.
pub(crate) fn coverage(image: &Image, table: &[Listed]) -> Vec<String> {
    let ours: Vec<&Function> = image.functions.iter().filter(|function| function.is_ours()).collect();
    let without: Vec<&&Function> = ours.iter().filter(|function| !image.is_traceable(function)).collect();
    let is_listed = |function: &Function| table.iter().any(|entry| matches(entry.pattern, &function.name));
    let mut found: Vec<String> = without
        .iter()
        .filter(|function| !is_listed(function))
        .map(|function| format!("{} has no callsite, and no reason is given", function.name))
        .collect();
    let traceable = ours.len() - without.len();
    let least = least_traceable_percent(image);
    if traceable * 100 < ours.len() * least {
        found.push(format!("{traceable} of {} functions can be traced, less than {least} %", ours.len()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{MOV_X9_LR, NOP, coverage, marks, well_formed};
    use crate::load::{Function, Image, Section};
    use crate::policy::Listed;

    /// Code from 0x1000 on, all NOPs; functions begin at `entries`.
    fn image(callsites: &[u64], entries: &[u64]) -> Image {
        let bytes = [NOP; 32].iter().flat_map(|word| word.to_le_bytes()).collect();
        let code = Section { name: ".text".into(), address: 0x1000, bytes, is_code: true };
        let function = |&address: &u64| Function {
            address,
            name: format!("holdout::f{address:x}"),
            may_be_traced: true,
            code: vec![NOP; 2],
        };
        let functions = entries.iter().map(function).collect();
        Image { functions, callsites: callsites.to_vec(), sections: vec![code], ..Image::default() }
    }

    #[test]
    fn a_record_that_is_wrong_in_any_way_is_found() {
        assert_eq!(well_formed(&image(&[0x1000, 0x1010], &[0x1008, 0x1018])), Vec::<String>::new());
        assert_eq!(well_formed(&image(&[], &[])).len(), 1, "none");
        assert_eq!(well_formed(&image(&[0x1010, 0x1000], &[0x1008, 0x1018])).len(), 1, "unsorted");
        assert_eq!(well_formed(&image(&[0x1004], &[0x100c])).len(), 1, "misaligned");
        assert_eq!(well_formed(&image(&[0x1000], &[0x1010])).len(), 1, "no function there");
        assert_eq!(well_formed(&image(&[0x5000], &[0x5008])).len(), 1, "outside the image");
        let mut patched = image(&[0x1000], &[0x1008]);
        patched.sections[0].bytes[8] = 0;
        assert_eq!(well_formed(&patched).len(), 1, "not a NOP");
    }

    #[test]
    fn a_function_that_bears_the_mark_of_a_callsite_is_found() {
        let mut image = image(&[0x1000], &[0x1008]);
        assert_eq!(marks(&image), Vec::<String>::new());
        image.functions[0].code[1] = MOV_X9_LR;
        assert_eq!(marks(&image), ["holdout::f1008 has `mov x9, x30`"]);
    }

    #[test]
    fn a_function_without_callsite_and_reason_is_found_and_so_are_too_many_with_one() {
        let entries = [0x1008, 0x1018, 0x1028, 0x1038, 0x1048];
        let listed = [Listed { pattern: "holdout::f10*8", reason: "for the test" }];
        let four = image(&[0x1000, 0x1010, 0x1020, 0x1030], &entries);
        assert_eq!(coverage(&four, &listed), Vec::<String>::new());
        assert_eq!(coverage(&four, &[]), ["holdout::f1048 has no callsite, and no reason is given"]);
        let three = image(&[0x1000, 0x1010, 0x1020], &entries);
        assert_eq!(coverage(&three, &listed), ["3 of 5 functions can be traced, less than 80 %"]);
    }
}
