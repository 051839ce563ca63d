//! The registry over a text that only records: what each literal names and each branch does after every change.

mod any_history;
mod cost;

use super::{CloseError, RegisterError, Registration, Registry, Text};
use crate::arch::site::{Branch, CallSite, OpsHeader, Patch, Regs};
use crate::ftrace::ops::{MOST_OPS_PER_SITE, Node, NodeBox, Ops, OpsBox};
use crate::ftrace::table::{SiteId, Table};
use crate::mm::fallible::failing::without_memory_for;
use crate::platform::symbols::SymbolTable;
use std::collections::BTreeMap;
use std::sync::LazyLock;

unsafe extern "C" fn no_op(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {}
unsafe extern "C" fn fan_out(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {}

/// Callsites of a small registry.
const SITES: usize = 12;
static NOP: LazyLock<OpsHeader> = LazyLock::new(OpsHeader::unfilled);

#[derive(Default)]
struct Recorded {
    text: BTreeMap<usize, (usize, bool)>,
    batches: usize,
    refuses: bool,
}

impl Text for Recorded {
    type Error = &'static str;
    fn apply(&mut self, patches: impl Iterator<Item = Patch> + Clone) -> Result<(), &'static str> {
        if self.refuses {
            return Err("refused");
        }
        self.batches += 1;
        for patch in patches {
            let entry = self.text.entry(patch.site.literal()).or_insert((nop().addr(), false));
            entry.0 = patch.ops.addr();
            match patch.branch {
                Branch::Keep => {}
                Branch::On => {
                    assert!(!entry.1, "a branch goes on once");
                    entry.1 = true;
                }
                Branch::Off => {
                    assert!(entry.1, "a branch goes off once");
                    entry.1 = false;
                }
            }
        }
        Ok(())
    }
}

fn nop() -> *const OpsHeader {
    &raw const *NOP
}

fn registry() -> Registry<()> {
    registry_of(SITES)
}

fn registry_of(nr_sites: usize) -> Registry<()> {
    let symbols =
        (0..nr_sites).map(|n| format!("{:016x} holdout::f{n:02}\n", 0x4020_0008 + n * 64)).collect::<String>();
    let records: Vec<usize> = (0..nr_sites).map(|n| 0x4020_0000 + n * 64).collect();
    let table = Table::new(&records, &(0..0), SymbolTable::new(symbols.leak().as_bytes())).unwrap();
    Registry::new(table, nop(), fan_out)
}

/// The ops of a callsite, in the order in which they are called.
fn ops_of(registry: &Registry<()>, site: SiteId) -> Vec<*const Ops> {
    let mut ops: Vec<_> = registry.ops_of(site).collect();
    ops.reverse();
    ops
}

/// The ops that a hit of `site` calls, by following the recorded literal as the trampoline would.
fn called(text: &Recorded, registry: &Registry<()>, site: SiteId) -> Vec<*const Ops> {
    let literal = registry.table().site(site).literal();
    let Some(&(target, on)) = text.text.get(&literal) else { return Vec::new() };
    if target == nop().addr() {
        assert!(!on, "a branch that is on leads to an ops");
        return Vec::new();
    }
    assert!(on);
    if registry.registrations().any(|registration| registration.ops.address().addr() == target) {
        return vec![core::ptr::with_exposed_provenance(target)];
    }
    // SAFETY: otherwise the literal names a published node, which the registry owns.
    unsafe { &*core::ptr::with_exposed_provenance::<Node>(target) }.members().to_vec()
}

#[test]
fn one_ops_is_called_directly_and_two_through_a_node() {
    let (mut registry, mut text) = (registry(), Recorded::default());
    let a = registry.register(OpsBox::new("a", no_op, 0), vec![1, 2], &mut text).unwrap();
    a.expose_provenance();
    assert_eq!(called(&text, &registry, 1), [a]);
    let b = registry.register(OpsBox::new("b", no_op, 0), vec![2, 3], &mut text).unwrap();
    assert_eq!(called(&text, &registry, 1), [a]);
    assert_eq!(called(&text, &registry, 2), [a, b]);
    assert_eq!(called(&text, &registry, 3), [b]);
    assert_eq!(text.batches, 2, "one batch a change");
}

#[test]
fn unregistering_gives_back_the_ops_with_the_nodes_that_named_it() {
    let (mut registry, mut text) = (registry(), Recorded::default());
    let a = registry.register(OpsBox::new("a", no_op, 0), vec![0, 1], &mut text).unwrap();
    let b = registry.register(OpsBox::new("b", no_op, 0), vec![1, 2], &mut text).unwrap();
    let gone = registry.unregister(a, &mut text).unwrap();
    let nodes: Vec<_> = gone.nodes.iter().map(Node::members).collect();
    assert_eq!(nodes, [[a, b]], "the node of callsite 1; what a late reader may still walk is unchanged");
    assert_eq!(called(&text, &registry, 0), []);
    assert_eq!(called(&text, &registry, 1), [b]);
    assert!(registry.unregister(a, &mut text).is_none(), "it is gone");
}

#[test]
fn a_refused_registration_changes_nothing() {
    let (mut registry, mut text) = (registry(), Recorded::default());
    let a = registry.register(OpsBox::new("a", no_op, 0), vec![0], &mut text).unwrap();
    text.refuses = true;
    let refused = registry.register(OpsBox::new("b", no_op, 0), vec![0, 1], &mut text);
    assert_eq!(refused, Err(RegisterError::Text("refused")));
    text.refuses = false;
    assert_eq!((ops_of(&registry, 0), ops_of(&registry, 1)), (vec![a], vec![]));
    assert_eq!(registry.register(OpsBox::new("c", no_op, 0), vec![], &mut text), Err(RegisterError::NoSite));
    for _ in 1..MOST_OPS_PER_SITE {
        registry.register(OpsBox::new("more", no_op, 0), vec![0], &mut text).unwrap();
    }
    let full = registry.register(OpsBox::new("over", no_op, 0), vec![1, 0], &mut text);
    assert_eq!(full, Err(RegisterError::TooManyOps { site: 0 }));
}

/// What each callsite should be now.
fn expected(registry: &Registry<()>) -> Vec<(usize, bool, Vec<*const Ops>)> {
    let of = |site| {
        let (_, target, is_on) = registry.expected(site);
        (target.addr(), is_on, ops_of(registry, site))
    };
    (0..SITES as SiteId).map(of).collect()
}

#[test]
fn where_any_allocation_of_a_change_fails_nothing_was_done_and_the_next_try_succeeds() {
    let (mut registry, mut text) = (registry(), Recorded::default());
    let mut all: Vec<*const Ops> = Vec::with_capacity(16);
    for sites in [vec![1, 2, 3], vec![2, 3, 4], vec![0, 3, 5]] {
        all.push(registry.register(OpsBox::new("before", no_op, 0), sites, &mut text).unwrap());
    }
    let mut failed = [0; 2];
    // Often enough that each vector of the registry has to grow.
    for is_swap in [false, false, false, true] {
        for n in 0.. {
            let (before, batches, nr) = (expected(&registry), text.batches, registry.registrations().count());
            let (new, sites) = (OpsBox::new("new", no_op, 0), vec![0, 2, 3, 6]);
            let (done, was_short) = without_memory_for(n, || match is_swap {
                false => registry.register(new, sites, &mut text).map(|ops| all.push(ops)),
                true => registry.swap(all[1], new, &mut text).map(|gone| drop(gone.expect("registered"))),
            });
            if !was_short {
                assert_eq!(done, Ok(()), "allocation {n}");
                break;
            }
            assert_eq!(done, Err(RegisterError::NoMemory), "allocation {n}");
            failed[usize::from(is_swap)] += 1;
            assert_eq!((expected(&registry), text.batches, registry.registrations().count()), (before, batches, nr));
        }
    }
    assert!(failed[0] >= 10 && failed[1] >= 3, "sets with nodes and spares, nodes: {failed:?}");
    // What failed has left nothing behind that a later change would trip over.
    for ops in registry.registrations().map(|registration| registration.ops.address()).collect::<Vec<_>>() {
        let (gone, was_short) = without_memory_for(0, || registry.unregister(ops, &mut text));
        assert!(gone.is_some() && !was_short, "`successor-ready`: unregistering allocates nothing");
    }
    assert!(text.text.values().all(|&(target, on)| target == nop().addr() && !on));
}

#[test]
fn a_swap_takes_the_nodes_that_name_the_old_ops_and_has_room_for_all_of_them() {
    let (mut registry, mut text) = (registry(), Recorded::default());
    let a = registry.register(OpsBox::new("a", no_op, 0), (1..6).collect(), &mut text).unwrap();
    let b = (1..6).map(|site| registry.register(OpsBox::new("b", no_op, 0), vec![site], &mut text).unwrap());
    let b: Vec<_> = b.collect();
    // Five nodes of a and one of b are left behind, which no literal names any more.
    let _c = registry.register(OpsBox::new("c", no_op, 0), (1..6).collect(), &mut text).unwrap();
    let d = registry.register(OpsBox::new("d", no_op, 0), vec![9], &mut text).unwrap();
    for n in 0.. {
        let new = OpsBox::new("d2", no_op, 0);
        let (gone, was_short) = without_memory_for(n, || registry.swap(d, new, &mut text));
        if !was_short {
            assert_eq!(gone.unwrap().expect("registered").nodes.iter().count(), 0, "d was alone");
            break;
        }
        assert_eq!(gone.err(), Some(RegisterError::NoMemory), "allocation {n}");
    }
    let gone = registry.swap(a, OpsBox::new("a2", no_op, 0), &mut text).unwrap().expect("registered");
    assert_eq!(gone.nodes.iter().count(), 10, "those of a and b, and of a, b and c");
    assert!(gone.nodes.iter().all(|node| node.members().contains(&a)));
    assert_eq!(called(&text, &registry, 1).len(), 3, "{b:?}");
}

#[test]
fn a_registry_is_closed_while_nothing_is_registered_by_one_at_a_time_and_refuses_until_it_is_open() {
    let (mut registry, mut text) = (registry(), Recorded::default());
    let a = registry.register(OpsBox::new("a", no_op, 0), vec![0], &mut text).unwrap();
    assert_eq!(registry.close(), Err(CloseError::Registered { ops: 1 }));
    registry.register(OpsBox::new("b", no_op, 0), vec![1], &mut text).expect("a refused close closes nothing");
    let b = ops_of(&registry, 1)[0];
    [a, b].into_iter().for_each(|ops| drop(registry.unregister(ops, &mut text)));
    assert_eq!([registry.close(), registry.close()], [Ok(()), Err(CloseError::Closed)]);
    let refused = registry.register(OpsBox::new("c", no_op, 0), vec![0], &mut text);
    assert_eq!((refused, registry.nr_ops_of(0)), (Err(RegisterError::Closed), 0));
    registry.open();
    registry.register(OpsBox::new("c", no_op, 0), vec![0], &mut text).expect("open again");
}

#[test]
fn a_swap_never_leaves_a_callsite_without_ops() {
    let (mut registry, mut text) = (registry(), Recorded::default());
    let a = registry.register(OpsBox::new("a", no_op, 0), vec![0, 1], &mut text).unwrap();
    let b = registry.register(OpsBox::new("b", no_op, 0), vec![1], &mut text).unwrap();
    let gone = registry.swap(a, OpsBox::new("c", no_op, 0), &mut text).unwrap().unwrap();
    assert_eq!(gone.ops.address(), a);
    assert_eq!(gone.nodes.iter().count(), 1);
    let c = registry.registrations().map(|registration| registration.ops.address()).find(|&ops| ops != b).unwrap();
    assert_eq!(called(&text, &registry, 0), [c]);
    assert_eq!(called(&text, &registry, 1), [c, b]);
    assert_eq!(text.batches, 3);
}

#[test]
fn who_holds_a_node_holds_its_members_for_as_long() {
    let ops = ["a", "b"].map(|name| OpsBox::new(name, no_op, 0));
    let mut node = NodeBox::with_capacity(2).expect("memory");
    node.fill(fan_out, 2, ops.iter().rev().map(OpsBox::address));
    let are_held = |look| ops.each_ref().map(|ops| ops.holds().is_held(look));
    assert_eq!(are_held(2), [false; 2]);
    node.node().note_retired();
    assert_eq!(are_held(100), [true; 2], "nobody has looked yet who holds it");
    node.node().holds().see(4);
    assert!(node.node().judge(4) && node.node().judge(4));
    assert_eq!(are_held(100), [true; 2], "until the node is judged again");
    assert!(!node.node().judge(6));
    assert_eq!(are_held(6), [false; 2]);
    assert!(!node.node().judge(8), "asked twice, told once");
    assert_eq!(are_held(8), [false; 2]);
}

/// Asks all parts, as the graveyard does.
fn is_held(gone: &Registration<()>, look: u64) -> bool {
    let mut answer = gone.ask(true, look);
    let mut is_held = answer.is_held;
    while !answer.is_last {
        answer = gone.ask(false, look);
        is_held |= answer.is_held;
    }
    is_held
}

#[test]
fn an_ops_is_held_while_one_of_the_nodes_is_that_are_freed_with_it() {
    let mut text = Recorded::default();
    let mut registry = registry();
    let [first, second] = ["a", "b"]
        .map(|name| registry.register(OpsBox::new(name, no_op, 0), vec![0], &mut text).expect("there is room"));
    let node = registry.expected(0).1;
    // SAFETY: published, and its registry lives.
    let seen = unsafe { &(*node).holds };
    seen.see(4);
    let gone = registry.unregister(first, &mut text).expect("it is registered");
    gone.note_retired();
    assert!(is_held(&gone, 4), "the node of both goes with the first");
    // SAFETY: registered.
    assert!(unsafe { &*second }.holds().is_held(100), "and keeps the second, when that is retired");
    assert!(!is_held(&gone, 6), "neither node nor ops, which was told first");
    // SAFETY: as above.
    assert!(!unsafe { &*second }.holds().is_held(100));
}

#[test]
fn each_node_that_goes_with_an_ops_keeps_its_own_members_and_no_others_whatever_else_holds_the_ops() {
    let mut text = Recorded::default();
    let mut registry = registry();
    let mut register =
        |name, sites| registry.register(OpsBox::new(name, no_op, 0), sites, &mut text).expect("there is room");
    let [first, second, third] = [register("a", vec![0, 1]), register("b", vec![0]), register("c", vec![1])];
    let nodes = [0, 1].map(|site| registry.expected(site).1);
    // SAFETY: published, and its registry lives.
    unsafe { &(*nodes[1]).holds }.see(4);
    // SAFETY: registered.
    unsafe { &*first }.holds().see(4);
    let gone = registry.unregister(first, &mut text).expect("it is registered");
    gone.note_retired();
    // SAFETY: registered.
    let are_held = || [second, third].map(|ops| unsafe { &*ops }.holds().is_held(100));
    assert_eq!(are_held(), [true; 2], "nobody has looked yet");
    assert!(is_held(&gone, 4));
    assert_eq!(are_held(), [false, true], "who sleeps in its node holds it, when it is retired");
}
