//! Figures: numbers in tables and sentences of README.md that `scripts/bench` measures, or that the sources hold.
//!
//! [`all`] says where each stands and what it is. The other numbers are cited, or contracts that have their tests.
//! One run of `scripts/bench` serves all figures. It counts instructions, so it comes out the same on each host.

use std::sync::LazyLock;

use holdout::fault::Fault;
use regex::{Captures, Regex};

use crate::run::{console, root};

/// How far a figure may be from what is measured: more than its rounding, which keeps three digits, and less than a
/// change that somebody would want to know of.
const NEAR: f64 = 0.02;

/// One or several numbers of a row or a sentence.
pub(crate) struct Figure {
    /// The words around: `{}` for a number with its unit, `...` for any words of the same line.
    says: String,
    of: Vec<Of>,
}

/// What a number is.
enum Of {
    /// Instructions that a traced call costs above an untraced one, by scheme and ops on the callsite; func is one `ret`.
    Call(&'static str, u32),
    /// The line of `bench` that holds all these words, and the key.
    Line(&'static str, &'static str),
    /// What the sources hold so many of.
    Count(fn() -> usize),
}

/// All of them.
pub(crate) fn all() -> Vec<Figure> {
    use Of::{Call, Count, Line};
    let figure = |says: &str, of| Figure { says: says.to_owned(), of };
    let schemes = ["none", "sched", "rude", "ip", "flag", "classic", "linux", "nopreempt", "depth", "scan"];
    let costs = schemes.map(|scheme| figure(&format!("\n| `{scheme}` | ... | {{}} |\n"), vec![Call(scheme, 1)]));
    let rest = [
        figure("above an untraced one | {} |", vec![Call("scan", 1)]),
        figure("the same with `depth` or `nopreempt` | {} |", vec![Call("depth", 1)]),
        figure("with two ops on the callsite | {} |", vec![Call("scan", 2)]),
        figure("with ten | {} |", vec![Call("scan", 10)]),
        figure("| enabling every callsite, each | {} |", vec![Line("enable_all", "insns")]),
        figure("| disabling every callsite, each | {} |", vec![Line("disable_all", "insns")]),
        figure(
            "beside 10,000 sleeping tasks, `depth` | {} ({}) |",
            ["insns", "ns"].map(|key| Line("gp scheme=depth tasks=10000 busy=0", key)).into(),
        ),
        figure(
            "| the same, `scan` | {} ({}) |",
            ["insns", "ns"].map(|key| Line("gp scheme=scan tasks=10000 busy=0", key)).into(),
        ),
        figure(
            "| the same, `classic` | {} ({}) |",
            ["insns", "ns"].map(|key| Line("gp scheme=classic tasks=10000 busy=0", key)).into(),
        ),
        figure(
            "beside a task that never sleeps, `depth`, `scan` | {}, {} |",
            ["gp scheme=depth tasks=0 busy=1", "gp scheme=scan tasks=0 busy=1"].map(|line| Line(line, "insns")).into(),
        ),
        figure(
            "beside 1,000 tasks that sleep in funcs of other retired ops, `scan` | {} ({}) |",
            ["insns", "ns"].map(|key| Line("overlap scheme=scan holders=1000", key)).into(),
        ),
        figure(
            "at any depth of the stack, `classic`, `depth`, `scan` | {}, {}, {} |",
            [
                Line("switch scheme=classic frames=200 traced=0", "insns"),
                Line("switch scheme=depth frames=200 traced=0", "insns"),
                Line("switch scheme=scan frames=200 traced=0", "insns"),
            ]
            .into(),
        ),
        figure(
            "freeing an ops on one callsite, `depth`, `scan` | {}, {} |",
            ["swap scheme=depth", "swap scheme=scan"].map(|line| Line(line, "insns")).into(),
        ),
        figure("| reset to the start of the mode | {} |", vec![Line("boot", "insns")]),
        figure("In a build of its own, {} rules of the kernel", vec![Count(|| Fault::ALL.len())]),
        figure("{} are caught by `stress`", vec![Count(|| in_mutations(r#"(?m)^    \w+: \w+ under ""#))]),
        figure("{} by a model,", vec![Count(|| in_mutations(r#"\(Fault::\w+, "tests/models/"#))]),
        figure("{} by `windows`", vec![Count(|| in_mutations("(?m)^const BY_WINDOWS"))]),
    ];
    costs.into_iter().chain(rest).collect()
}

/// How often the table of planted faults and of who catches each holds `pattern`.
fn in_mutations(pattern: &str) -> usize {
    let source = std::fs::read_to_string(root().join("tests/qemu/mutations.rs")).expect("the source");
    Regex::new(pattern).expect("a pattern").find_iter(&source).count()
}

impl Figure {
    /// The words around.
    pub(crate) fn name(&self) -> String {
        self.says.trim().to_owned()
    }

    /// What `readme` says, and the same with the numbers that are measured.
    pub(crate) fn anew(&self, readme: &str) -> Result<(String, String), String> {
        let pattern = regex::escape(&self.says).replace(' ', r"\s+").replace(r"\.\.\.", ".*");
        let pattern = pattern.replace(r"\{\}", r"([0-9][0-9.,]*(?: million| µs| ms)?)");
        let found: Vec<Captures<'_>> = Regex::new(&pattern).expect("a pattern").captures_iter(readme).collect();
        let [found] = &found[..] else {
            return Err(format!(
                "  README.md says that {} times, not once: tests/readme/figures.rs lists it",
                found.len()
            ));
        };
        let (mut anew, mut end) = (String::new(), found.get(0).expect("the whole").start());
        for (of, number) in self.of.iter().zip(found.iter().skip(1).flatten()) {
            anew += &readme[end..number.start()];
            anew += &like(number.as_str(), of.value()?);
            end = number.end();
        }
        anew += &readme[end..found.get(0).expect("the whole").end()];
        Ok((found[0].to_owned(), anew))
    }
}

impl Of {
    fn value(&self) -> Result<f64, String> {
        match self {
            Self::Call(scheme, ops) => {
                let scheme = format!("percall scheme={scheme} other_ops=0");
                Ok(measured(&format!("{scheme} ops={ops} func=ret"), "insns")?
                    - measured(&format!("{scheme} ops=0"), "insns")?)
            }
            Self::Line(line, key) => measured(line, key),
            Self::Count(count) => Ok(count() as f64),
        }
    }
}

/// The number of that key in the line of `bench` that holds all of `words`, and has the fewest keys beside.
fn measured(words: &str, key: &str) -> Result<f64, String> {
    static BENCH: LazyLock<Result<String, String>> = LazyLock::new(|| console("scripts/bench --raw"));
    let bench = BENCH.as_ref().map_err(Clone::clone)?;
    let lines = bench.lines().filter_map(|line| line.strip_prefix("bench: ")).map(|line| line.split(' ').collect());
    let mut lines: Vec<Vec<&str>> =
        lines.filter(|line: &Vec<&str>| words.split(' ').all(|word| line.contains(&word))).collect();
    lines.sort_by_key(Vec::len);
    let value = lines.first().and_then(|line| line.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('=')));
    value.and_then(|value| value.parse().ok()).ok_or_else(|| format!("  `bench` has no {key}= in a line with {words}"))
}

/// What a number with its unit counts, and the unit.
fn read(number: &str) -> (f64, f64, &str) {
    let (digits, unit) = number.split_at(number.find(' ').unwrap_or(number.len()));
    let scale = match unit {
        " million" | " ms" => 1e6,
        " µs" => 1e3,
        _ => 1.0,
    };
    (digits.replace(',', "").parse::<f64>().unwrap_or(f64::NAN) * scale, scale, unit)
}

/// `value` in the unit of `number`, with three digits that count.
pub(crate) fn like(number: &str, value: f64) -> String {
    let (_, scale, unit) = read(number);
    let scaled = value / scale;
    let digits = 2 - scaled.max(1e-9).log10().floor() as i32;
    let rounded = (scaled * 10f64.powi(digits)).round() / 10f64.powi(digits);
    let text = format!("{rounded:.*}", if scale == 1.0 { 0 } else { digits.max(0) as usize });
    let nr_whole = text.find('.').unwrap_or(text.len());
    let comma = |(at, digit): (usize, char)| {
        let is_due = at > 0 && at < nr_whole && (nr_whole - at).is_multiple_of(3);
        is_due.then_some(',').into_iter().chain([digit])
    };
    text.chars().enumerate().flat_map(comma).chain(unit.chars()).collect()
}

/// Whether two texts that differ in figures alone say nearly the same.
pub(crate) fn is_near(said: &str, anew: &str) -> bool {
    let numbers = |text: &str| -> Vec<f64> {
        let number = Regex::new("[0-9][0-9.,]*(?: million| µs| ms)?").expect("a pattern");
        number.find_iter(text).map(|found| read(found.as_str()).0).collect()
    };
    let (said, anew) = (numbers(said), numbers(anew));
    said.len() == anew.len() && said.iter().zip(&anew).all(|(said, anew)| (said - anew).abs() <= anew * NEAR)
}
