//! The exact text of every line.

use super::*;
use crate::arch::insn::Insn;
use crate::platform::bootargs::{BootArgs, parse};
use crate::platform::names::{WindowFunc, WindowScenario};

#[test]
fn the_stress_verdict_has_its_keys_in_order() {
    let coverage = Coverage {
        preempted_in_tramp: 21,
        preempted_in_func: 22,
        migrated_holders: 23,
        softirq_nested: 24,
        irq_holders: 25,
        exited_holders: 26,
        blocked_in_func: 27,
    };
    let line = StressLine {
        verdict: Verdict::Pass,
        seed: u64::MAX,
        scheme: SchemeName::Classic,
        preempt: PreemptModel::Lazy,
        cpus: 4,
        tasks: 5,
        ops: 6,
        secs: 7,
        calls: 8,
        swaps: 9,
        freed: 10,
        gps: 11,
        gp_p50_us: 12,
        gp_max_us: 13,
        violations: [0, 1, 2, 3, 4, 5],
        coverage,
        schedule: 28,
        unheld_max_us: 29,
    };
    assert_eq!(
        line.to_string(),
        "stress: PASS seed=18446744073709551615 scheme=classic preempt=lazy cpus=4 tasks=5 ops=6 secs=7 calls=8 \
         swaps=9 freed=10 gps=11 gp_p50_us=12 gp_max_us=13 p1=0 p2=1 p3=2 p4=3 p5=4 p6=5 preempted_in_tramp=21 \
         preempted_in_func=22 migrated_holders=23 softirq_nested=24 irq_holders=25 exited_holders=26 \
         blocked_in_func=27 schedule=28 unheld_max_us=29"
    );
}

#[test]
fn the_windows_and_bench_verdicts_have_their_keys_in_order() {
    let line = WindowsLine {
        verdict: Verdict::Fail,
        scheme: SchemeName::Ip,
        preempt: PreemptModel::Full,
        boundaries: 1,
        scenarios: 2,
        runs: 3,
        freed_early: 4,
        late: 5,
        ended: 6,
    };
    let expected = "windows: FAIL scheme=ip preempt=full boundaries=1 scenarios=2 runs=3 unsafe=4 late=5 ended=6";
    assert_eq!(line.to_string(), expected);
    assert_eq!(BenchVerdict { verdict: Verdict::Pass, lines: 17 }.to_string(), "bench: PASS n=17");
    assert_eq!((Verdict::Pass.status(), Verdict::Fail.status()), (0, 1));
}

#[test]
fn a_measurement_has_every_key_that_applies_in_order() {
    assert_eq!(BenchLine::new(Bench::Boot).to_string(), "bench: boot");
    let percall = BenchLine {
        is_func_ret: true,
        n: Some(10),
        insns: Some(26),
        ops: Some(1),
        ns: Some(30),
        ..BenchLine::new(Bench::Percall)
    };
    assert_eq!(percall.to_string(), "bench: percall ops=1 insns=26 ns=30 n=10 func=ret");
    let memory = BenchLine { bytes: Some(1 << 20), ..BenchLine::new(Bench::Memory) };
    assert_eq!(memory.to_string(), "bench: memory bytes=1048576");
    let all = BenchLine {
        name: Bench::Gp,
        scheme: Some(SchemeName::Nopreempt),
        ops: Some(1),
        other_ops: Some(2),
        tasks: Some(3),
        holders: Some(4),
        busy: Some(5),
        insns: Some(6),
        ns: Some(7),
        min: Some(8),
        max: Some(9),
        n: Some(10),
        barriers: Some(11),
        atomics: Some(12),
        sysregs: Some(13),
        bytes: Some(14),
        rounds: Some(15),
        walk: Some(16),
        ordered: Some(17),
        frames: Some(18),
        traced: Some(19),
        waiters: Some(20),
        leaves: Some(21),
        way: Some("block"),
        is_func_ret: true,
        is_early: true,
        is_stalled: true,
        after: Some("history"),
        during: Some("stall"),
        holder: Some("runs"),
    };
    assert_eq!(
        all.to_string(),
        "bench: gp scheme=nopreempt ops=1 other_ops=2 tasks=3 holders=4 busy=5 insns=6 ns=7 min=8 max=9 n=10 \
         barriers=11 atomics=12 sysregs=13 bytes=14 rounds=15 walk=16 ordered=17 frames=18 traced=19 \
         func=ret early=1 stalled=1 waiters=20 leaves=21 way=block after=history \
         during=stall holder=runs"
    );
}

#[test]
fn a_replay_line_is_boot_arguments_that_parse_to_the_same() {
    let args =
        BootArgs { tasks_rcu: Some(SchemeName::None), seed: Some(99), secs: 2, ..BootArgs::new(Mode::Stress, 4) };
    let line = Replay::Story(args).to_string();
    assert_eq!(line, "replay: stress tasks_rcu=none preempt=full secs=2 cpus=4 seed=99");
    assert_eq!(parse(&line["replay: ".len()..], 4).unwrap(), args);
    for replay in [Replay::Run(args), Replay::Part(args)] {
        let said = replay.to_string();
        let (remark, last) = said.split_once('\n').expect("two lines");
        assert_eq!(last, line, "the line is the last of all");
        assert!(remark.starts_with("the next line repeats the load, not the timing: "), "{remark}");
    }
}

#[test]
fn on_an_exact_machine_a_replay_line_is_the_whole_command() {
    let whole = |line: &str| Replay::Run(parse(line, 4).unwrap()).to_string();
    // These tests are built with debug assertions.
    let command = "replay: scripts/run --profile checked --exact --smp=4";
    let given = "stress secs=2 seed=0x9 machine=\"--exact --smp=4\"";
    assert_eq!(whole(given), format!("{command} stress secs=2 seed=0x9"), "as it was given, not as it is understood");
    for other in ["stress  secs=2", "stress secs=\"2\"", " stress secs=2", "stress secs=2 "] {
        let given = format!("{other} machine=\"--exact --smp=4\"");
        assert_eq!(whole(&given), format!("{command} '{other}'"), "the line to the letter");
    }
    let part = Replay::Part(parse(given, 4).unwrap()).to_string();
    assert_eq!(part, format!("{command} stress preempt=full secs=2 cpus=4 seed=9"), "what selects the part");
    let quoted = "cmds=\"echo it's so; trace a::* on\" machine=\"--exact --smp=4\"";
    assert_eq!(whole(quoted), format!("{command} 'cmds=echo it'\\''s so; trace a::* on'"), "as a shell takes it");
    assert_eq!(whole("shell machine=\"--exact --smp=4\""), format!("{command} shell"));
}

#[test]
fn percentiles_are_samples_by_nearest_rank() {
    let mut samples = [50, 15, 40, 20, 35];
    let at = |percent| percentile(&mut samples.clone(), percent);
    assert_eq!([0, 5, 30, 40, 50, 100, 900].map(at), [15, 15, 20, 20, 35, 50, 50].map(Some));
    assert_eq!(summary(&mut samples), Some(Summary { median: 35, min: 15, max: 50, n: 5 }));
    assert_eq!(summary(&mut [4, 1, 3, 2]), Some(Summary { median: 2, min: 1, max: 4, n: 4 }));
    assert_eq!((summary(&mut []), percentile(&mut [], 50)), (None, None));
}

#[test]
fn a_line_of_windows_has_its_keys_in_order_and_no_key_without_a_value() {
    let line = WindowLine {
        scheme: SchemeName::Ip,
        preempt: PreemptModel::Full,
        func: WindowFunc::Plain,
        n: 17,
        pc: 0x4020_3290,
        insn: Insn(0xf85f_0162),
        step: "",
        place: "trampoline+0x4c",
        phase: "2",
        scenario: WindowScenario::Preempted,
        held: HeldWhat::Ops,
        verdict: Cell::of(true, true),
        oracle: "p1",
    };
    let expected = "window: scheme=ip preempt=full func=plain n=17 pc=0x40203290 insn=0xf85f0162 step=- \
                    place=trampoline+0x4c phase=2 scenario=preempted held=ops verdict=unsafe oracle=p1";
    assert_eq!(line.to_string(), expected);
    assert!(WindowLine { oracle: "", ..line }.to_string().ends_with(" oracle=-"));
    let cells = [(true, false), (false, true), (false, false)].map(|(has_ended, is_held)| Cell::of(has_ended, is_held));
    assert_eq!(cells.map(|cell| cell.to_string()), ["right", "waits", "late"]);
}

#[test]
fn executed_instructions_and_the_oracle_agree_or_the_cell_is_disputed() {
    let all = [Cell::Right, Cell::Waits, Cell::Late, Cell::Unsafe, Cell::Forbidden, Cell::Undecided];
    let words = |is_broken| all.map(|cell| cell.as_seen(is_broken).to_string());
    assert_eq!(words(false), ["right", "waits", "late", "disputed", "forbidden", "undecided"]);
    assert_eq!(words(true), ["disputed", "disputed", "disputed", "unsafe", "forbidden", "undecided"]);
}
