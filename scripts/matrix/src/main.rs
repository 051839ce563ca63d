//! Tables, JSON, a page and a picture of what the guests of `scripts/windows` found. It boots nothing and draws on no network.

mod asked;
mod json;
mod judge;
mod matrix;
mod page;
mod pairs;
mod picture;
mod place;
mod record;
mod rows;
mod text;
mod theory;
mod words;

use judge::{MODELS, SCHEMES};
use record::Run;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is asked for.
#[derive(Default)]
struct Options {
    logs: PathBuf,
    func: Option<String>,
    scenario: Option<String>,
    json: Option<PathBuf>,
    html: Option<PathBuf>,
    svg: Option<PathBuf>,
    is_whole: bool,
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    for argument in arguments {
        match argument.split_once('=') {
            Some(("--logs", value)) => options.logs = value.into(),
            Some(("--func", value)) => options.func = Some(value.into()),
            Some(("--scenario", value)) => options.scenario = Some(value.into()),
            Some(("--json", value)) => options.json = Some(value.into()),
            Some(("--html", value)) => options.html = Some(value.into()),
            Some(("--svg", value)) => options.svg = Some(value.into()),
            None if argument == "--whole" => options.is_whole = true,
            _ => return Err(format!("unknown argument '{argument}'")),
        }
    }
    Ok(options)
}

/// By the order of the theory's table, then of the boot argument; what neither knows comes last, by name.
fn sort(runs: &mut [Run]) {
    let rank = |names: &[&str], name: &str| names.iter().position(|known| *known == name).unwrap_or(names.len());
    runs.sort_by_key(|run| {
        (rank(&SCHEMES, &run.scheme), run.scheme.clone(), rank(&MODELS, &run.preempt), run.preempt.clone())
    });
}

fn write(path: Option<&Path>, text: &str) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Says whether all is as it has to be.
fn run(options: &Options) -> Result<bool, String> {
    let mut runs = record::read_folder(&options.logs)?;
    sort(&mut runs);
    let matrix = matrix::Matrix::new(runs);
    let wanted = options.func.as_deref();
    let shown = |func: &str| wanted.map_or(func == matrix.tables[0].func, |wanted| wanted == "all" || wanted == func);
    let view = text::View { schemes: &matrix.schemes, models: &matrix.models, scenario: options.scenario.as_deref() };
    for (known, asked) in
        [(matrix.funcs(), wanted.filter(|func| *func != "all")), (matrix.scenarios.clone(), view.scenario)]
    {
        if let Some(asked) = asked.filter(|asked| !known.iter().any(|name| name == asked)) {
            return Err(format!("there is no '{asked}' among {}", known.join(", ")));
        }
    }
    let json = matrix.json().to_string();
    write(options.json.as_deref(), &format!("{json}\n"))?;
    write(options.html.as_deref(), &page::page(&json))?;
    write(options.svg.as_deref(), &picture::picture(&matrix))?;
    let complaints = judge::complaints(&matrix.runs, options.is_whole);
    let tables = matrix.tables.iter().filter(|table| shown(&table.func)).map(|table| text::table(table, &view));
    let mut out: String = [text::QUESTION.to_owned()].into_iter().chain(tables).collect();
    out += &text::situations(&matrix);
    out += &pairs::text(&matrix);
    let (legend, counts) = (text::legend(), text::summary(&matrix.runs, &matrix.schemes));
    out += &format!("\n{legend}{counts}\n{}", text::conclusion(&matrix.runs, &matrix.schemes));
    out += &text::unchecked(&matrix.schemes);
    complaints.iter().for_each(|line| out += &format!("{line}\n"));
    // Whoever reads it may stop before its end; the files are written by now.
    let _ = std::io::stdout().write_all(out.as_bytes());
    Ok(complaints.is_empty())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(answer) = asked::answer(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        let (Ok(said) | Err(said)) = &answer;
        println!("{said}");
        return ExitCode::from(if answer.is_ok() { 0 } else { 2 });
    }
    match options(arguments.into_iter()).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("matrix: {error}");
            ExitCode::from(2)
        }
    }
}
