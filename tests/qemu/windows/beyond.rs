//! Rows of the theory's table that no stop at an instruction can show: what shows them.

use super::TABLE;
use crate::guest::root;
use std::collections::BTreeSet;

/// The row; the file, and what of it is about the row: something that holds, and something that is caught.
const MODELS: [(&str, &str, &str); 10] = [
    ("15", "tests/spin/windows.pml", "row = R_15"),
    ("15", "tests/windows.rs", "fn a_lister_that_reads_off_cpu_and_flag_one_after_the_other_is_caught()"),
    ("15", "tests/models/holders.rs", "reads_live_frames(\"fault_scan_does_not_pin\""),
    ("15", "tests/litmus/INDEX.md", "| P1-scan-pin-dmb | O11 | Never"),
    ("18", "tests/spin/windows.pml", "row2 = R_18"),
    ("18", "tests/windows.rs", "fn a_holder_that_leaves_the_list_when_it_is_switched_in_is_caught()"),
    ("18", "tests/models/holders.rs", "holds(\"scan_waits_for_a_holder_that_is_visited_and_then_preempted\""),
    ("18", "tests/models/holders.rs", "frees_early(\"fault_scan_delists_a_holder_at_switch_in\""),
    ("19", "tests/litmus/INDEX.md", "| GP-depth-dmb-h1 | O4 O5 | Never"),
    ("19", "tests/litmus/INDEX.md", "| O4-sb-nobarrier | O4 | Sometimes"),
];

/// Rows that the explorer itself is held against.
pub(super) const EXPLORED: [&str; 15] =
    ["1a", "1b", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14"];

#[test]
fn each_row_is_explored_or_a_model_that_exists_answers_for_it() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).expect("the file");
    for (row, file, name) in MODELS {
        assert!(read(file).contains(name), "row {row}: {file} does not hold {name}");
    }
    let rows = |list: &[&str]| -> BTreeSet<String> { list.iter().map(|row| (*row).to_owned()).collect() };
    let modelled = MODELS.map(|(row, ..)| row);
    let of_table: Vec<&str> = TABLE.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    // Row 19 is an order of memory, and no column of that table has a letter for it.
    let answered = &rows(&EXPLORED) | &rows(&modelled);
    assert_eq!(&rows(&of_table) | &rows(&["19"]), answered);
    // The page says so too.
    let page = read("scripts/matrix/src/theory.rs").split_whitespace().collect::<String>();
    for row in rows(&modelled) {
        assert!(page.contains(&format!("elsewhere(\"{row}\",")), "the page has row {row} stepped");
    }
}
