//! Who is called where: ops, filters, the table of callsites, the registry, and its live end. Floor 6.
//!
//! The change of a callsite is a straight fall through the floors: `registry` decides, `arch::text` patches
//! (literal, then branch), what was unlinked becomes a `Retired`, and `rcu` says when it may be freed.
//! The hit comes back up: callsite, trampoline, `ops.func`; with several ops on a callsite, [`fanout`].

#[cfg(target_os = "none")]
pub mod fanout;
pub mod filter;
#[cfg(target_os = "none")]
pub mod live;
pub mod near;
pub mod ops;
#[cfg(target_os = "none")]
pub mod recursion;
pub mod registry;
pub mod table;
