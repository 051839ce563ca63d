//! What the theory's table has no row for: two ops that are retired one after the other, and holders that answer nobody.
//!
//! Of two retired ops each has to be judged by itself. A line's verdict is the worse of both, so `scan` is late at neither, and
//! waits where one of them is held.

use super::{SCHEMES, SOUND, explorer, lines, whole};
use crate::verdict::Pairs;
use std::ops::Range;

fn of<'a>(lines: &'a [Pairs], scheme: &str, func: &str, scenario: &str) -> Vec<&'a Pairs> {
    let is_it =
        |line: &&Pairs| (line.text("scheme"), line.text("func"), line.text("scenario")) == (scheme, func, scenario);
    lines.iter().filter(is_it).collect()
}

/// From behind the T2 that loaded the outer ops of a call in a call up to its T7.
fn outer_hold(call: &[&Pairs]) -> Range<usize> {
    let at = |step: &str| (0..call.len()).filter(|&n| call[n].text("step") == step).collect::<Vec<_>>();
    at("T3")[0]..at("T7")[1]
}

#[test]
fn of_two_retired_ops_each_is_waited_for_by_who_holds_it_in_whatever_order_they_are_retired() {
    let lines = lines(whole());
    for scenario in ["other-first", "other-next"] {
        // Whoever calls by the node holds both of its members; of a call in a call the outer ops as long as the inner, and longer; and
        // nobody holds what nobody calls.
        for func in ["callee", "fanout", "nest", "nested"] {
            let is_held = |call: &[&Pairs], n: usize| match func {
                "nested" => outer_hold(call).contains(&n),
                _ => call[n].text("held") != "none",
            };
            for scheme in SCHEMES {
                let call = of(&lines, scheme, func, scenario);
                assert!(call.len() > 40, "{scheme}, {func}: {} boundaries", call.len());
                for (n, line) in call.iter().enumerate() {
                    let verdict = line.text("verdict");
                    let wanted: &[&str] = match (scheme, is_held(&call, n)) {
                        ("none", true) => &["unsafe"],
                        ("scan", true) => &["waits"],
                        ("none" | "scan", false) => &["right"],
                        (_, true) if SOUND.contains(&scheme) => &["waits", "late"],
                        (_, true) => &["waits", "late", "unsafe"],
                        (_, false) => &["right", "late"],
                    };
                    assert!(wanted.contains(&verdict), "{line:?}: not one of {wanted:?}");
                }
            }
        }
    }
}

/// A count says that something is held, and not what: both are kept where it is up, and nothing is once it is down.
#[test]
fn a_count_keeps_the_other_ops_where_it_keeps_the_explored_one_and_nowhere_else() {
    let lines = lines(whole());
    for scheme in ["depth", "nopreempt"] {
        for func in ["callee", "fanout", "nest", "nested"] {
            let alone: Vec<bool> =
                of(&lines, scheme, func, "preempted").iter().map(|line| line.text("verdict") != "right").collect();
            for scenario in ["other-first", "other-next"] {
                let call = of(&lines, scheme, func, scenario);
                assert_eq!(call.len(), alone.len(), "{scheme}, {func}");
                for (line, is_kept) in call.iter().zip(&alone) {
                    assert_eq!(line.text("verdict") != "right", *is_kept, "{line:?}");
                }
            }
        }
    }
}

#[test]
fn a_holder_that_has_disabled_preemption_or_masked_irqs_is_waited_for_by_every_scheme() {
    let lines = lines(whole());
    for scheme in SCHEMES {
        for (func, scenario) in
            [("callee", "preempt-off"), ("fanout", "preempt-off"), ("callee", "irqs-off"), ("fanout", "irqs-off")]
        {
            let call = of(&lines, scheme, func, scenario);
            let held: Vec<_> = call.iter().filter(|line| line.text("held") != "none").collect();
            assert!(held.len() >= 16, "{scheme}, {scenario}: {} boundaries", held.len());
            let wanted = if scheme == "none" { "unsafe" } else { "waits" };
            assert!(held.iter().all(|line| line.text("verdict") == wanted), "{scheme}: {held:?}");
            let is_open = call.iter().any(|line| line.text("held") == "none");
            assert_eq!(is_open, scenario == "preempt-off", "where IRQs are masked no round is answered");
        }
    }
}

/// Whose task exits inside func holds nothing any more: its grace period ends (`ended=` of the verdict counts it).
#[test]
fn who_exits_inside_func_is_waited_for_until_then() {
    let lines = lines(whole());
    for scheme in SCHEMES {
        let [line] = of(&lines, scheme, "block", "exits-inside")[..] else { panic!("{scheme}: not one run") };
        let wanted = if matches!(scheme, "depth" | "scan") { "waits" } else { "forbidden" };
        assert_eq!(line.text("verdict"), wanted, "{line:?}");
    }
}

/// Whose task exits never reads its ops: that it was freed too early its stack alone tells.
#[test]
fn an_ops_that_is_freed_under_a_task_which_exits_inside_its_func_is_told_by_the_stack() {
    let words = ["windows", "tasks_rcu=scan", "only=block,exits-inside", "fault=number-missing"];
    let ended = explorer(2).with_faults().boot(&words).expect_status(1);
    let lines = lines(&ended);
    let [line] = &lines[..] else { panic!("more than one run: {}", ended.story()) };
    assert_eq!((line.text("verdict"), line.text("oracle")), ("unsafe", "inside"), "{}", ended.story());
}
