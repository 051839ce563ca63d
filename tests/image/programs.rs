//! Whether a sequence of ours is the program of the litmus tests that it rests on.

use crate::sequences::{Sequence, VIA};
use std::collections::BTreeSet;

/// Whether our step is the litmus test's instruction, or stronger. `None` for steps that are no instruction of its.
fn covers(step: &str, instruction: &str) -> Option<bool> {
    let stands_for: &[&str] = match step.trim_end_matches(VIA) {
        "stlr x" | "stlr w" | "stlrb" => &["STLR", "STR"],
        "str x" | "str w" => &["STR"],
        "ldar x" | "ldar w" | "ldarb" => &["LDAR", "LDR"],
        "ldr x" => &["LDR"],
        "dsb ish" => &["DSB ISH", "DMB ISH"],
        "dmb ish" => &["DMB ISH"],
        "dmb ishst" => &["DMB ISHST"],
        "dc cvau" => &["DC CVAU"],
        "ic" => &["IC IVAU"],
        "isb" => &["ISB"],
        _ => return None,
    };
    Some(stands_for.contains(&instruction))
}

/// The instructions of column `column` of a litmus test that touch memory or order it, each with its operands.
fn column(text: &str, column: usize) -> Vec<(String, String)> {
    let rows = text.lines().filter(|line| line.ends_with(';') && line.starts_with(' ')).skip(1);
    let cell = |line: &str| line.trim_end_matches(';').split('|').nth(column).map(|cell| cell.trim().to_owned());
    let instructions = rows.filter_map(cell).map(|cell| match cell.split_once(": ") {
        Some((_, after_label)) => after_label.trim().to_owned(),
        None => cell,
    });
    let split = |instruction: String| {
        let end = match instruction.split(' ').next()? {
            "DMB" | "DSB" | "ISB" => instruction.len(),
            "DC" | "IC" => instruction.find(',')?,
            "STR" | "STLR" | "LDR" | "LDAR" => instruction.find(' ')?,
            _ => return None,
        };
        let (name, operands) = instruction.split_at(end);
        Some((name.to_owned(), operands.trim_matches([' ', ',']).to_owned()))
    };
    instructions.filter_map(split).collect()
}

/// What keeps `sequence` from being the program of its litmus tests; `read` gives a test's text.
pub(crate) fn strays(sequence: &Sequence, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let steps: Vec<&str> = sequence.steps.iter().copied().filter(|step| covers(step, "").is_some()).collect();
    let mut found = Vec::new();
    for &(test, at) in sequence.litmus {
        let Some(text) = read(test) else {
            found.push(format!("{}: there is no litmus test {test}", sequence.name));
            continue;
        };
        let program = column(&text, at);
        let is_run = |run: &[(String, String)]| {
            run.iter().zip(&steps).enumerate().all(|(index, ((name, operands), step))| {
                // `X11,[X1]` and then `W12,[X11]`: the second loads by what the first has loaded.
                let is_via = |before: &str| {
                    operands.split_once(",[").map(|(_, base)| base.trim_end_matches(']'))
                        == before.split_once(',').map(|(register, _)| register)
                };
                let is_dependent = !step.ends_with(VIA) || index > 0 && is_via(&run[index - 1].1);
                covers(step, name) == Some(true) && is_dependent
            })
        };
        if !program.windows(steps.len()).any(is_run) {
            found.push(format!("{}: column {at} of {test} has no run {steps:?}", sequence.name));
        }
    }
    found
}

/// Sequences that the index does not name, and names in the index that are none. What is outside of the model, and so rests on
/// no litmus test, is not the index's.
pub(crate) fn unnamed(sequences: &[Sequence], index: &str) -> Vec<String> {
    let rows = index.lines().filter(|line| line.starts_with("| src/"));
    let cells = rows.filter_map(|line| line.trim_end_matches([' ', '|']).rsplit('|').next());
    let named: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let rests = |sequence: &&Sequence| !sequence.litmus.is_empty();
    let ours: BTreeSet<&str> = sequences.iter().filter(rests).map(|sequence| sequence.name).collect();
    named.symmetric_difference(&ours).map(|name| format!("`{name}` is in one of table and index only")).collect()
}

#[cfg(test)]
mod tests {
    use super::{strays, unnamed};
    use crate::sequences::{Sequence, Shape};

    #[test]
    fn a_sequence_that_its_litmus_test_does_not_have_is_found() {
        let text =
            "AArch64 t\n P0 | P1 ;\n STR X0,[X1] | LDR X11,[X1] ;\n DMB ISH | L: LDR W12,[X11] ;\nexists (true)\n";
        let count = |steps: &'static [&'static str], column: usize| {
            let litmus: &[(&str, usize)] = if column == 0 { &[("t", 0)] } else { &[("t", 1)] };
            let sequence = Sequence { name: "s", functions: &[], steps, shape: Shape::Between, litmus };
            strays(&sequence, |name| (name == "t").then(|| text.to_owned())).len()
        };
        assert_eq!(count(&["stlr x", "dsb ish", "exit"], 0), 0, "stronger is as good");
        assert_eq!(count(&["stlr x", "dmb ishst", "exit"], 0), 1, "weaker is not");
        assert_eq!(count(&["dsb ish", "stlr x"], 0), 1);
        assert_eq!(count(&["ldr x", "ldr x via"], 1), 0);
        let other = text.replace("[X11]", "[X13]");
        let steps = &["ldr x", "ldr x via"];
        let sequence = Sequence { name: "s", functions: &[], steps, shape: Shape::Between, litmus: &[("t", 1)] };
        assert_eq!(strays(&sequence, |_| Some(other.clone())).len(), 1, "no dependency there");
        assert_eq!(strays(&sequence, |_| None).len(), 1);
    }

    #[test]
    fn a_sequence_that_the_index_does_not_name_is_found() {
        let sequence = Sequence { name: "s", functions: &[], steps: &[], shape: Shape::Between, litmus: &[("t", 0)] };
        assert_eq!(unnamed(&[sequence], "| src/x.rs | fn f | O1 | t | `what` | `s` |\n"), Vec::<String>::new());
        let sequence = Sequence { name: "s", functions: &[], steps: &[], shape: Shape::Between, litmus: &[("t", 0)] };
        assert_eq!(unnamed(&[sequence], "| src/x.rs | fn f | O1 | t | `s` | `other` |\n").len(), 2);
    }
}
