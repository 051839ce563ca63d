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
#[path = "image/insn.rs"]
mod insn;
#[path = "image/load.rs"]
mod load;
#[path = "image/policy.rs"]
mod policy;
#[path = "image/whole.rs"]
mod whole;

use graph::{Graph, Policy};
use load::{Function, Image};
use policy::{Listed, matches};
use std::sync::LazyLock;

static IMAGES: LazyLock<[Image; 2]> = LazyLock::new(|| ["release", "checked"].map(Image::build));

/// Runs a rule on each image. What it finds is a failure that names the image.
fn hold(rule: impl Fn(&Image) -> Vec<String>) {
    let found: Vec<String> = IMAGES
        .iter()
        .flat_map(|image| rule(image).into_iter().map(|line| format!("[{}] {line}", image.profile)))
        .collect();
    assert!(found.is_empty(), "{} violations:\n  {}", found.len(), found.join("\n  "));
}

/// Fails if an entry of `table` matches no function of any image for which `speaks_of` holds.
fn assert_not_stale(table: &[Listed], speaks_of: impl Fn(&Image, &Function) -> bool) {
    let is_stale = |entry: &&Listed| {
        !IMAGES.iter().any(|image| {
            image.functions.iter().any(|function| matches(entry.pattern, &function.name) && speaks_of(image, function))
        })
    };
    let stale: Vec<&str> = table.iter().filter(is_stale).map(|entry| entry.pattern).collect();
    assert!(stale.is_empty(), "these entries speak of nothing in the image: {stale:?}");
}

#[test]
fn callsites_are_sorted_aligned_and_nops() {
    hold(callsites::well_formed);
}

#[test]
fn functions_of_this_crate_have_callsites_or_a_reason() {
    hold(|image| callsites::coverage(image, policy::NO_CALLSITE));
    assert_not_stale(policy::NO_CALLSITE, |image, function| function.is_ours() && !image.has_callsite(function));
}

#[test]
fn nothing_traceable_is_reachable_where_tracing_is_forbidden() {
    let policy =
        Policy { roots: policy::ROOTS, panics: policy::PANICS, cuts: policy::CUTS, indirect: policy::INDIRECT };
    hold(|image| Graph::new(image, policy.panics).violations(&policy));
    let indirect = policy::INDIRECT.iter().flat_map(|entry| {
        entry
            .callees
            .iter()
            .chain(entry.vtables)
            .chain([&entry.caller])
            .map(|pattern| Listed { pattern, reason: entry.reason })
    });
    let cuts = policy::CUTS
        .iter()
        .flat_map(|cut| [cut.caller, cut.callee].map(|pattern| Listed { pattern, reason: cut.reason }));
    let named: Vec<Listed> = policy::PANICS.iter().copied().chain(indirect).chain(cuts).collect();
    assert_not_stale(&named, |_, _| true);
}

#[test]
fn every_function_that_calls_has_an_honest_frame_record() {
    hold(|image| {
        let never_returns = flow::never_returning(image);
        let graph = Graph::new(image, policy::PANICS);
        let used = graph.reachable(|function| !function.name.starts_with("compiler_builtins::"));
        let checked = image.functions.iter().enumerate().filter(|(index, function)| {
            let is_own = policy::OWN_FRAMES.iter().any(|entry| matches(entry.pattern, &function.name));
            used.contains(index) && !is_own
        });
        checked.flat_map(|(_, function)| frames::violations(function, &never_returns)).collect()
    });
    assert_not_stale(policy::OWN_FRAMES, |image, function| {
        !frames::violations(function, &flow::never_returning(image)).is_empty()
    });
}

#[test]
fn no_code_is_outlined_signs_pointers_or_uses_simd_registers() {
    hold(whole::forbidden_code);
}

#[test]
fn the_image_carries_its_own_function_names() {
    hold(whole::symbols);
}

#[test]
fn nothing_is_writable_and_executable() {
    hold(whole::writable_and_executable);
}
