//! The rows of a func's table: the boundaries of all schemes put side by side.
//!
//! Every scheme steps the same callsite, func and body, but three trampolines differ, and numbers and addresses with them.
//! So the paths are merged as texts are: what they have in common, in order, is one row; what only some have stands between.
//! A scenario may have a path of its own (another callsite, a slower way out), so each is merged by itself.

use crate::place::{function, short};
use crate::record::{Record, Run, Verdict};
use holdout::arch::disassembly::Spelled;
use holdout::arch::insn::Insn;
use std::collections::BTreeMap;

/// One row: an instruction that is about to be executed.
#[derive(Clone, Debug)]
pub struct Row {
    pub insn: String,
    pub place: String,
    pub step: String,
    /// The row of the theory's table that it is in, when it is merely stopped there.
    pub phase: String,
    /// In which part of the path it stands, as a table and a page head it.
    pub section: String,
    key: Key,
}

/// What makes rows of different paths the same: the instruction, and the function. Of a branch only that it is one.
type Key = (u32, String);

/// What a scheme made of a row, and how one asks for it again.
#[derive(Clone, Debug)]
pub struct Cell {
    pub n: usize,
    pub phase: String,
    pub held: String,
    pub verdict: Verdict,
}

/// A func under all schemes: `cells` by preemption model, scenario and scheme, each as long as `rows`.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub func: String,
    pub rows: Vec<Row>,
    pub cells: BTreeMap<(String, String, String), Vec<Option<Cell>>>,
}

impl Table {
    /// The worst that `scheme` makes of a row, over the scenarios that `wanted` names, or all.
    pub fn worst(&self, model: &str, scheme: &str, wanted: Option<&str>, row: usize) -> Option<Verdict> {
        let cells = self.cells.iter().filter(|((of_model, scenario, of_scheme), _)| {
            of_model == model && of_scheme == scheme && wanted.is_none_or(|wanted| wanted == scenario)
        });
        cells.filter_map(|(_, column)| Some(column.get(row)?.as_ref()?.verdict)).max()
    }

    /// The row of a scheme's boundary `n`, whatever happens there.
    pub fn row_of(&self, model: &str, scheme: &str, n: usize) -> Option<usize> {
        let columns =
            self.cells.iter().filter(|((of_model, _, of_scheme), _)| of_model == model && of_scheme == scheme);
        let mut rows = columns
            .filter_map(|(_, column)| column.iter().position(|cell| cell.as_ref().is_some_and(|cell| cell.n == n)));
        rows.next()
    }

    /// What is held at a row, by anybody's record of it: more where they differ.
    pub fn held(&self, row: usize) -> &str {
        let cells = self.cells.values().filter_map(|column| column.get(row)?.as_ref());
        let rank = |held: &str| ["none", "text", "ops"].iter().position(|known| *known == held);
        cells.map(|cell| cell.held.as_str()).max_by_key(|held| rank(held)).unwrap_or("none")
    }
}

/// The callsite and the body of the function that is traced have these names, whichever function that is.
const CALLSITE: &str = "callsite";
const BODY: &str = "body";

/// The boundaries of one scenario in one run, in order, each once.
struct Path<'a> {
    records: Vec<&'a Record>,
    keys: Vec<Key>,
}

impl<'a> Path<'a> {
    /// Of `records`, which are those of one func in one run under one scenario.
    fn new(mut records: Vec<&'a Record>) -> Self {
        records.sort_by_key(|record| record.n);
        records.dedup_by_key(|record| record.n);
        let traced = records.iter().find(|record| record.phase == "1a").map(|record| function(&record.place));
        let key = |record: &&Record| {
            let is_branch = record.insn & 0x7c00_0000 == 0x1400_0000 || record.insn & 0x7e00_0000 == 0x3400_0000;
            let word = if is_branch { record.insn & 0xfc00_0000 } else { record.insn };
            let name = match function(&record.place) {
                _ if record.phase == "1a" => CALLSITE,
                name if record.phase == "-" && Some(name) == traced => BODY,
                name => name,
            };
            (word, name.to_owned())
        };
        let keys = records.iter().map(key).collect();
        Self { records, keys }
    }

    /// The paths of `func` in a run, a scenario each.
    fn all(run: &'a Run, func: &str) -> Vec<Self> {
        let mut by_scenario: Vec<(&str, Vec<&Record>)> = Vec::new();
        for record in run.records.iter().filter(|record| record.func == func) {
            match by_scenario.iter_mut().find(|(scenario, _)| *scenario == record.scenario) {
                Some((_, records)) => records.push(record),
                None => by_scenario.push((&record.scenario, vec![record])),
            }
        }
        by_scenario.into_iter().map(|(_, records)| Self::new(records)).collect()
    }
}

/// The longest sequence that two paths have in common, as pairs of indices.
fn common(a: &[Key], b: &[Key]) -> Vec<(usize, usize)> {
    let mut lengths = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i][j] =
                if a[i] == b[j] { lengths[i + 1][j + 1] + 1 } else { lengths[i + 1][j].max(lengths[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Puts the rows that only `path` has between those that are there.
fn merge(rows: &mut Vec<Row>, path: &Path<'_>, names: &BTreeMap<u64, String>) {
    let old: Vec<Key> = rows.iter().map(|row| row.key.clone()).collect();
    let pairs = common(&old, &path.keys);
    if pairs.len() == path.keys.len() {
        return;
    }
    let mut merged = Vec::new();
    let mut kept = std::mem::take(rows).into_iter().enumerate().peekable();
    let mut wanted = pairs.iter().peekable();
    for (index, (record, key)) in path.records.iter().zip(&path.keys).enumerate() {
        if let Some((at, _)) = wanted.next_if(|(_, of)| *of == index) {
            while let Some((_, row)) = kept.next_if(|(number, _)| number <= at) {
                merged.push(row);
            }
        } else {
            merged.push(row(record, key.clone(), names));
        }
    }
    merged.extend(kept.map(|(_, row)| row));
    *rows = merged;
}

fn row(record: &Record, key: Key, names: &BTreeMap<u64, String>) -> Row {
    // Guests say instructions as they were executed: callsites are patched and funcs are copied at run time.
    let (spelled, pc) = (Spelled::new(Insn(record.insn)), record.pc as usize);
    let target = spelled.target(pc).and_then(|target| names.get(&(target as u64)));
    let mut insn = String::new();
    spelled.write(&mut insn, pc, target).expect("a string takes all that is written");
    let step = if record.step == "-" { String::new() } else { record.step.clone() };
    Row { insn, place: record.place.clone(), step, phase: record.phase.clone(), section: String::new(), key }
}

/// Tells each row its section, by the functions that the path goes through.
fn divide(rows: &mut [Row]) {
    let is_trampoline = |row: &Row| row.key.1 == "trampoline";
    let out = rows.iter().position(|row| row.step == "T7").unwrap_or(rows.len());
    let last = rows.iter().rposition(is_trampoline).unwrap_or(rows.len());
    for (index, row) in rows.iter_mut().enumerate() {
        row.section = match row.key.1.as_str() {
            CALLSITE => "callsite".into(),
            BODY => "body of the traced function".into(),
            "trampoline" if index < out => "trampoline, on the way in".into(),
            "trampoline" => "trampoline, on the way out".into(),
            "func" if index > last => "where func sent it to".into(),
            "func" => "func".into(),
            _ if index > last => "its caller".into(),
            called => format!("in {}", short(called)),
        };
    }
}

/// The tables of all funcs, in the order in which the guests explored them.
pub fn tables(runs: &[Run]) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let records = || runs.iter().flat_map(|run| &run.records);
    // Functions by their entries. A func's page is another one in each call.
    let entries = records().filter(|record| function(&record.place) != "func").filter_map(|record| {
        let name = record.place.strip_suffix("+0x0").unwrap_or(&record.place);
        (!name.contains('+')).then(|| (record.pc, short(name)))
    });
    let names: BTreeMap<u64, String> = entries.collect();
    let of_pairs = runs.iter().flat_map(|run| &run.pairs).map(|line| &line.func);
    for func in records().map(|record| &record.func).chain(of_pairs) {
        if !tables.iter().any(|table| table.func == *func) {
            tables.push(Table { func: func.clone(), ..Table::default() });
        }
    }
    for table in &mut tables {
        for run in runs {
            for path in Path::all(run, &table.func) {
                merge(&mut table.rows, &path, &names);
            }
        }
        divide(&mut table.rows);
        let keys: Vec<Key> = table.rows.iter().map(|row| row.key.clone()).collect();
        for run in runs {
            for path in Path::all(run, &table.func) {
                let scenario = path.records[0].scenario.clone();
                let name = (run.preempt.clone(), scenario, run.scheme.clone());
                let mut column = vec![None; keys.len()];
                for (row, index) in common(&keys, &path.keys) {
                    let Record { n, ref phase, ref held, verdict, .. } = *path.records[index];
                    column[row] = Some(Cell { n, phase: phase.clone(), held: held.clone(), verdict });
                }
                table.cells.insert(name, column);
            }
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::record;

    /// A path: `place insn step held` of each boundary.
    fn run(scheme: &str, boundaries: &[(&str, u32, &str, &str, &str)]) -> Run {
        let line = |(n, (place, insn, step, held, verdict)): (usize, &(&str, u32, &str, &str, &str))| {
            let phase = match *step {
                "F+0" => "1a",
                "F+8" => "-",
                _ => "4",
            };
            let text = format!(
                "window: scheme={scheme} preempt=full func=plain n={n} pc={:#x} insn={insn:#x} step={step} \
                 place={place} phase={phase} scenario=preempted held={held} verdict={verdict}",
                0x1000 + 4 * n
            );
            record(&text).expect("it is of the format")
        };
        let records = boundaries.iter().enumerate().map(line).collect();
        Run { scheme: scheme.into(), preempt: "full".into(), records, ..Run::default() }
    }

    fn two_trampolines() -> Vec<Table> {
        let site = ("a::alpha", 0xaa1e_03e9, "F+0", "none", "right");
        let body = ("a::alpha+0x8", 0xd100_83ff, "F+8", "none", "late");
        let plain = [
            site,
            ("trampoline+0x0", 0xf900_3bfe, "-", "none", "right"),
            ("trampoline+0x4", 0xd63f_0180, "T6", "ops", "unsafe"),
            ("func+0x0", 0xd65f_03c0, "-", "text", "waits"),
            ("trampoline+0x8", 0xf940_3be9, "T7", "none", "late"),
            body,
        ];
        let depth = [
            site,
            ("trampoline+0x0", 0xd538_410a, "-", "none", "right"),
            ("trampoline+0x4", 0xd63f_0180, "T6", "ops", "waits"),
            ("func+0x0", 0xd65f_03c0, "-", "text", "waits"),
            ("trampoline+0x8", 0xd538_410a, "T7", "none", "late"),
            body,
        ];
        tables(&[run("ip", &plain), run("depth", &depth)])
    }

    #[test]
    fn what_two_trampolines_share_is_one_row_and_what_differs_stands_between() {
        let [table] = &two_trampolines()[..] else { panic!("one func, one table") };
        let letters = |scheme| -> String {
            (0..table.rows.len())
                .map(|row| table.worst("full", scheme, None, row).map_or(' ', Verdict::letter))
                .collect()
        };
        assert_eq!([letters("ip"), letters("depth")], [". .UW LL", ".. WWL L"]);
    }

    #[test]
    fn sections_follow_the_path() {
        let tables = two_trampolines();
        let mut sections: Vec<&str> = tables[0].rows.iter().map(|row| row.section.as_str()).collect();
        sections.dedup();
        let path = [
            "callsite",
            "trampoline, on the way in",
            "func",
            "trampoline, on the way out",
            "body of the traced function",
        ];
        assert_eq!(sections, path);
    }

    #[test]
    fn where_two_say_different_things_of_what_is_held_the_row_says_the_more() {
        let runs = [run("ip", &[("a", 1, "-", "text", "waits")]), run("scan", &[("a", 1, "-", "ops", "waits")])];
        assert_eq!(tables(&runs)[0].held(0), "ops");
    }

    #[test]
    fn what_is_held_belongs_to_the_row() {
        let tables = two_trampolines();
        let held: Vec<&str> = (0..tables[0].rows.len()).map(|row| tables[0].held(row)).collect();
        assert_eq!(held, ["none", "none", "none", "ops", "text", "none", "none", "none"]);
    }

    #[test]
    fn the_worst_of_several_scenarios_is_told_and_each_can_be_asked_for() {
        let mut runs = [run("ip", &[("a", 1, "-", "ops", "waits"), ("a", 2, "-", "ops", "waits")])];
        let mut other = runs[0].records[1].clone();
        (other.scenario, other.verdict) = ("running".into(), Verdict::Unsafe);
        runs[0].records.push(other);
        let table = &tables(&runs)[0];
        assert_eq!(table.rows.len(), 2, "a scenario adds no row");
        assert_eq!(table.worst("full", "ip", None, 1), Some(Verdict::Unsafe));
        assert_eq!(table.worst("full", "ip", Some("preempted"), 1), Some(Verdict::Waits));
        assert_eq!(table.worst("full", "ip", Some("running"), 0), None);
    }
    #[test]
    fn another_callsite_is_the_same_row_and_another_way_out_stands_beside_the_first() {
        let site = |place: &'static str| (place, 1, "F+0", "none", "right");
        let step = |insn: u32, verdict: &'static str| ("b", insn, "-", "ops", verdict);
        let mut runs = [run("ip", &[site("a"), step(2, "waits"), step(4, "waits")])];
        let other = run("ip", &[site("x"), step(2, "waits"), step(3, "late"), step(4, "unsafe")]);
        runs[0].records.extend(other.records.into_iter().map(|mut record| {
            record.scenario = "never heard of".into();
            record
        }));
        let table = &tables(&runs)[0];
        let letters = |scenario| -> String {
            let letter = |row| table.worst("full", "ip", Some(scenario), row).map_or(' ', Verdict::letter);
            (0..table.rows.len()).map(letter).collect()
        };
        assert_eq!([letters("preempted"), letters("never heard of")], [".W W", ".WLU"]);
    }
}
