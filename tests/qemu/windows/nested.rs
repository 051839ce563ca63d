//! Calls in calls: the retired ops is the outer one's, or the inner one's.

use super::{SCHEMES, assert_adds_up, assert_is_seen, assert_is_the_table, explorer, lines};
use crate::verdict::Pairs;

/// What `ip` and `flag` look at is whether the PC is in a trampoline: the inner one's does as well, though it is no more than
/// what func called.
pub(super) fn is_in_inner_trampoline(line: &Pairs) -> bool {
    line.text("func") == "nest"
        && matches!(line.text("phase"), "4" | "10")
        && line.text("place").starts_with("trampoline")
        && matches!(line.text("scheme"), "ip" | "flag")
}

/// Around the explored call, in the call of an ops that stays, nothing is held: what a scheme makes of it that looks at less.
fn around(scheme: &str, line: &Pairs) -> &'static str {
    match scheme {
        "none" | "sched" | "rude" | "scan" => "right",
        "ip" | "flag" if !line.text("place").starts_with("trampoline") => "right",
        _ => "late",
    }
}

#[test]
fn a_call_in_a_call_is_held_by_whichever_level_loaded_it_and_by_no_other() {
    let ended = explorer(2).boot(&["windows", "only=nest,nested"]).expect_status(1);
    assert_adds_up(&ended);
    assert_is_seen(&ended);
    assert_is_the_table(&ended);
    let lines = lines(&ended);
    for scheme in SCHEMES {
        let of = |func: &str| -> Vec<&Pairs> {
            let is_it = |line: &&Pairs| {
                (line.text("scheme"), line.text("func"), line.text("scenario")) == (scheme, func, "preempted")
            };
            lines.iter().filter(is_it).collect()
        };
        let at = |call: &[&Pairs], step: &str| -> [usize; 2] {
            let numbers = (0..call.len()).filter(|&n| call[n].text("step") == step).collect::<Vec<_>>();
            numbers.try_into().unwrap_or_else(|numbers| panic!("{scheme}: {step} at {numbers:?}, not twice"))
        };
        let held = |call: &[&Pairs]| -> Vec<usize> {
            (0..call.len()).filter(|&n| call[n].text("held") != "none").collect::<Vec<_>>()
        };
        let (nest, nested) = (of("nest"), of("nested"));
        for call in [&nest, &nested] {
            let numbers = call.iter().map(|line| line.number("n")).collect::<Vec<_>>();
            assert_eq!(numbers, (0..call.len() as u64).collect::<Vec<_>>(), "{scheme}: each boundary is stopped at");
        }
        // From behind the T2 that loaded the retired ops up to the T7 of that trampoline.
        assert_eq!(held(&nest), (at(&nest, "T3")[0]..at(&nest, "T7")[1]).collect::<Vec<_>>(), "{scheme}");
        assert_eq!(held(&nested), (at(&nested, "T3")[1]..at(&nested, "T7")[0]).collect::<Vec<_>>(), "{scheme}");
        let inside = at(&nested, "T3")[0]..at(&nested, "T7")[1];
        let outside: Vec<&Pairs> = nested[inside].iter().copied().filter(|line| line.text("phase") == "-").collect();
        assert!(outside.len() > 10, "{scheme}");
        for line in outside {
            assert_eq!(line.text("verdict"), around(scheme, line), "{line:?}");
        }
    }
}
