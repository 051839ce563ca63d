//! Properties of all that reads what a stranger wrote, each tried on hundreds of thousands of inputs.
//!
//! Every input follows from the seed and its number: a failure prints both, shrunk input and all, and
//! `HOLDOUT_FUZZ_SEED=… HOLDOUT_FUZZ_CASE=… cargo test --test fuzz NAME` runs that one again. `HOLDOUT_FUZZ_CASES=n`
//! tries another number of inputs than the usual one.
//!
//! # Why not proptest
//! Its inputs cost ten times what the code under test costs, and most of what it is good for, shrinking, is forty lines
//! here, where inputs are texts and bytes.

#[path = "fuzz/bootargs.rs"]
mod bootargs;
#[path = "fuzz/devicetree.rs"]
mod devicetree;
#[path = "fuzz/edges.rs"]
mod edges;
#[path = "fuzz/globs.rs"]
mod globs;
#[path = "fuzz/harness.rs"]
mod harness;
#[path = "fuzz/keys.rs"]
mod keys;
#[path = "fuzz/lines.rs"]
mod lines;
#[path = "fuzz/trees.rs"]
mod made;
mod trees {
    //! Device trees, made.
    #[path = "../trees/choices.rs"]
    pub(crate) mod choices;
    #[path = "../trees/legal.rs"]
    pub(crate) mod legal;
    #[path = "../trees/tree.rs"]
    pub(crate) mod tree;
}

/// What is tried when nothing else is asked for: at least a million inputs.
const _: () = assert!(
    bootargs::CASES + devicetree::CASES + globs::CASES + keys::CASES + lines::BYTES_CASES + lines::COMMAND_CASES
        >= 1_000_000
);
