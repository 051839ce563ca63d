//! Rules on the linked kernel: what the compiler and linker made is checked, not what we meant.
//!
//! The kernel is built twice, as it is measured (`release`) and as it is tested (`checked`). Each rule is a
//! function over an [`load::Image`], and each has a test that feeds it an image, or code, which breaks it.

#[path = "image/addresses.rs"]
mod addresses;
#[path = "image/callsites.rs"]
mod callsites;
#[path = "image/flow.rs"]
mod flow;
#[path = "image/frames.rs"]
mod frames;
#[path = "image/graph.rs"]
mod graph;
#[path = "image/indirect.rs"]
mod indirect;
#[path = "image/insn.rs"]
mod insn;
#[path = "image/load.rs"]
mod load;
#[path = "image/ordering.rs"]
mod ordering;
#[path = "image/paths.rs"]
mod paths;
#[path = "image/policy.rs"]
mod policy;
#[path = "image/programs.rs"]
mod programs;
#[path = "image/sequences.rs"]
mod sequences;
#[path = "image/spelling.rs"]
mod spelling;
#[path = "image/whole.rs"]
mod whole;
#[path = "image/wish.rs"]
mod wish;

use graph::{Graph, Policy};
use load::{Function, Image};
use policy::{Listed, matches};
use std::sync::LazyLock;

static IMAGES: LazyLock<[Image; 2]> = LazyLock::new(|| ["release", "checked"].map(Image::build));

/// Runs a rule on each image. What it finds, or what is found by `stale`, is a failure.
fn hold(rule: impl Fn(&Image) -> Vec<String>, stale: Vec<String>) {
    let in_image = |image: &Image| {
        let found = rule(image).into_iter();
        found.map(|line| format!("[{}] {line}", image.profile)).collect::<Vec<String>>()
    };
    let found: Vec<String> = IMAGES.iter().flat_map(in_image).chain(stale).collect();
    assert!(found.is_empty(), "{} violations:\n  {}", found.len(), found.join("\n  "));
}

/// The entries of `table` that match no function of any image for which `speaks_of` holds.
fn stale(table: &[Listed], speaks_of: impl Fn(&Image, &Function) -> bool) -> Vec<String> {
    let is_stale = |entry: &&Listed| {
        !IMAGES.iter().any(|image| {
            image.functions.iter().any(|function| matches(entry.pattern, &function.name) && speaks_of(image, function))
        })
    };
    let stale = table.iter().filter(is_stale);
    stale.map(|entry| format!("`{}` ({}) speaks of nothing in the image", entry.pattern, entry.reason)).collect()
}

#[test]
fn callsites_are_sorted_aligned_and_nops() {
    hold(callsites::well_formed, Vec::new());
}

#[test]
fn nothing_but_a_callsite_looks_like_one() {
    hold(callsites::marks, Vec::new());
}

#[test]
fn a_trampoline_lowers_its_count_before_it_looks_for_a_wish() {
    hold(wish::is_looked_for_late, Vec::new());
}

#[test]
fn functions_of_this_crate_have_callsites_or_a_reason() {
    let has_none = |image: &Image, function: &Function| function.is_ours() && !image.is_traceable(function);
    hold(|image| callsites::coverage(image, policy::NO_CALLSITE), stale(policy::NO_CALLSITE, has_none));
}

#[test]
fn nothing_traceable_is_reachable_where_tracing_is_forbidden() {
    let policy =
        Policy { roots: policy::ROOTS, panics: policy::PANICS, cuts: policy::CUTS, indirect: indirect::INDIRECT };
    let indirect = indirect::INDIRECT.iter().flat_map(|entry| {
        let names = entry.callees.iter().chain(entry.given_to).chain([&entry.caller]);
        names.map(|pattern| Listed { pattern, reason: entry.reason })
    });
    let cuts = policy::CUTS
        .iter()
        .flat_map(|cut| [cut.caller, cut.callee].map(|pattern| Listed { pattern, reason: cut.reason }));
    let named: Vec<Listed> = policy::PANICS.iter().copied().chain(indirect).chain(cuts).collect();
    hold(|image| Graph::new(image, policy.panics).violations(&policy), stale(&named, |_, _| true));
}

#[test]
fn every_function_that_calls_has_an_honest_frame_record() {
    let is_own = |function: &Function| policy::OWN_FRAMES.iter().any(|own| matches(own.pattern, &function.name));
    let breaks_them = |image: &Image, function: &Function| {
        is_own(function) && !frames::violations(function, &flow::never_returning(image)).is_empty()
    };
    let rule = |image: &Image| {
        let never_returns = flow::never_returning(image);
        // The compiler's helpers that keep no record must not be reached from anything else.
        let graph = Graph::new(image, policy::PANICS);
        let used = graph.reachable(|function| !function.name.starts_with("compiler_builtins::"));
        let checked = used.into_iter().map(|index| &image.functions[index]).filter(|function| !is_own(function));
        checked.flat_map(|function| frames::violations(function, &never_returns)).collect()
    };
    hold(rule, stale(policy::OWN_FRAMES, breaks_them));
}

#[test]
fn no_code_is_outlined_signs_pointers_or_uses_simd_registers() {
    hold(whole::forbidden_code, Vec::new());
}

#[test]
fn the_image_carries_its_own_function_names() {
    hold(whole::symbols, Vec::new());
}

#[test]
fn the_file_has_its_symbols_in_at_most_4_mib() {
    hold(|image| whole::size(image, 4 << 20), Vec::new());
}

#[test]
fn the_image_names_no_folder_of_the_machine_that_built_it() {
    let folders = paths::of_the_builder();
    hold(|image| paths::of_folders(image, &folders), Vec::new());
}

#[test]
fn every_instruction_is_spelled_as_the_toolchain_does() {
    hold(spelling::otherwise, Vec::new());
}

#[test]
fn nothing_is_writable_and_executable() {
    hold(whole::writable_and_executable, Vec::new());
}

#[test]
fn the_sequences_that_litmus_tests_stand_for_are_in_the_image() {
    let rule = |image: &Image| ordering::violations(image, sequences::SEQUENCES);
    hold(rule, Vec::new());
}

#[test]
fn each_sequence_is_the_program_of_its_litmus_tests_and_is_in_their_index() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/litmus");
    let read = |test: &str| std::fs::read_to_string(folder.join(format!("{test}.litmus"))).ok();
    let index = std::fs::read_to_string(folder.join("INDEX.md")).expect("the index is there");
    let strays = sequences::SEQUENCES.iter().flat_map(|one| programs::strays(one, read));
    let found: Vec<String> = strays.chain(programs::unnamed(sequences::SEQUENCES, &index)).collect();
    assert!(found.is_empty(), "{} violations:\n  {}", found.len(), found.join("\n  "));
}
