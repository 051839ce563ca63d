//! The tables behind the rules on the image: roots, cuts and exceptions, each with its reason.
//!
//! A pattern is a demangled name in which `*` stands for anything. An entry that matches nothing in any
//! image is itself a violation, so that the tables do not outlive what they speak of.

/// A name pattern and why it is listed.
#[derive(Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) pattern: &'static str,
    pub(crate) reason: &'static str,
}

/// A caller of pointers, what they can point to, and how that is known.
#[derive(Clone, Copy)]
pub(crate) struct Indirect {
    pub(crate) caller: &'static str,
    pub(crate) callees: &'static [&'static str],
    pub(crate) reason: &'static str,
}

/// Whether `name` is one that `pattern` stands for.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            rest.is_empty() || (0..=tail.len()).any(|at| tail.is_char_boundary(at) && matches(rest, &tail[at..]))
        }),
    }
}

/// Where code that must not be traced begins (O8).
pub(crate) const ROOTS: &[Listed] = &[];

/// Functions that end the kernel. What only leads to them may be traced: nothing runs after it.
pub(crate) const PANICS: &[Listed] = &[Listed { pattern: "core::panicking::*", reason: "a failed check" }];

/// Handlers: traceable by design, so the walk stops at them.
pub(crate) const HANDLERS: &[Listed] = &[];

/// Reachable callers of pointers.
pub(crate) const INDIRECT: &[Indirect] = &[];

/// Functions of this crate without a callsite.
pub(crate) const NO_CALLSITE: &[Listed] = &[];

/// Code that keeps other rules about x29 than the procedure call standard's.
pub(crate) const OWN_FRAMES: &[Listed] = &[];

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        assert!(matches("a::*::c", "a::b::b::c") && matches("*", "") && matches("<a::*>::f", "<a::B<u8>>::f"));
        assert!(!matches("a::*::c", "a::b::cd") && !matches("a", "ab") && !matches("b*", "ab"));
    }
}
