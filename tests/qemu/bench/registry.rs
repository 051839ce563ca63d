//! The registry's changes, held to what they cost beside one other ops.

use super::{Measurements, Pairs};

/// A change beside any number of other ops, and after any history, in hundredths of what it costs beside one.
const MOST_PERCENT: u64 = 130;
/// Instructions to register an ops on a callsite of its own, to take it off again and to free it.
const LIMIT: u64 = 11_000;

#[test]
fn a_change_costs_as_much_beside_hundreds_of_other_ops_and_after_any_history() {
    let measurements = Measurements::take(&["tasks_rcu=scan", "only=registry"]);
    let rows = measurements.of("registry");
    let of = |others: u64, after: &str| -> &Pairs {
        let is_it = |row: &&&Pairs| row.number("other_ops") == others && row.text("after") == after;
        let found: Vec<&&Pairs> = rows.iter().filter(is_it).collect();
        let [row] = found[..] else { panic!("{} rows of {others} {after}: {rows:#?}", found.len()) };
        row
    };
    let changes = ["register", "swap", "unregister"];
    let together = |others| changes.iter().map(|after| of(others, after).number("insns")).sum::<u64>();
    let beside_one = together(1);
    for others in [1, 10, 100, 500] {
        for after in changes {
            let most = of(1, after).number("insns") * MOST_PERCENT / 100;
            of(others, after).expect("insns", |insns| insns <= most, &format!("at most {most}"));
        }
        let most = beside_one * MOST_PERCENT / 100;
        assert!(together(others) <= most, "{} for all three beside {others}: at most {most}", together(others));
        of(others, "history").expect("insns", |insns| insns <= most, &format!("at most {most} for all three"));
    }
    assert_eq!(rows.len(), 16, "{rows:#?}");
    let found = of(1, "register").number("insns") + of(1, "unregister").number("insns");
    assert!(found <= LIMIT, "{found} instructions to register, unregister and free: at most {LIMIT}");
}
