//! The functions that experiments trace. Each counts its passes in its body, behind its callsite, so that no call
//! can be lost unseen (P6).

use crate::arch::site::CallSite;
use crate::ftrace::live;
use crate::ftrace::table::SiteId;
use crate::sync::atomic::{AtomicU64, Ordering};
use core::hint::black_box;

/// How many there are.
pub const COUNT: usize = 8;

/// Passes of each body.
pub static PASSES: [AtomicU64; COUNT] = [const { AtomicU64::new(0) }; COUNT];

macro_rules! tracees {
    ($($number:literal $name:ident,)*) => {
        $(
            #[doc = concat!("Tracee number ", stringify!($number), ".")]
            #[inline(never)]
            pub fn $name(value: u64) -> u64 {
                PASSES[$number].fetch_add(1, Ordering::Relaxed);
                // Another constant in each, so that no two are merged into one.
                black_box(value ^ ($number << 40))
            }
        )*
        const ALL: [fn(u64) -> u64; COUNT] = [$($name,)*];
    };
}

tracees! {
    0 alpha,
    1 bravo,
    2 charlie,
    3 delta,
    4 echo,
    5 foxtrot,
    6 golf,
    7 hotel,
}

/// Calls tracee number `number` through its callsite. Context: any.
#[inline(always)]
pub fn call(number: usize, value: u64) -> u64 {
    ALL[number % COUNT](value)
}

/// The entry of tracee number `number`.
pub fn entry(number: usize) -> usize {
    ALL[number % COUNT] as usize
}

/// The callsites of these tracees, ascending.
pub fn sites(numbers: impl Iterator<Item = usize>) -> alloc::vec::Vec<SiteId> {
    let mut sites: alloc::vec::Vec<SiteId> =
        live::with_registry(|registry| numbers.filter_map(|number| registry.table().find(entry(number))).collect());
    sites.sort_unstable();
    sites
}

/// The callsite of tracee number `number`.
pub fn site(number: usize) -> CallSite {
    CallSite::from_return_address(entry(number) + 8)
}

/// Passes of these tracees together.
pub fn passes(numbers: impl Iterator<Item = usize>) -> u64 {
    numbers.map(|number| PASSES[number].load(Ordering::Relaxed)).sum()
}
