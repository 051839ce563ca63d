//! All that was found, put in order, and its one form for machines: what `--json` writes and the page reads.

use crate::json::Json;
use crate::judge;
use crate::pairs;
use crate::record::{Run, Verdict};
use crate::rows::{self, Cell, Table};
use crate::theory::{self, Reached, SITUATIONS, Situation};
use crate::words;
use std::collections::{BTreeMap, BTreeSet};

/// Runs in order, and the tables made of them.
pub struct Matrix {
    pub runs: Vec<Run>,
    pub tables: Vec<Table>,
    pub schemes: Vec<String>,
    pub models: Vec<String>,
    pub scenarios: Vec<String>,
}

/// Each name once, in the order of its first appearance.
pub fn each_once<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for name in names {
        if !once.contains(name) {
            once.push(name.clone());
        }
    }
    once
}

impl Matrix {
    /// Of `runs`, which are in order.
    pub fn new(runs: Vec<Run>) -> Self {
        let tables = rows::tables(&runs);
        let schemes = each_once(runs.iter().map(|run| &run.scheme));
        let mut models = each_once(runs.iter().map(|run| &run.preempt));
        models.sort_by_key(|model| judge::MODELS.iter().position(|known| known == model));
        let scenarios = each_once(runs.iter().flat_map(|run| &run.records).map(|record| &record.scenario));
        Self { runs, tables, schemes, models, scenarios }
    }

    /// The funcs that were explored.
    pub fn funcs(&self) -> Vec<String> {
        self.tables.iter().map(|table| table.func.clone()).collect()
    }

    /// Everything. Cells are a letter for each row, as `letters` explains; a blank is no cell.
    pub fn json(&self) -> Json {
        let letters = Verdict::ALL.into_iter().map(|verdict| (verdict.letter().to_string(), verdict.meaning().into()));
        let scheme = |name: &String| {
            let sound = self.models.iter().map(|model| (model.clone(), Json::Bool(judge::is_sound(name, model))));
            Json::map([("name", name.into()), ("answer", judge::answer(name).into()), ("sound", Json::collect(sound))])
        };
        let banner = self.runs.iter().map(|run| run.banner.as_str()).find(|banner| !banner.is_empty());
        let kernel = banner.map(|banner| banner.split(", tasks_rcu=").next().unwrap_or(banner));
        Json::map([
            ("kernel", kernel.into()),
            ("letters", Json::collect(letters)),
            ("schemes", Json::List(self.schemes.iter().map(scheme).collect())),
            ("models", Json::list(&self.models)),
            ("scenarios", Json::List(self.scenarios.iter().map(scenario).collect())),
            ("runs", Json::List(self.runs.iter().map(run).collect())),
            ("situations", Json::List(SITUATIONS.iter().map(|it| self.situation(it)).collect())),
            ("funcs", Json::List(self.tables.iter().map(func).collect())),
            ("pairs", pairs::json(self)),
        ])
    }

    /// A row of the theory's table, with a letter for each scheme, by model.
    fn situation(&self, it: &Situation) -> Json {
        let letter = |model: &str, scheme: &String| {
            theory::worst(&self.runs, model, scheme, it.row).map_or(' ', Verdict::letter)
        };
        let letters = |model: &String| Json::Text(self.schemes.iter().map(|scheme| letter(model, scheme)).collect());
        let (reached, by) = match it.reached {
            Reached::Stepping => ("stepping", None),
            Reached::Script => ("hand-over", None),
            Reached::Elsewhere(by) => ("elsewhere", Some(by)),
        };
        Json::map([
            ("row", it.row.into()),
            ("words", it.words.into()),
            ("reached", reached.into()),
            ("by", by.into()),
            ("unchecked", Json::list(theory::unchecked(it, &self.schemes))),
            ("cells", Json::collect(self.models.iter().map(|model| (model, letters(model))))),
        ])
    }
}

fn scenario(name: &String) -> Json {
    let (title, words) = words::scenario(name);
    Json::map([("name", name.into()), ("title", title.into()), ("words", words.into())])
}

fn run(run: &Run) -> Json {
    let counts = Verdict::ALL.into_iter().map(|verdict| (verdict.word(), run.count(verdict).into()));
    Json::map([
        ("scheme", (&run.scheme).into()),
        ("preempt", (&run.preempt).into()),
        ("status", Json::Number(run.status.into())),
        ("verdict", run.verdict.clone().into()),
        ("counts", Json::collect(counts)),
        ("story", Json::list(&run.story)),
        ("replay", run.replay.clone().into()),
    ])
}

fn func(table: &Table) -> Json {
    let row = |(index, row): (usize, &rows::Row)| {
        Json::map([
            ("insn", (&row.insn).into()),
            ("place", (&row.place).into()),
            ("step", (&row.step).into()),
            ("row", (&row.phase).into()),
            ("section", (&row.section).into()),
            ("held", table.held(index).into()),
        ])
    };
    Json::map([
        ("name", (&table.func).into()),
        ("words", words::func(&table.func).into()),
        ("rows", Json::List(table.rows.iter().enumerate().map(row).collect())),
        ("cells", cells(table)),
        ("paths", Json::List(paths(table).into_iter().map(Json::list).collect())),
        ("numbers", numbers(table)),
        ("phases", phases(table)),
    ])
}

/// A value for each column, by model, scenario and scheme.
fn columns(table: &Table, value: impl Fn(&[Option<Cell>]) -> Json) -> Json {
    let mut models: Vec<(String, Vec<(String, Json)>)> = Vec::new();
    for model in each_once(table.cells.keys().map(|(model, _, _)| model)) {
        let of_model = || table.cells.iter().filter(|((of, _, _), _)| *of == model);
        let scenarios = each_once(of_model().map(|((_, scenario, _), _)| scenario)).into_iter().map(|scenario| {
            let of_both = of_model().filter(|((_, of, _), _)| *of == scenario);
            let columns = Json::collect(of_both.map(|((_, _, scheme), column)| (scheme, value(column))));
            (scenario.clone(), columns)
        });
        models.push((model.clone(), scenarios.collect()));
    }
    Json::collect(models.into_iter().map(|(model, scenarios)| (model, Json::Map(scenarios))))
}

/// A letter for each row.
fn cells(table: &Table) -> Json {
    let letter = |cell: &Option<Cell>| cell.as_ref().map_or(' ', |cell| cell.verdict.letter());
    columns(table, |column| Json::Text(column.iter().map(letter).collect()))
}

/// The numbers that a column's boundaries have in `only=`, for each row.
type Numbers = Vec<Option<usize>>;

fn of_column(column: &[Option<Cell>]) -> Numbers {
    column.iter().map(|cell| cell.as_ref().map(|cell| cell.n)).collect()
}

/// All that there are: few, since most columns share theirs.
fn paths(table: &Table) -> Vec<Numbers> {
    let paths: BTreeSet<Numbers> = table.cells.values().map(|column| of_column(column)).collect();
    paths.into_iter().collect()
}

/// Which of `paths` is whose.
fn numbers(table: &Table) -> Json {
    let paths = paths(table);
    columns(table, |column| paths.binary_search(&of_column(column)).ok().into())
}

/// The row of the theory's table, by scenario and row.
fn phases(table: &Table) -> Json {
    let mut of_scenario: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
    for ((_, scenario, _), column) in &table.cells {
        let phases = of_scenario.entry(scenario).or_insert_with(|| vec![None; column.len()]);
        for (phase, cell) in phases.iter_mut().zip(column) {
            *phase = phase.or(cell.as_ref().map(|cell| cell.phase.as_str()));
        }
    }
    Json::collect(of_scenario.into_iter().map(|(scenario, phases)| (scenario, Json::list(phases))))
}
