//! The shipping file of `arch` that every ops carries.

#[path = "../../src/arch/aarch64/hold_words.rs"]
pub mod hold_words;
