//! Two stops at once: `pairs:` lines, one for each boundary of the first party, with a letter for each of the second's.

use crate::json::Json;
use crate::matrix::{Matrix, each_once};
use crate::record::{Verdict, hex, values};
use crate::rows::Table;
use crate::text::{agreeing, list};
use crate::words;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One `pairs:` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    pub func: String,
    pub scenario: String,
    /// The first party's boundary, numbered as in the `window:` lines of `func`, and what it is.
    pub n: usize,
    pub step: String,
    pub place: String,
    pub phase: String,
    /// The second party's boundaries.
    pub with: Vec<usize>,
    /// One for each of `with`, where the first goes on first; none where it cannot stand there.
    pub cells: Vec<Option<Verdict>>,
    /// The same, where the second goes on first. A softirq on top does in any case, and has one order.
    pub reversed: Vec<Option<Verdict>>,
}

impl Pairs {
    /// What was seen, in either order.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.cells.iter().chain(&self.reversed).flatten().copied()
    }
}

const KEYS: [&str; 12] =
    ["scheme", "preempt", "func", "scenario", "n", "pc", "step", "place", "phase", "with", "cells", "reversed"];

/// The letters of `cells=`.
const LETTERS: [(char, Option<Verdict>); 8] = [
    ('r', Some(Verdict::Right)),
    ('w', Some(Verdict::Waits)),
    ('l', Some(Verdict::Late)),
    ('u', Some(Verdict::Unsafe)),
    ('f', Some(Verdict::Forbidden)),
    ('?', Some(Verdict::Undecided)),
    ('!', Some(Verdict::Disputed)),
    ('-', None),
];

/// Reads a `pairs:` line.
pub fn line(text: &str) -> Option<Pairs> {
    let [_, _, func, scenario, n, pc, step, place, phase, with, cells_of, reversed] = values(text, "pairs:", &KEYS)?;
    hex(pc)?;
    let with = with.split(',').map(|number| number.parse().ok()).collect::<Option<Vec<usize>>>()?;
    let cell = |letter| LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, cell)| *cell);
    let cells = |letters: &str| letters.chars().map(cell).collect::<Option<Vec<_>>>();
    let (cells, reversed) = (cells(cells_of)?, cells(reversed)?);
    let [func, scenario, step, place, phase] = [func, scenario, step, place, phase].map(str::to_owned);
    let n = n.parse().ok()?;
    let has_all = with.len() == cells.len() && with.len() == reversed.len();
    has_all.then_some(Pairs { func, scenario, n, step, place, phase, with, cells, reversed })
}

/// What can be asked about: a func under a scenario.
fn kinds(matrix: &Matrix) -> Vec<(String, String)> {
    let mut kinds: Vec<(String, String)> = Vec::new();
    for line in matrix.runs.iter().flat_map(|run| &run.pairs) {
        let kind = (line.func.clone(), line.scenario.clone());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.sort();
    kinds
}

/// How often each verdict, for each scenario and scheme: a line each.
pub fn text(matrix: &Matrix) -> String {
    let mut out = String::new();
    let scenarios = each_once(matrix.runs.iter().flat_map(|run| &run.pairs).map(|line| &line.scenario));
    for scenario in &scenarios {
        let count = |model: &str, scheme: &String, verdict| {
            let runs = matrix.runs.iter().filter(|run| run.preempt == model && run.scheme == *scheme);
            let lines = runs.flat_map(|run| &run.pairs).filter(|line| line.scenario == *scenario);
            lines.flat_map(Pairs::verdicts).filter(|said| *said == verdict).count()
        };
        let counts = |model: &str| -> Vec<Vec<usize>> {
            let of_scheme = |scheme| Verdict::ALL.map(|verdict| count(model, scheme, verdict)).to_vec();
            matrix.schemes.iter().map(of_scheme).collect()
        };
        for (models, counts) in agreeing(&matrix.models, counts) {
            if counts.iter().flatten().all(|count| *count == 0) {
                continue;
            }
            let _ = writeln!(out, "\npreempt={}   two at once: {}", list(&models), words::scenario(scenario).0);
            let _ = write!(out, "  {:<12} {:<10}", "scenario", "scheme");
            let is_met = |index: usize| index < 4 || counts.iter().any(|counts| counts[index] > 0);
            let columns: Vec<usize> = (0..Verdict::ALL.len()).filter(|index| is_met(*index)).collect();
            columns.iter().for_each(|index| out += &format!(" {:>9}", Verdict::ALL[*index].word()));
            for (scheme, counts) in matrix.schemes.iter().zip(&counts) {
                let _ = write!(out, "\n  {scenario:<12} {scheme:<10}");
                columns.iter().for_each(|index| out += &format!(" {:>9}", counts[*index]));
            }
            out.push('\n');
        }
    }
    out
}

/// A boundary on a side of a grid: its number, its row in the func's table if it is known, and what its line says of it.
fn boundary(table: Option<&Table>, model: &str, scheme: &str, n: usize, lines: &[&Pairs]) -> Json {
    let row = table.and_then(|table| table.row_of(model, scheme, n));
    let line = lines.iter().find(|line| line.n == n);
    let said = |what: fn(&Pairs) -> &String| line.map(|line| what(line).as_str());
    Json::map([
        ("n", n.into()),
        ("at", row.into()),
        ("step", said(|line| &line.step).filter(|step| *step != "-").into()),
        ("place", said(|line| &line.place).into()),
        ("row", said(|line| &line.phase).into()),
    ])
}

/// All grids: by func and scenario, then by model and scheme. `axes` are the sides of them, each once.
pub fn json(matrix: &Matrix) -> Json {
    let grids = |(func, scenario): (String, String)| {
        let table = matrix.tables.iter().find(|table| table.func == func);
        let (mut axes, mut known): (Vec<Json>, Vec<String>) = (Vec::new(), Vec::new());
        let mut axis = |axis: Json| {
            let text = axis.to_string();
            known.iter().position(|known| *known == text).unwrap_or_else(|| {
                known.push(text);
                axes.push(axis);
                axes.len() - 1
            })
        };
        let mut models: BTreeMap<&str, Vec<(&str, Json)>> = BTreeMap::new();
        for run in &matrix.runs {
            let is_it = |line: &&Pairs| line.func == func && line.scenario == scenario;
            let mut lines: Vec<&Pairs> = run.pairs.iter().filter(is_it).collect();
            if lines.is_empty() {
                continue;
            }
            lines.sort_by_key(|line| line.n);
            let mut second: Vec<usize> = lines.iter().flat_map(|line| line.with.iter().copied()).collect();
            second.sort_unstable();
            second.dedup();
            let mut side = |numbers: &[usize]| {
                axis(Json::List(
                    numbers.iter().map(|n| boundary(table, &run.preempt, &run.scheme, *n, &lines)).collect(),
                ))
            };
            let first: Vec<usize> = lines.iter().map(|line| line.n).collect();
            let (down, across) = (side(&first), side(&second));
            let letter = |line: &Pairs, cells: &[Option<Verdict>], n: &usize| {
                let cell = line.with.iter().position(|with| with == n).and_then(|index| cells[index]);
                cell.map_or(' ', Verdict::letter)
            };
            let letters = |of: fn(&Pairs) -> &[Option<Verdict>]| {
                let row = |line: &&Pairs| Json::Text(second.iter().map(|n| letter(line, of(line), n)).collect());
                Json::List(lines.iter().map(row).collect())
            };
            let grid = Json::map([
                ("first", down.into()),
                ("second", across.into()),
                ("cells", letters(|line| &line.cells)),
                ("reversed", letters(|line| &line.reversed)),
            ]);
            models.entry(&run.preempt).or_default().push((&run.scheme, grid));
        }
        let models = Json::collect(models.into_iter().map(|(model, schemes)| (model, Json::collect(schemes))));
        let (title, said) = words::scenario(&scenario);
        Json::map([
            ("func", (&func).into()),
            ("scenario", (&scenario).into()),
            ("title", title.into()),
            ("words", said.into()),
            ("axes", Json::List(axes)),
            ("grids", models),
        ])
    };
    Json::List(kinds(matrix).into_iter().map(grids).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge;
    use crate::record::{Run, run};

    const LINE: &str = "pairs: scheme=ip preempt=full func=callee scenario=pair n=12 pc=0x40205120 step=T3 \
                        place=trampoline+0x4c phase=2 with=8,9,10,11,12,13,14,15,16 cells=wrlufl-?! reversed=ww-uf--?!";

    fn read(lines: &str) -> Run {
        run("ip", "full", 1, lines).expect("it is of the format")
    }

    #[test]
    fn a_line_is_read_back_key_by_key() {
        let read = line(LINE).expect("a line of the format");
        assert_eq!((read.func.as_str(), read.scenario.as_str(), read.n), ("callee", "pair", 12));
        assert_eq!((read.step.as_str(), read.place.as_str(), read.phase.as_str()), ("T3", "trampoline+0x4c", "2"));
        assert_eq!(read.with, [8, 9, 10, 11, 12, 13, 14, 15, 16]);
        let letters = |cells: &[Option<Verdict>]| -> String {
            cells.iter().map(|cell| cell.map_or(' ', Verdict::letter)).collect()
        };
        assert_eq!((letters(&read.cells), letters(&read.reversed)), ("W.LUFL ?!".into(), "WW UF  ?!".into()));
    }

    #[test]
    fn a_line_that_has_not_one_known_letter_for_each_boundary_is_refused() {
        for broken in [
            LINE.replace("=wrlufl-", "=wrluf-"),
            LINE.replace("=ww-uf", "=ww-u"),
            LINE.replace("wrl", "wxl"),
            LINE.replace("8,9", "8,x"),
            LINE.replace(" reversed=ww-uf--?!", ""),
        ] {
            assert_eq!(line(&broken), None, "{broken}");
            assert!(run("ip", "full", 0, &broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn pairs_count_as_stops_do() {
        let run = read(LINE);
        let counts = Verdict::ALL.map(|verdict| run.count(verdict));
        assert_eq!(counts, [1, 3, 2, 2, 2, 2, 2], "right, waits, late, unsafe, forbidden, undecided, disputed");
        let sound = Run { scheme: "scan".into(), verdict: Some("windows: FAIL".into()), ..run };
        assert_eq!(judge::complaints(&[sound], false)[0], "scan under preempt=full frees early at 2 of 14");
    }

    #[test]
    fn the_text_has_a_line_of_counts_for_each_scenario_and_scheme() {
        let on_top = LINE
            .replace("scenario=pair ", "scenario=pair-on-top ")
            .replace("cells=wrlufl-?! reversed=ww-uf--?!", "cells=wwwwww--- reversed=---------");
        let matrix = Matrix::new(vec![read(&format!("{LINE}\n{on_top}"))]);
        let text = text(&matrix);
        let squeezed: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(
            squeezed.contains(&"scenario scheme right waits late unsafe forbidden undecided disputed".into()),
            "{text}"
        );
        assert!(squeezed.contains(&"pair ip 1 3 2 2 2 2 2".into()), "{text}");
        assert!(squeezed.contains(&"pair-on-top ip 0 6 0 0".into()), "{text}");
    }

    #[test]
    fn a_grid_has_every_boundary_of_both_parties_and_blanks_where_nobody_can_stand() {
        let other = LINE.replace("n=12", "n=13").replace(
            "with=8,9,10,11,12,13,14,15,16 cells=wrlufl-?! reversed=ww-uf--?!",
            "with=9,17 cells=uw reversed=wr",
        );
        let matrix = Matrix::new(vec![read(&format!("{other}\n{LINE}"))]);
        let json = json(&matrix).to_string();
        assert!(
            json.contains(
                r#"{"first":0,"second":1,"cells":["W.LUFL ?! "," U       W"],"reversed":["WW UF  ?! "," W       ."]}"#
            ),
            "{json}"
        );
        assert!(json.contains(r#"{"n":12,"at":null,"step":"T3","place":"trampoline+0x4c","row":"2"}"#), "{json}");
    }
}
