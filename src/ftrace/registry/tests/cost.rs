//! What changes take in memory and allocations: as much beside many ops, and after any history, as alone.

use super::*;
use crate::mm::fallible;
use crate::mm::fallible::failing::bytes_in_use;

/// Ops that have nothing to do with the change.
const OTHERS: usize = 530;

fn new() -> OpsBox {
    OpsBox::new("new", no_op, 0)
}

/// A registry in which each literal has been recorded: the text grows no more.
fn warmed_up(nr_sites: usize) -> (Registry<()>, Recorded) {
    let (mut registry, mut text) = (registry_of(nr_sites), Recorded::default());
    let all = registry.register(new(), (0..nr_sites as SiteId).collect(), &mut text).unwrap();
    drop(registry.unregister(all, &mut text));
    (registry, text)
}

/// Allocations of a change that is tried over until there is memory for all of them.
fn allocations<T>(mut change: impl FnMut() -> Result<T, RegisterError<&'static str>>) -> (u32, T) {
    for nr in 0.. {
        if let (done, false) = without_memory_for(nr, &mut change) {
            return (nr, done.expect("there is memory"));
        }
    }
    unreachable!("a change ends")
}

/// What one ops takes on the last callsite: allocations to register and to swap it, and bytes while it is registered.
fn of_one(registry: &mut Registry<()>, text: &mut Recorded, site: SiteId) -> (u32, u32, isize) {
    let before = bytes_in_use();
    let (to_register, ops) = allocations(|| {
        let sites = fallible::collected([site].into_iter())?;
        registry.register(OpsBox::try_new("one", no_op, 0)?, sites, text)
    });
    let bytes = bytes_in_use() - before;
    let (to_swap, gone) = allocations(|| registry.swap(ops, OpsBox::try_new("one", no_op, 0)?, text));
    drop(gone);
    let ops = ops_of(registry, site)[0];
    assert_eq!(bytes_in_use() - before, bytes, "a successor takes as much");
    drop(registry.unregister(ops, text).expect("registered"));
    assert_eq!(bytes_in_use(), before, "nothing stays");
    (to_register, to_swap, bytes)
}

#[test]
fn a_change_takes_no_more_beside_hundreds_of_unrelated_ops_nor_after_they_have_gone() {
    let (mut registry, mut text) = warmed_up(OTHERS + 1);
    let at_rest = bytes_in_use();
    let alone = of_one(&mut registry, &mut text, OTHERS as SiteId);
    let mut others = Vec::with_capacity(OTHERS);
    others.extend((0..OTHERS as SiteId).map(|site| registry.register(new(), vec![site], &mut text).unwrap()));
    assert_eq!(of_one(&mut registry, &mut text, OTHERS as SiteId), alone, "beside {OTHERS}");
    for ops in others {
        drop(registry.unregister(ops, &mut text).expect("registered"));
    }
    assert_eq!(of_one(&mut registry, &mut text, OTHERS as SiteId), alone, "after {OTHERS} have gone");
    assert_eq!(bytes_in_use(), at_rest, "memory at rest is as it was");
}

#[test]
fn what_others_register_and_take_off_beside_and_on_top_leaves_the_memory_of_those_that_stay() {
    let (mut registry, mut text) = warmed_up(SITES);
    for sites in [vec![0, 1, 2, 3], vec![2, 3, 4], vec![3, 4, 5]] {
        registry.register(new(), sites, &mut text).unwrap();
    }
    let all: Vec<SiteId> = (0..SITES as SiteId).collect();
    let at_rest = bytes_in_use();
    for round in 0..20 {
        let lists = [all.clone(), all.iter().copied().filter(|site| site % 2 == 0).collect(), vec![3], vec![3, 9]];
        let registered = lists.map(|sites| registry.register(new(), sites, &mut text).unwrap());
        // In another order each time.
        for n in 0..registered.len() {
            drop(registry.unregister(registered[(n * 3 + round) % registered.len()], &mut text).expect("registered"));
        }
        assert_eq!(bytes_in_use(), at_rest, "round {round}, at rest");
    }
}

#[test]
fn thousands_of_failed_registrations_leave_nothing() {
    let (mut registry, mut text) = warmed_up(SITES);
    for sites in [vec![0, 1, 2], vec![1, 2], vec![2]] {
        registry.register(new(), sites, &mut text).unwrap();
    }
    let before = bytes_in_use();
    for n in 0..3000 {
        text.refuses = n % 2 == 0;
        let (done, _) = without_memory_for(if text.refuses { u32::MAX } else { 2 + n % 8 }, || {
            registry.register(new(), vec![0, 1, 2, 3], &mut text)
        });
        let error = if text.refuses { RegisterError::Text("refused") } else { RegisterError::NoMemory };
        assert_eq!(done, Err(error), "registration {n}");
    }
    assert_eq!(bytes_in_use(), before);
}

#[test]
fn a_callsite_takes_as_many_ops_as_the_limit_says_and_they_go_in_any_order_without_memory() {
    type Order = fn(usize) -> usize;
    let orders: [(&str, Order); 3] = [
        ("oldest first", |n| n),
        ("newest first", |n| MOST_OPS_PER_SITE - 1 - n),
        ("mixed", |n| n * 29 % MOST_OPS_PER_SITE),
    ];
    assert_eq!(MOST_OPS_PER_SITE, 64, "what help and README say, and what 29 has no factor in common with");
    for (order, nth) in orders {
        let (mut registry, mut text) = warmed_up(SITES);
        let at_rest = bytes_in_use();
        let mut all = [core::ptr::null(); MOST_OPS_PER_SITE];
        for ops in &mut all {
            *ops = registry.register(new(), vec![1, 2], &mut text).unwrap();
        }
        let full = bytes_in_use() - at_rest;
        assert!(full < 128 << 10, "{full} bytes for {MOST_OPS_PER_SITE} ops on a callsite");
        let refused = registry.register(new(), vec![0, 1], &mut text);
        assert_eq!(refused, Err(RegisterError::TooManyOps { site: 1 }));
        assert_eq!(bytes_in_use() - at_rest, full, "what was refused leaves nothing");
        for n in 0..MOST_OPS_PER_SITE {
            let (gone, was_short) = without_memory_for(0, || registry.unregister(all[nth(n)], &mut text));
            assert!(gone.is_some() && !was_short, "{order}, {n}: unregistering allocates nothing");
            drop(gone);
            all[nth(n)] = core::ptr::null();
            let left: Vec<_> = all.iter().copied().filter(|ops| !ops.is_null()).collect();
            assert_eq!(called(&text, &registry, 1), left, "{order}, after {n}");
        }
        assert_eq!(bytes_in_use(), at_rest, "{order}");
    }
}
