//! Random changes, some of them without memory, beside a plain model: a list of ops with their callsites, oldest first.

use super::*;
use crate::mm::fallible::failing::bytes_in_use;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const SEED: u64 = 0x401d;
const STEPS: usize = 6000;
/// Ops at once.
const MOST: usize = 20;

#[derive(Default)]
struct Model(Vec<(*const Ops, Vec<SiteId>)>);

impl Model {
    fn of(&self, site: SiteId) -> Vec<*const Ops> {
        self.0.iter().filter(|(_, sites)| sites.contains(&site)).map(|&(ops, _)| ops).collect()
    }
}

/// A change that is drawn, and whether it was done, in both alike.
fn change(
    registry: &mut Registry<()>,
    text: &mut Recorded,
    model: &mut Model,
    random: &mut Xoshiro256PlusPlus,
) -> bool {
    let len = model.0.len();
    let place = random.next_u32() as usize % len.max(1);
    // One in four is short of memory, if it allocates as often.
    let short = if random.next_u32().is_multiple_of(4) { random.next_u32() % 12 } else { u32::MAX };
    let before = bytes_in_use();
    match random.next_u32() % 3 {
        0 if len < MOST => {
            let mask = random.next_u32();
            let sites: Vec<SiteId> = (0..SITES as SiteId).filter(|site| mask >> site & 1 == 1).collect();
            let (ops, theirs) = (OpsBox::new("r", no_op, 0), sites.clone());
            let (done, was_short) = without_memory_for(short, || registry.register(ops, theirs, text));
            match done {
                Ok(ops) => {
                    assert!(!was_short, "done without memory");
                    model.0.push((ops, sites));
                    true
                }
                Err(error) => {
                    assert_eq!(error, if sites.is_empty() { RegisterError::NoSite } else { RegisterError::NoMemory });
                    let kept = sites.capacity() * size_of::<SiteId>();
                    assert_eq!(bytes_in_use() - before, kept.cast_signed(), "but for the model's own list");
                    false
                }
            }
        }
        1 if len > 0 => {
            let (ops, _) = model.0.remove(place);
            let (gone, was_short) = without_memory_for(0, || registry.unregister(ops, text));
            assert!(
                gone.is_some_and(|gone| gone.ops.address() == ops) && !was_short,
                "unregistering allocates nothing"
            );
            true
        }
        2 if len > 0 => {
            let new = OpsBox::new("s", no_op, 0);
            let address = new.address();
            let old = model.0[place].0;
            let (done, was_short) = without_memory_for(short, || registry.swap(old, new, text));
            match done {
                Ok(gone) => {
                    assert!(!was_short && gone.is_some_and(|gone| gone.ops.address() == old), "done, with memory");
                    model.0[place].0 = address;
                    true
                }
                Err(error) => {
                    assert_eq!((error, bytes_in_use()), (RegisterError::NoMemory, before));
                    false
                }
            }
        }
        _ => false,
    }
}

#[test]
fn any_history_leaves_each_callsite_with_exactly_its_ops_by_age_and_the_memory_as_it_was() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let (mut registry, mut text, mut model) = (registry(), Recorded::default(), Model::default());
    // Each literal has been recorded: the text grows no more.
    let all = registry.register(OpsBox::new("all", no_op, 0), (0..SITES as SiteId).collect(), &mut text).unwrap();
    drop(registry.unregister(all, &mut text));
    model.0.reserve(MOST);
    let at_rest = bytes_in_use();
    let (mut nr_done, mut nr_shared) = (0, 0);
    for step in 0..STEPS {
        nr_done += usize::from(change(&mut registry, &mut text, &mut model, &mut random));
        let here = format!("seed {SEED:#x}, step {step}");
        let registered: Vec<_> = registry.registrations().map(|it| it.ops.address()).collect();
        assert_eq!(registered, model.0.iter().map(|&(ops, _)| ops).collect::<Vec<_>>(), "{here}: oldest first");
        let mut targets = BTreeMap::new();
        for site in 0..SITES as SiteId {
            let expected = model.of(site);
            assert_eq!(called(&text, &registry, site), expected, "{here}, callsite {site}");
            assert_eq!(
                (ops_of(&registry, site), registry.nr_ops_of(site)),
                (expected.clone(), expected.len()),
                "{here}"
            );
            let (callsite, literal, on) = registry.expected(site);
            let recorded = text.text.get(&CallSite::literal(callsite)).copied().unwrap_or((nop().addr(), false));
            assert_eq!(recorded, (literal.addr(), on), "{here}, callsite {site}");
            let first = *targets.entry(expected).or_insert(literal);
            assert_eq!(first, literal, "{here}: callsites with the same ops share what they name");
        }
        nr_shared += usize::from(targets.len() > 1 && targets.len() < SITES);
    }
    assert!(nr_done > STEPS / 3 && nr_shared > STEPS / 3, "{nr_done} changes, {nr_shared} with shared sets");
    for (ops, _) in std::mem::take(&mut model.0) {
        drop(registry.unregister(ops, &mut text).expect("registered"));
    }
    drop(model);
    assert_eq!(bytes_in_use(), at_rest - (MOST * size_of::<(*const Ops, Vec<SiteId>)>()) as isize);
}
