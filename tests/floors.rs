//! The architecture, held: who may import whom, which hooks call upward, where the target is named.
//!
//! `lib.rs` draws the floors. A module imports only from lower floors, and rooms on one floor do not know
//! each other; where control must go up, a hook is declared and stands in [`HOOKS`]. Each rule is a function
//! over source text, and each has a test that feeds it text which breaks it.

#[path = "floors/clock.rs"]
mod clock;
#[path = "floors/panics.rs"]
mod panics;
#[path = "floors/rules.rs"]
mod rules;
#[path = "floors/source.rs"]
mod source;

use rules::{Exception, Hook};
use source::Source;
use std::path::Path;

/// Words below the floors, which every floor may use; they know only each other.
const GROUND: &[&str] = &["hook", "fault", "sync::atomic"];

/// Every room and its floor. `lib` is what stands at the root of the crate.
const FLOORS: &[(&str, u8)] = &[
    ("platform", 0),
    ("arch", 1),
    ("sync", 2),
    ("mm", 3),
    ("console", 3),
    ("sched", 4),
    ("trace", 4),
    ("irq", 5),
    ("rcu", 5),
    ("ftrace", 6),
    ("tracers", 7),
    ("shell", 8),
    ("lab", 8),
    ("kernel", 9),
    ("lib", 9),
];

/// Every hook by which a lower floor calls up: where it is declared, its name, who wires it.
const HOOKS: &[Hook] = &[
    Hook { file: "src/arch/aarch64/boot.rs", name: "kernel_main", wired_by: "src/kernel.rs" },
    Hook { file: "src/arch/aarch64/boot.rs", name: "kernel_unfit", wired_by: "src/kernel.rs" },
    Hook { file: "src/arch/aarch64/boot.rs", name: "SECONDARY", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/arch/aarch64/vectors.rs", name: "IRQ", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/arch/aarch64/vectors.rs", name: "FIQ", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/irq/watchdog.rs", name: "HOLDOUTS", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/arch/aarch64/vectors.rs", name: "FAULT", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/arch/aarch64/trampoline.rs", name: "RESCHEDULE", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/arch/aarch64/trampoline.rs", name: "REPORT", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/sync/preempt.rs", name: "RESCHEDULE", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/console/epitaph.rs", name: "DESCRIBE_TASK", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/console/events.rs", name: "NAME_TASK", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/sched/seam.rs", name: "set_hooks", wired_by: "src/rcu/api.rs" },
    Hook { file: "src/sched/tick.rs", name: "EACH", wired_by: "src/rcu/api.rs" },
    Hook { file: "src/shell/session.rs", name: "HOLD", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/mm/heap.rs", name: "DAMAGED", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/rcu/named.rs", name: "OPS", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/ftrace/live.rs", name: "LATE", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/irq/entry.rs", name: "LAB_SGI", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/lab/oracle/violation.rs", name: "VERDICT", wired_by: "src/lab/oracle/violation.rs" },
    Hook { file: "src/shell/mod.rs", name: "STRESS", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/shell/mod.rs", name: "STEP", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/shell/mod.rs", name: "VERSION", wired_by: "src/kernel/wiring.rs" },
    Hook { file: "src/irq/softirq.rs", name: "LAB", wired_by: "src/kernel/wiring.rs" },
];

/// Files that may name the target elsewhere than at a `mod` line.
const TARGET_EXCEPTIONS: &[Exception] = &[];

/// The only files under `src/lab` that may know which scheme runs.
const SCHEME_READERS: &[Exception] = &[
    Exception { file: "src/lab/report.rs", reason: "the printer of verdict and measurement lines" },
    Exception { file: "src/lab/bench.rs", reason: "wires the mode: goes through the schemes, one after the other" },
    Exception { file: "src/lab/report/window.rs", reason: "the printer of the lines of `windows`" },
    Exception { file: "src/lab/windows.rs", reason: "wires the mode: goes through the schemes, one after the other" },
    Exception { file: "src/lab/selftest/overlaps/change.rs", reason: "selects each of them in its turn" },
    Exception { file: "src/lab/stress/verdict.rs", reason: "fills in the printer's verdict and replay lines" },
];

/// Files above 350 lines, with the reason why they are one thing.
const LONG_FILES: &[Exception] = &[];

fn tree(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    folders.iter().flat_map(|folder| source::read_tree(root, folder)).collect()
}

fn assert_none(violations: Vec<String>) {
    assert!(violations.is_empty(), "{} violations:\n  {}", violations.len(), violations.join("\n  "));
}

#[test]
fn every_module_imports_only_from_lower_floors() {
    assert_none(rules::imports(&tree(&["src"]), GROUND, FLOORS));
}

#[test]
fn every_hook_that_calls_upward_is_listed_and_wired() {
    assert_none(rules::hooks(&tree(&["src"]), HOOKS));
}

#[test]
fn the_target_gates_whole_files() {
    assert_none(rules::target_gates(&tree(&["src"]), TARGET_EXCEPTIONS));
}

#[test]
fn the_oracle_does_not_know_the_scheme() {
    assert_none(rules::scheme_blind(&tree(&["src/lab"]), SCHEME_READERS));
}

#[test]
fn every_look_at_the_clock_is_listed_with_what_it_is_for() {
    assert_none(clock::clock(&tree(&["src/irq", "src/lab", "src/rcu", "src/sched", "src/shell"]), clock::LOOKS));
}

#[test]
fn long_files_are_named_with_a_reason() {
    assert_none(rules::length(&tree(&["src", "tests", "scripts"]), LONG_FILES));
}

/// What each rule must catch, and what it must let through.
mod the_rules_can_fail {
    use super::{FLOORS, GROUND, clock, rules};
    use crate::clock::{Looks, Use};
    use crate::rules::{Exception, Hook};
    use crate::source::Source;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    fn imports(path: &str, text: &str) -> usize {
        let macros = source("src/console/mod.rs", "#[macro_export]\nmacro_rules! println { () => {} }");
        rules::imports(&[macros, source(path, text)], GROUND, FLOORS).len()
    }

    #[test]
    fn an_import_from_a_higher_floor_is_found_in_every_spelling() {
        for text in [
            "use crate::sched::Task;",
            "use holdout::sched::Task;",
            "use ::holdout::sched;",
            "use crate::{platform::Tree, sched::{self}};",
            "use crate::{platform::{a, b}, sched};",
            "fn f() { crate::sched::exit() }",
            "fn f() -> &'static crate::sched::Task { g() }",
            "macro_rules! m { () => { $crate::sched::exit() } }",
            "fn f() { println!() }",
            "fn f() { crate::println!() }",
            "use super::super::super::sched;",
            "use crate::unheard_of::Name;",
            "use crate::*;",
        ] {
            assert_eq!(imports("src/arch/aarch64/cpu.rs", text), 1, "{text}");
        }
    }

    #[test]
    fn lower_floors_own_room_ground_comments_strings_and_tests_are_no_imports() {
        let text = r##"
            //! Above: [`crate::sched`].
            use crate::{arch::cpu, platform, hook::Hook};
            use crate::sync::atomic::AtomicU64;
            use super::{insn, super::site};
            /* crate::rcu */ // crate::rcu
            pub(crate) fn f() { g("crate::rcu", r#"crate::rcu"#, 'c') }
            pub(in crate::arch) fn h() {}
            #[cfg(test)] use crate::sched::{self, exit};
            #[cfg(test)] mod tests { use crate::sched::Task; #[test] fn t() { println!() } }
        "##;
        assert_eq!(imports("src/arch/aarch64/cpu.rs", text), 0);
        assert_eq!(imports("src/main.rs", "use holdout::{lab, shell};"), 0);
    }

    #[test]
    fn rooms_on_one_floor_and_rooms_without_a_floor_are_found() {
        assert_eq!(imports("src/irq/entry.rs", "use crate::rcu::grace;"), 1);
        assert_eq!(imports("src/irq/entry.rs", "use crate::sync::preempt;"), 0);
        assert_eq!(imports("src/hook.rs", "use crate::sync::preempt;"), 1);
        assert_eq!(imports("src/attic/mod.rs", ""), 1);
    }

    #[test]
    fn a_test_file_is_known_by_its_mod_line() {
        let declares = source("src/arch/insn.rs", "#[cfg(test)]\nmod tests;");
        let tests = source("src/arch/insn/tests.rs", "use crate::sched::Task;");
        assert_eq!(rules::imports(&[declares, tests], GROUND, FLOORS), Vec::<String>::new());
    }

    #[test]
    fn hooks_and_their_table_must_agree() {
        const RESCHEDULE: Hook = Hook { file: "src/sync/preempt.rs", name: "RESCHEDULE", wired_by: "src/main.rs" };
        let text = "pub static RESCHEDULE: Hook<fn()> = Hook::new();\nstatic OTHER: [u64; 2] = [0; 2];";
        let declared = || source("src/sync/preempt.rs", text);
        let wired = || source("src/main.rs", "fn main() { RESCHEDULE.set(f) }");
        let deaf = || source("src/main.rs", "fn main() { /* RESCHEDULE */ }");
        assert_eq!(rules::hooks(&[declared(), wired()], &[RESCHEDULE]).len(), 0);
        assert_eq!(rules::hooks(&[declared(), wired()], &[]).len(), 1, "declared, not listed");
        assert_eq!(rules::hooks(&[wired()], &[RESCHEDULE]).len(), 1, "listed, not declared");
        assert_eq!(rules::hooks(&[declared(), deaf()], &[RESCHEDULE]).len(), 1, "listed, not wired");
        let setter = source("src/arch/x.rs", "pub fn set_step_hook(f: fn()) {}");
        assert_eq!(rules::hooks(&[setter], &[]).len(), 1);
        let linked = source("src/arch/boot.rs", "unsafe extern \"C\" { fn kernel_main() -> !; fn own(); }");
        let defined = source("src/kernel.rs", "#[unsafe(no_mangle)] extern \"C\" fn kernel_main() -> ! { loop {} }");
        let own = source("src/arch/x.rs", "#[unsafe(no_mangle)] extern \"C\" fn own() {}");
        assert_eq!(rules::hooks(&[linked, defined, own], &[]).len(), 1, "a call up by the linker's name");
    }

    #[test]
    fn a_target_gate_inside_a_file_is_found() {
        let count = |path: &str, text: &str| rules::target_gates(&[source(path, text)], &[]).len();
        assert_eq!(count("src/mm/heap.rs", "#[cfg(target_os = \"none\")]\nfn f() {}"), 1);
        assert_eq!(count("src/mm/heap.rs", "#[cfg(any(test, not(target_os = \"none\")))]\nuse a::b;"), 1);
        assert_eq!(count("src/mm/heap.rs", "fn f() { if cfg!(target_os = \"none\") { g() } }"), 1);
        assert_eq!(count("src/mm/heap.rs", "#![cfg(target_os = \"none\")]"), 1);
        assert_eq!(
            count("src/mm/mod.rs", "#[cfg(target_os = \"none\")]\n#[path = \"x.rs\"]\npub(crate) mod stack;"),
            0
        );
        assert_eq!(count("src/mm/mod.rs", "#[cfg(target_os = \"none\")]\nmod inline { }"), 1);
        assert_eq!(count("src/mm/mod.rs", "#[cfg(target_os = \"none\")]\npub use stack::Stack;"), 0);
        assert_eq!(count("src/mm/heap.rs", "#[cfg(target_os = \"none\")]\npub use stack::Stack;"), 1);
        assert_eq!(count("src/mm/heap.rs", "#[cfg_attr(target_os = \"none\", inline)] fn f() {}"), 0);
        assert_eq!(count("src/main.rs", "#[cfg(target_os = \"none\")]\nfn f() {}"), 0);
    }

    #[test]
    fn an_oracle_that_knows_the_scheme_is_found() {
        let readers = [Exception { file: "src/lab/report.rs", reason: "the printer" }];
        let count = |path: &str, text: &str| rules::scheme_blind(&[source(path, text)], &readers).len();
        for text in
            ["use crate::rcu::SchemeName;", "fn f() { crate::rcu::schemes::all() }", "const K: &str = \"tasks_rcu\";"]
        {
            // The unused exception is the second violation.
            assert_eq!(count("src/lab/stress/oracle.rs", text), 2, "{text}");
            assert_eq!(count("src/lab/report.rs", text), 0, "{text}");
        }
        assert_eq!(count("src/lab/stress/oracle.rs", "// tasks_rcu is read elsewhere"), 1);
    }

    #[test]
    fn a_look_at_the_clock_that_is_not_listed_or_not_there_is_found() {
        let listed = [Looks { file: "src/lab/a.rs", function: "wait", nr: 2, uses: &[Use::Paces] }];
        let count = |text: &str| clock::clock(&[source("src/lab/a.rs", text)], &listed).len();
        let twice = "use a::now_ns; fn wait() { let end_ns = now_ns() + 1; while sched::now_ns() < end_ns {} }";
        assert_eq!(count(twice), 0);
        assert_eq!(count("fn wait() { let judge = || now_ns() > 5; now_ns(); queue.wait_until_deadline(f, 1) }"), 1);
        assert_eq!(count(&format!("{twice} fn other() -> bool {{ now_ns() > 7 }}")), 1);
        assert_eq!(count(&format!("{twice} fn now_ns() {{}} fn g(look: fn(u64)) {{}}")), 0, "no looks");
        assert_eq!(count("fn wait() { Patience::of(5); }"), 1, "listed, not there");
        assert_eq!(clock::clock(&[], &listed).len(), 1);
    }

    #[test]
    fn a_long_file_and_a_stale_excuse_are_found() {
        let excuse = [Exception { file: "src/a.rs", reason: "one table" }];
        assert_eq!(rules::length(&[source("src/a.rs", &"\n".repeat(351))], &[]).len(), 1);
        assert_eq!(rules::length(&[source("src/a.rs", &"\n".repeat(351))], &excuse).len(), 0);
        assert_eq!(rules::length(&[source("src/a.rs", &"\n".repeat(350))], &excuse).len(), 1);
    }
}
