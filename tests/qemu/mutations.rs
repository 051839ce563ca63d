//! The checks, checked: each rule that can be broken on purpose is broken, and the run has to say so.
//!
//! `src/fault/table.rs` has the names and what each breaks. Here stands who catches it: the scheme and preemption model to run
//! it under, the seed, and the property that it violates. What no run on this emulator can show, because it is about the
//! order of memory, is shown by the models and litmus tests that [`BEYOND`] names.

use holdout::fault::Fault;

use crate::guest::{Ended, Guest, root};
use crate::verdict::Verdict;

/// A fault and how it is caught.
struct Mutation {
    fault: Fault,
    scheme: &'static str,
    model: &'static str,
    /// The key of the verdict that is 1: one of several where it is a race which of them is seen first.
    by: &'static [&'static str],
}

/// Tried one after the other until one is caught. On an exact machine it is the first one, until the kernel's timing changes;
/// on a machine that runs free a fault can get away where the host is busy.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
const SECS: u32 = 1;
/// Early frees: which of these is seen first is a race.
const EARLY: &[&str] = &["p1", "p2", "p3"];

/// Faults that random load meets within its first half second: their runs are exact ones, the same each time. The others are
/// met by the scenarios behind the load, which go by events and not by chance; an exact machine takes ten times as long to
/// come there, or, for races of CPUs that take turns there, longer still.
const EXACT: [Fault; 11] = [
    Fault::HoldoutsMissing,
    Fault::AwayStays,
    Fault::PreemptedIsVoluntary,
    Fault::CookieEarly,
    Fault::CookieOfRunning,
    Fault::LiteralStale,
    Fault::NodeAfterOps,
    Fault::FanOutTorn,
    Fault::TrampolinePlain,
    Fault::NumberMissing,
    Fault::InnermostRecordOnly,
];

/// Boots the build with faults for a short stress.
fn run(scheme: &str, model: &str, seed: u64, fault: Option<Fault>) -> Ended {
    let guest = Guest::with_cpus(4).with_faults();
    let guest = if fault.is_some_and(|fault| EXACT.contains(&fault)) { guest.option("--exact") } else { guest };
    let words = format!("stress tasks_rcu={scheme} preempt={model} secs={SECS} cpus=4 seed={seed}");
    let fault = fault.map(|fault| format!("fault={}", fault.as_str()));
    let words: Vec<&str> = words.split(' ').chain(fault.as_deref()).collect();
    guest.boot(&words)
}

impl Mutation {
    #[track_caller]
    fn is_caught(&self) {
        let Self { fault, scheme, model, by } = *self;
        let [mut seed, others @ ..] = SEEDS;
        let mut ended = run(scheme, model, seed, Some(fault));
        for other in others {
            if ended.status == 0 {
                (seed, ended) = (other, run(scheme, model, other, Some(fault)));
            }
        }
        let ended = ended.expect_status(1);
        ended.line_with(&["fault: ", fault.as_str(), fault.what()]);
        let verdict = Verdict::of("stress", &ended);
        assert!(!verdict.passed, "{}", ended.story());
        let violated: Vec<&str> =
            ["p1", "p2", "p3", "p4", "p5", "p6"].into_iter().filter(|key| verdict.pairs.number(key) != 0).collect();
        let [property] = violated[..] else { panic!("{violated:?} in {}", ended.story()) };
        assert!(by.contains(&property), "{property} instead of {by:?}: {}", ended.story());
        ended.line_with(&[&format!("violation of {property} ")]);
        let name = fault.as_str();
        let command = if EXACT.contains(&fault) { "scripts/run --profile faults --exact --smp=4 " } else { "" };
        let words = format!("stress tasks_rcu={scheme} preempt={model} secs={SECS} cpus=4 seed={seed} fault={name}");
        let replay = format!("replay: {command}{words}");
        assert_eq!(ended.lines().last(), Some(replay.as_str()), "{}", ended.story());
    }
}

macro_rules! mutations {
    ($($fact:ident: $fault:ident under $scheme:literal $model:literal by $by:expr;)*) => {
        const MUTATIONS: &[Mutation] = &[$(
            Mutation {
                fault: Fault::$fault,
                scheme: $scheme,
                model: $model,
                by: $by,
            },
        )*];

        $(
            #[test]
            fn $fact() {
                let mutation = MUTATIONS.iter().find(|mutation| mutation.fault == Fault::$fault);
                mutation.expect("it stands in the table").is_caught();
            }
        )*
    };
}

mutations! {
    brackets_missing: BracketsMissing under "classic" "full" by EARLY;
    holdouts_missing: HoldoutsMissing under "classic" "full" by EARLY;
    exiting_missed: ExitingMissed under "classic" "full" by EARLY;
    away_stays: AwayStays under "classic" "full" by EARLY;
    preempted_is_voluntary: PreemptedIsVoluntary under "classic" "full" by EARLY;
    softirq_overlooked: SoftirqOverlooked under "nopreempt" "full" by EARLY;
    acknowledgement_stale: AcknowledgementStale under "scan" "none" by &["p1", "p2", "p3", "p5"];
    cpu_forgotten: CpuForgotten under "nopreempt" "full" by EARLY;
    cookie_early: CookieEarly under "classic" "full" by EARLY;
    cookie_of_running: CookieOfRunning under "classic" "full" by EARLY;
    literal_stale: LiteralStale under "classic" "full" by EARLY;
    branch_first: BranchFirst under "nopreempt" "none" by &["p6"];
    node_after_ops: NodeAfterOps under "classic" "full" by &["p1"];
    fan_out_torn: FanOutTorn under "classic" "full" by &["p4"];
    skip_uncounted: SkipUncounted under "classic" "full" by &["p6"];
    callback_cut: CallbackCut under "classic" "full" by &["p5"];
    barrier_short: BarrierShort under "classic" "full" by &["p5"];
    quarantine_skipped: QuarantineSkipped under "classic" "full" by &["p1"];
    trampoline_plain: TrampolinePlain under "nopreempt" "full" by EARLY;
    round_missing: RoundMissing under "scan" "none" by EARLY;
    list_read_early: ListReadEarly under "scan" "full" by EARLY;
    delisted_at_switch_in: DelistedAtSwitchIn under "scan" "full" by EARLY;
    number_missing: NumberMissing under "scan" "full" by EARLY;
    innermost_record_only: InnermostRecordOnly under "scan" "full" by EARLY;
    register_overlooked: RegisterOverlooked under "scan" "full" by &["p1"];
    outer_contexts_overlooked: OuterContextsOverlooked under "scan" "full" by EARLY;
    counted_late: CountedLate under "depth" "full" by &["p1"];
}

/// Faults of `flag`, which under `full` is caught by itself: what they add only the model tells apart.
const BY_MODEL: &[(Fault, &str, &str)] = &[
    (Fault::MarkUndoneEarly, "tests/models/broken.rs", "\"fault_flag_cleared_before_the_preemption\""),
    (Fault::MarkClearedInside, "tests/models/planted.rs", "\"planted_mark_cleared_inside\""),
];

/// A fault of the oracle's own, which is no scheme's: the explorer compares it with the executed instructions.
const BY_WINDOWS: (Fault, &str, &str) = (Fault::TextKept, "tests/qemu/windows/scenes.rs", "fault=text-kept");

#[test]
fn every_fault_of_the_table_is_caught_once() {
    for &fault in Fault::ALL {
        let by_run = MUTATIONS.iter().filter(|mutation| mutation.fault == fault).count();
        let by_model = BY_MODEL.iter().filter(|(of_model, ..)| *of_model == fault).count();
        let by_windows = usize::from(BY_WINDOWS.0 == fault);
        assert_eq!(by_run + by_model + by_windows, 1, "{}", fault.as_str());
    }
    assert!(MUTATIONS.len() >= 16, "{} are caught by a run", MUTATIONS.len());
}

#[test]
fn without_a_fault_the_same_build_passes() {
    for (scheme, model) in
        [("classic", "full"), ("nopreempt", "full"), ("depth", "full"), ("scan", "lazy"), ("flag", "voluntary")]
    {
        let ended = run(scheme, model, SEEDS[0], None).expect_status(0);
        assert!(Verdict::of("stress", &ended).passed, "{}", ended.story());
    }
}

#[test]
fn other_builds_refuse_to_be_wrong() {
    let refusal = |guest: &Guest, word: &str| guest.boot(&["stress", word]).expect_status(2).refusal().to_owned();
    let said =
        "`fault=literal-stale`: this build has no deliberate faults; allowed: in one of scripts/build --profile faults";
    assert_eq!(refusal(&Guest::with_cpus(1), "fault=literal-stale"), said);
    let said = "`fault=soft` is not a value of fault; allowed: a name that `help boot` shows";
    assert_eq!(refusal(&Guest::with_cpus(1).with_faults(), "fault=soft"), said);
    let help = Guest::with_cpus(1).with_faults().boot(&["shell", "cmds=help boot"]).expect_status(0);
    Fault::ALL.iter().for_each(|fault| drop(help.line_with(&[fault.as_str(), fault.what()]).to_owned()));
}

/// What no run here can show, and who does: a file, and the words in it that name the model or test.
const BEYOND: &[(&str, &str, &str)] = &[
    ("the first bracket alone is missing", "tests/models/classic.rs", "\"fault_no_first_bracket\""),
    ("a report without release", "tests/models/nopreempt.rs", "\"fault_nopreempt_reports_without_release\""),
    ("a cookie without its fence", "tests/models/batching.rs", "\"fault_no_fence_between_unlinking_and_cookie\""),
    ("no fence between mark and look", "tests/models/classic.rs", "\"fault_no_fence_between_mark_and_look\""),
    ("depth stored without a barrier before the load", "tests/litmus/INDEX.md", "| O4-sb-nobarrier | O4 | Sometimes"),
    ("depth left without release", "tests/litmus/INDEX.md", "| O5-dmbst | O5 | Sometimes"),
    ("branch before literal on Arm's own terms", "tests/litmus/INDEX.md", "| O3-enable-reversed | O3 | Sometimes"),
    ("an ops published without release", "tests/litmus/INDEX.md", "| O1-publish-plain | O1 | Sometimes"),
];

#[test]
fn what_no_run_can_show_is_shown_elsewhere() {
    let by_model = BY_MODEL.iter().chain([&BY_WINDOWS]).map(|(fault, file, name)| (fault.what(), *file, *name));
    for (what, file, name) in BEYOND.iter().copied().chain(by_model) {
        let text = std::fs::read_to_string(root().join(file)).expect("the file");
        assert!(text.contains(name), "{what}: {file} does not hold {name}");
    }
}
