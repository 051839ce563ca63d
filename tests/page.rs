//! The page of `scripts/windows`, made from guests that really ran, in a browser: clicked, typed at, printed, looked at.
//!
//! What a kernel of another day may print, `page/lines.rs` makes up.
//! Pictures of it are left in `target/tmp/page-*.png`.

#[path = "page/browser.rs"]
mod browser;
#[path = "page/lines.rs"]
mod lines;
#[path = "page/looks.rs"]
mod looks;

use browser::Browser;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const DESK: (u32, u32) = (1440, 1000);
const PHONE: (u32, u32) = (390, 800);
/// What is run for the page: every scheme, where it is preempted and where it is not, one func, a few ways to stand.
const WORDS: [&str; 2] = ["preempt=none,full", "only=plain,preempted,irq,running"];
/// Schemes that free early where tasks are preempted.
const BROKEN: [&str; 5] = ["none", "sched", "rude", "ip", "flag"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn script(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", "300"]).arg(root().join("scripts").join(name)).args(arguments).current_dir(root());
    command.output().expect("timeout of coreutils")
}

/// What `scripts/windows` printed when it made the page: once for all tests, which fail together if it does not.
fn made() -> &'static str {
    static MADE: OnceLock<Result<String, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let outputs =
            ["html", "json", "svg"].map(|kind| format!("--{kind}={}", file("page.").with_extension(kind).display()));
        let arguments: Vec<&str> = outputs.iter().map(String::as_str).chain(WORDS).collect();
        let output = script("windows", &arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(text) } else { Err(format!("{}\n{errors}\n{text}", output.status)) }
    });
    made.as_ref().unwrap_or_else(|why| panic!("scripts/windows: {why}"))
}

fn page(size: (u32, u32)) -> Browser {
    made();
    opened("page.html", size)
}

fn opened(name: &str, size: (u32, u32)) -> Browser {
    let mut browser = Browser::open(&file(name), size);
    assert_eq!(browser.ask("errors.join()"), "", "the script runs through");
    browser.wait_for("document.querySelector('#matrix .cell')");
    browser
}

/// The letters of a scheme's column, as the page shows them.
fn column(browser: &mut Browser, scheme: &str) -> String {
    browser.ask(&format!(
        "[...document.querySelectorAll('td .cell[data-scheme={scheme}]')].map((it) => it.textContent).join('')"
    ))
}

fn model(browser: &mut Browser, name: &str) {
    browser.click(&format!("#models input[value={name}]"));
    browser
        .wait_for(&format!("document.querySelector('#matrix').getAttribute('aria-label').includes('preempt={name},')"));
}

#[test]
fn the_matrix_is_printed_with_what_each_letter_means() {
    let text = made();
    let header = text.lines().find(|line| line.starts_with("  instruction ")).expect("a heading");
    let schemes = "none sched rude ip flag classic linux nopreempt depth scan";
    assert!(header.ends_with(schemes), "{header}");
    let loads = text.lines().filter(|line| line.trim_start().starts_with("ldur x2, [x11, #-0x10]")).count();
    assert_eq!(loads, 2, "the load of the ops, in the table of each model:\n{text}");
    for said in [
        "preempt=none ",
        "preempt=full ",
        "U  frees early",
        "W  waits, as it must",
        "waits needlessly",
        "\nfree early under preempt=full: sched, rude, ip and flag\n",
    ] {
        assert!(text.contains(said), "{said} in:\n{text}");
    }
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let mut browser = page(DESK);
    assert_eq!(browser.ask("performance.getEntriesByType('resource').length"), "0");
    let text = std::fs::read_to_string(file("page.html")).expect("the page");
    for reference in ["http:", "https:", "src=", "href=", "url(", "@import", "fetch("] {
        assert!(!text.contains(reference), "it holds {reference}");
    }
}

#[test]
fn the_data_is_json_and_says_what_the_page_shows() {
    let mut browser = page(DESK);
    let json = std::fs::read_to_string(file("page.json")).expect("the data");
    let shown = std::fs::read_to_string(file("page.html")).expect("the page");
    assert!(shown.contains(&format!(">{}</script>", json.trim_end())), "the page holds the same data");
    assert_eq!(browser.ask("data.schemes.length + ' ' + data.models + ' ' + data.funcs.length"), "10 none,full 1");
    assert_eq!(browser.ask("data.runs.length"), "20");
}

#[test]
fn the_preemption_model_is_a_switch() {
    let mut browser = page(DESK);
    for scheme in BROKEN {
        assert!(column(&mut browser, scheme).contains('U'), "{scheme} frees early under full");
    }
    browser.picture("full");
    model(&mut browser, "none");
    for scheme in &BROKEN[1..] {
        assert!(!column(&mut browser, scheme).contains('U'), "{scheme} does not free early where nobody is preempted");
    }
    assert!(column(&mut browser, "none").contains('U'));
    browser.picture("none");
}

#[test]
fn sound_schemes_free_early_nowhere_and_wait_where_something_is_held() {
    let mut browser = page(DESK);
    for scheme in ["classic", "linux", "nopreempt", "depth", "scan"] {
        let letters = column(&mut browser, scheme);
        assert!(!letters.contains('U') && letters.contains('W'), "{scheme}: {letters}");
    }
    let held = browser.ask("data.funcs[0].rows.map((row) => row.held === 'none' ? '·' : 'W').join('')");
    let scan = browser.ask("data.funcs[0].rows.map((_, row) => GLYPHS[letter('scan', row)] ?? ' ').join('')");
    for (held, scan) in held.chars().zip(scan.chars()) {
        assert!(held == scan || scan == ' ', "scan frees as soon as nothing is held, and not before:\n{held}\n{scan}");
    }
}

#[test]
fn a_click_on_a_red_cell_tells_its_story_and_the_line_that_does_it_again() {
    let mut browser = page(DESK);
    for scheme in BROKEN {
        let cell = format!("td .cell.U[data-scheme={scheme}]");
        browser.click(&cell);
        browser.wait_for("!document.querySelector('#story').hidden");
        let headline = browser.ask("document.querySelector('#headline').textContent");
        assert_eq!(headline, format!("{scheme} frees early"));
        let steps: u32 =
            browser.ask("document.querySelectorAll('#story ol:not(.own) li').length").parse().expect("a count");
        assert_eq!(steps, 4, "who, how, what was asked, what came of it");
        let own = browser.ask("document.querySelector('#story .own')?.textContent ?? ''");
        assert!(own.contains("grace period"), "the kernel's own words: {own}");
        let line = browser.ask("document.querySelector('#story .replay').textContent");
        let begins = format!("scripts/run windows tasks_rcu={scheme} preempt=full only=plain,");
        assert!(line.starts_with(&begins), "{line}");
        assert!(browser.is(&format!("document.querySelector('{cell}').getAttribute('aria-pressed') === 'true'")));
    }
    browser.picture("story");
}

#[test]
fn the_line_of_a_red_cell_does_it_again_alone() {
    let mut browser = page(DESK);
    browser.click("td .cell.U[data-scheme=flag]");
    let line = browser.ask("document.querySelector('#story .replay').textContent");
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let arguments: Vec<&str> = ["--smp=2"].into_iter().chain(words).collect();
    let text = String::from_utf8_lossy(&script("run", &arguments).stdout).into_owned();
    let records: Vec<&str> = text.lines().filter(|line| line.starts_with("window: ")).collect();
    assert_eq!(records.len(), 1, "one boundary, one scenario:\n{text}");
    assert!(records[0].contains("scheme=flag") && records[0].contains(" verdict=unsafe "), "{}", records[0]);
}

#[test]
fn everything_is_reached_by_the_keyboard_alone() {
    let mut browser = page(DESK);
    let mut reached = Vec::new();
    for _ in 0..12 {
        browser.press("Tab");
        let at =
            browser.ask("document.activeElement.id || document.activeElement.name || document.activeElement.className");
        let outline = browser.ask(
            "(() => { const it = document.activeElement; const shown = it.type === 'radio' ? it.nextElementSibling : it; \
             return getComputedStyle(shown).outlineStyle; })()",
        );
        assert_ne!(outline, "none", "where the focus is can be seen, at {at}");
        reached.push(at.clone());
        if at.starts_with("cell") {
            break;
        }
    }
    assert_eq!(&reached[..4], ["model", "func", "scenario", "next"], "the controls, then the table");
    assert_eq!(reached.last().map(String::as_str), Some("cell U"), "{reached:?}");
    let at = |browser: &mut Browser| {
        browser.ask("document.activeElement.dataset.scheme + ' ' + document.activeElement.dataset.row")
    };
    let before = at(&mut browser);
    browser.press("ArrowDown");
    browser.press("ArrowRight");
    let after = at(&mut browser);
    assert_ne!(before, after);
    assert!(after.starts_with("sched "), "from {before} to {after}");
    browser.press("Enter");
    browser.wait_for("!document.querySelector('#story').hidden");
    assert!(browser.ask("document.querySelector('#headline').textContent").starts_with("sched"));
    browser.press("Escape");
    browser.wait_for("document.querySelector('#story').hidden");
    assert_eq!(at(&mut browser), after, "the focus is back where it was");
    assert!(browser.is("document.activeElement.getAttribute('aria-label').includes(': ')"), "a cell says what it is");
}

#[test]
fn each_row_of_the_theory_says_how_it_was_reached_or_what_answers_for_it() {
    let text = made();
    let mut browser = page(DESK);
    let reached = |browser: &mut Browser, row: &str| {
        browser.ask(&format!(
            "[...document.querySelectorAll('#situations tr')].find((it) => it.cells[0].textContent === '{row}')?.textContent"
        ))
    };
    for (row, wanted) in [("2", "by stepping"), ("12", "by a scripted hand-over"), ("15", "tests/spin/windows.pml")] {
        let said = reached(&mut browser, row);
        assert!(said.contains(wanted), "row {row}: {said}");
    }
    assert_eq!(reached(&mut browser, "9"), "undefined", "no func that was run blocks");
    assert!(reached(&mut browser, "2").ends_with("UUUWWWWWWW"), "the letters of ten schemes");
    let printed = |row: &str| text.lines().rfind(|line| line.starts_with(&format!("  {row:<3}  "))).unwrap_or_default();
    assert!(printed("3").contains("stepping") && printed("12").contains("hand-over"), "{text}");
    assert!(printed("19").contains("not here: tests/litmus/"), "{text}");
}

#[test]
fn the_picture_of_the_readme_is_what_was_found() {
    made();
    let drawn = std::fs::read_to_string(file("page.svg")).expect("the picture");
    let kept = std::fs::read_to_string(root().join("doc/windows.svg")).expect("doc/windows.svg");
    assert!(
        drawn == kept,
        "it differs; make it anew: scripts/windows --svg doc/windows.svg preempt=full only=plain,preempted"
    );
}
