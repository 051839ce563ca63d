//! The matrix as a picture for a README: one func, the model under which the schemes differ most, a task that is preempted.

use crate::matrix::Matrix;
use crate::record::Verdict;
use std::fmt::Write;

const ROW: usize = 15;
const TOP: usize = 92;
const INSN: usize = 12;
const HELD: usize = 268;
const FIRST: usize = 300;
const COLUMN: usize = 46;
const LEGEND: usize = 62;

const STYLE: &str = "\
text{font:11px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1b1f24}\
.h{font-weight:600}.s{fill:#59636e;font-style:italic}.m{text-anchor:middle}\
.l{fill:#59636e}.g{fill:#c4ccd4}\
.W{fill:#c9dcf2}.L{fill:url(#late)}.U{fill:#a0141c}.F,.q{fill:none;stroke:#8c959f;stroke-dasharray:2 2}\
.tU{fill:#fff;font-weight:700}.ops{fill:#1b1f24}.text{fill:#8c959f}.paper{fill:#fff;stroke:#d1d9e0}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A cell whose left upper corner is at (x, y): told by its letter and its shape, and by its colour as well.
fn cell(out: &mut String, x: usize, y: usize, width: usize, verdict: Verdict) {
    let (letter, class) = match verdict {
        Verdict::Right => ('·', ""),
        Verdict::Undecided => ('?', "q"),
        Verdict::Disputed => ('!', "q"),
        Verdict::Forbidden => ('×', "F"),
        Verdict::Waits => ('W', "W"),
        Verdict::Late => ('L', "L"),
        Verdict::Unsafe => ('U', "U"),
    };
    if !class.is_empty() {
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"13\" rx=\"2\"/>",
            x + 1,
            y + 1,
            width - 2
        );
    }
    let bold = if verdict == Verdict::Unsafe { " tU" } else { "" };
    let _ = writeln!(out, "<text class=\"m{bold}\" x=\"{}\" y=\"{}\">{letter}</text>", x + width / 2, y + 11);
}

/// The mark of a row at which something is held.
fn bar(out: &mut String, y: usize, held: &str) {
    if held != "none" {
        let _ = writeln!(out, "<rect class=\"{held}\" x=\"{HELD}\" y=\"{y}\" width=\"7\" height=\"{ROW}\"/>");
    }
}

/// The way to stand that is shown.
const SCENARIO: &str = "preempted";

/// The picture. Full preemption if that was run, and the first func.
pub fn picture(matrix: &Matrix) -> String {
    let Some(table) = matrix.tables.first() else { return String::new() };
    let model = matrix.models.iter().find(|model| *model == "full").or(matrix.models.first());
    let model = model.map_or("", String::as_str);
    let mut body = String::new();
    let mut y = TOP;
    for (column, scheme) in matrix.schemes.iter().enumerate() {
        let x = FIRST + column * COLUMN + COLUMN / 2;
        let _ = writeln!(
            body,
            "<text class=\"h\" transform=\"translate({},{}) rotate(-40)\">{scheme}</text>",
            x - 4,
            TOP - 8
        );
    }
    let width = FIRST + matrix.schemes.len() * COLUMN + 14;
    let mut section = None;
    let stands =
        |row: usize| matrix.schemes.iter().any(|scheme| table.worst(model, scheme, Some(SCENARIO), row).is_some());
    for (index, row) in table.rows.iter().enumerate().filter(|(index, _)| stands(*index)) {
        if section.replace(&row.section) != Some(&row.section) {
            let _ = writeln!(body, "<text class=\"s\" x=\"{INSN}\" y=\"{}\">{}</text>", y + 11, row.section);
            let _ = writeln!(
                body,
                "<rect class=\"g\" x=\"{INSN}\" y=\"{}\" width=\"{}\" height=\"1\"/>",
                y - 1,
                width - 2 * INSN
            );
            if index > 0 && table.held(index - 1) == table.held(index) {
                bar(&mut body, y, table.held(index));
            }
            y += ROW;
        }
        let _ = writeln!(body, "<text x=\"{INSN}\" y=\"{}\">{}</text>", y + 11, escaped(&row.insn));
        let _ = writeln!(body, "<text class=\"l\" x=\"{}\" y=\"{}\">{}</text>", HELD - 26, y + 11, row.step);
        bar(&mut body, y, table.held(index));
        for (column, scheme) in matrix.schemes.iter().enumerate() {
            if let Some(verdict) = table.worst(model, scheme, Some(SCENARIO), index) {
                cell(&mut body, FIRST + column * COLUMN, y, COLUMN, verdict);
            }
        }
        y += ROW;
    }
    let mut legend = String::new();
    for (at, (verdict, text)) in [
        (Verdict::Right, "frees, rightly"),
        (Verdict::Waits, "waits, rightly"),
        (Verdict::Late, "waits needlessly"),
        (Verdict::Unsafe, "frees early"),
    ]
    .into_iter()
    .enumerate()
    {
        let x = INSN + at * 170;
        cell(&mut legend, x, y + 14, 22, verdict);
        let _ = writeln!(legend, "<text x=\"{}\" y=\"{}\">{text}</text>", x + 28, y + 25);
    }
    let _ = writeln!(
        legend,
        "<rect class=\"ops\" x=\"{INSN}\" y=\"{0}\" width=\"7\" height=\"{ROW}\"/><text x=\"{1}\" y=\"{2}\">holds the ops</text>\
         <rect class=\"text\" x=\"{3}\" y=\"{0}\" width=\"7\" height=\"{ROW}\"/><text x=\"{4}\" y=\"{2}\">holds func's text alone</text>",
        y + 36,
        INSN + 28,
        y + 47,
        INSN + 170,
        INSN + 198
    );
    let height = y + LEGEND;
    let title = format!(
        "A task preempted before each instruction of a traced call, preempt={model}: may the retired ops be freed?"
    );
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n\
         <defs><pattern id=\"late\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <rect width=\"5\" height=\"5\" fill=\"#fbe3a6\"/><rect width=\"2\" height=\"5\" fill=\"#e0a93b\"/></pattern></defs>\n\
         <rect class=\"paper\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
         <text class=\"h\" x=\"{INSN}\" y=\"22\">{}</text>\n{body}{legend}</svg>\n",
        width - 1,
        height - 1,
        escaped(&title)
    )
}
