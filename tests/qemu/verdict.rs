//! What a guest says in lines made for programs: the first line, and verdicts of `key=value`.

use crate::guest::Ended;

/// `key=value …`, in its order.
#[derive(Debug)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads words with a `=` each.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split_whitespace().map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or_else(|| panic!("`{pair}` is no key=value in: {text}"));
            (key.to_owned(), value.to_owned())
        });
        Self(pairs.collect())
    }

    /// Names of all keys, in order.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).collect()
    }

    /// The value of a key that may be missing.
    pub(crate) fn find(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The value of a key.
    #[track_caller]
    pub(crate) fn text(&self, key: &str) -> &str {
        self.find(key).unwrap_or_else(|| panic!("no key {key} in: {self:?}"))
    }

    /// The value of a key that is a whole number.
    #[track_caller]
    pub(crate) fn number(&self, key: &str) -> u64 {
        number(self.text(key)).unwrap_or_else(|| panic!("{key} is no whole number in: {self:?}"))
    }

    /// Asserts on the number of a key, and shows all pairs if it does not hold.
    #[track_caller]
    pub(crate) fn expect(&self, key: &str, holds: impl Fn(u64) -> bool, what: &str) {
        assert!(holds(self.number(key)), "{key} should be {what}: {self:?}");
    }
}

/// `<mode>: PASS|FAIL key=value …`.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) passed: bool,
    pub(crate) pairs: Pairs,
}

impl Verdict {
    /// The only verdict that `mode` gave in this console.
    #[track_caller]
    pub(crate) fn of(mode: &str, ended: &Ended) -> Self {
        let starts = ["PASS", "FAIL"].map(|word| format!("{mode}: {word} "));
        let split = |line: &str| {
            starts.iter().find_map(|start| Some((start == &starts[0], line.strip_prefix(start)?.to_owned())))
        };
        let verdicts: Vec<(bool, String)> = ended.lines().filter_map(split).collect();
        let [(passed, pairs)] = &verdicts[..] else {
            panic!("{} verdicts of {mode} in {}", verdicts.len(), ended.story())
        };
        Self { passed: *passed, pairs: Pairs::parse(pairs) }
    }
}

/// A u64, decimal or with `0x`, as the boot contract writes seeds.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| u64::from_str_radix(digits, 16).ok())
}

/// The first line of a boot: who speaks, on what machine, with which choices.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FirstLine {
    pub(crate) version: String,
    pub(crate) commit: String,
    pub(crate) cpus: u64,
    pub(crate) gic: u64,
    pub(crate) el: u64,
    pub(crate) tasks_rcu: String,
    pub(crate) preempt: String,
    pub(crate) seed: u64,
    pub(crate) callsites: u64,
}

impl FirstLine {
    /// Reads the whole line, word by word; anything that is not as the boot contract says is `None`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("holdout ")?;
        let (version, rest) = rest.split_once(" (")?;
        let (commit, rest) = rest.split_once(") aarch64, ")?;
        let parts: Vec<&str> = rest.split(", ").collect();
        let [cpus, gic, el, tasks_rcu, preempt, seed, callsites] = parts[..] else { return None };
        Some(Self {
            version: version.to_owned(),
            commit: commit.to_owned(),
            cpus: cpus.strip_suffix(" CPUs")?.parse().ok()?,
            gic: gic.strip_prefix("GICv")?.parse().ok()?,
            el: el.strip_prefix("EL")?.parse().ok()?,
            tasks_rcu: tasks_rcu.strip_prefix("tasks_rcu=")?.to_owned(),
            preempt: preempt.strip_prefix("preempt=")?.to_owned(),
            seed: number(seed.strip_prefix("seed=")?)?,
            callsites: callsites.strip_suffix(" callsites")?.parse().ok()?,
        })
    }

    /// The first line of this console.
    #[track_caller]
    pub(crate) fn of(ended: &Ended) -> Self {
        let line = ended.console.lines().next().unwrap_or_default();
        Self::parse(line).unwrap_or_else(|| panic!("the first line is not as the contract says: {}", ended.story()))
    }
}
