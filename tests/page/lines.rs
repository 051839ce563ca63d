//! What a guest may print one day: a func and scenarios that this tree has not, two stops at once, a story.

use super::{DESK, file, opened, script};
use std::fs;

/// Two boundaries of a func that is not known.
pub(crate) const UNKNOWN: &str = "\
window: scheme=ip preempt=full func=novel n=0 pc=0x40200000 insn=0xd503201f step=- place=a::other+0x0 phase=4 scenario=out-of-the-blue held=none verdict=late
window: scheme=ip preempt=full func=novel n=1 pc=0x40200004 insn=0xd65f03c0 step=- place=func+0x0 phase=3 scenario=out-of-the-blue held=ops verdict=unsafe
";

/// Two parties: the one at each of three boundaries, the other at each of them too.
pub(crate) const PAIRS: &str = "\
pairs: scheme=ip preempt=full func=novel scenario=pair n=0 pc=0x40200000 step=- place=a::other+0x0 phase=4 with=0,1,2 cells=wul reversed=wwl
pairs: scheme=ip preempt=full func=novel scenario=pair n=1 pc=0x40200004 step=- place=func+0x0 phase=3 with=0,1,2 cells=w-l reversed=w-w
pairs: scheme=ip preempt=full func=novel scenario=pair n=2 pc=0x40200008 step=- place=other+0x4 phase=11 with=0,1,2 cells=rf- reversed=-f-
";

/// Shows `lines` as the last run of `ip` under full preemption, as the page `NAME.html`; gives what is printed.
pub(crate) fn show(name: &str, lines: &[&str]) -> String {
    let told = "story: begin\nstory: two were there at once\nstory: end\n";
    let verdict = "windows: FAIL scheme=ip preempt=full boundaries=3 scenarios=2 runs=10 unsafe=2 late=3 ended=10\n";
    let replay = "replay: windows tasks_rcu=ip preempt=full cpus=2 seed=1 only=novel,pair,0+1\n";
    again(name, "ip", &[&lines.concat(), told, verdict, replay].concat(), "1\n")
}

/// Shows what `scheme` printed under full preemption, and ended with, as the page `NAME.html`; gives what is printed.
fn again(name: &str, scheme: &str, console: &str, status: &str) -> String {
    let logs = file(name).with_extension("logs");
    fs::create_dir_all(&logs).expect("a place for what is printed");
    for (kind, text) in [("log", console), ("status", status)] {
        fs::write(logs.join(format!("{scheme}.full.{kind}")), text).expect("a place for it");
    }
    fs::write(logs.join("whole"), "").expect("a place for it");
    let [html, json] = ["html", "json"].map(|kind| format!("--{kind}={}", file(name).with_extension(kind).display()));
    let output = script("windows", &["--again", &html, &json]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn a_func_and_a_scenario_that_nobody_heard_of_are_shown_as_they_are() {
    let text = show("unknown", &[UNKNOWN]);
    assert!(text.contains("func=novel   stopped in any way"), "{text}");
    let mut browser = opened("unknown.html", DESK);
    assert_eq!(browser.ask("[...document.querySelector('#func').options].map((it) => it.textContent).join()"), "novel");
    let ways = browser.ask("[...document.querySelector('#scenario').options].map((it) => it.textContent).join()");
    assert!(ways.ends_with(",out-of-the-blue"), "{ways}");
    browser.click("#matrix .cell.U");
    let steps = browser.ask("document.querySelector('#story ol').textContent");
    assert!(steps.contains("calls this way to stand there out-of-the-blue") && steps.contains("func+0x0"), "{steps}");
    let line = browser.ask("document.querySelector('#story .replay').textContent");
    assert_eq!(line, "scripts/run windows tasks_rcu=ip preempt=full only=novel,out-of-the-blue,1");
}

#[test]
fn a_scheme_that_nobody_heard_of_is_unchecked_where_only_models_answer() {
    let line = UNKNOWN.lines().next().expect("it has two").replace("scheme=ip", "scheme=novel");
    let verdict = "windows: PASS scheme=novel preempt=full boundaries=1 scenarios=1 runs=1 unsafe=0 late=1 ended=1\n";
    let text = again("scheme", "novel", &format!("{line}\n{verdict}"), "0\n");
    let what = "unchecked for novel: rows 15, 18 and 19, which models and litmus tests decide";
    assert!(text.lines().any(|line| line == what), "{text}");
    let mut browser = opened("scheme.html", DESK);
    let rows = "[...document.querySelectorAll('#situations tr')].filter((it) => it.textContent.includes('unchecked: novel'))\
                .map((it) => it.cells[0].textContent).join()";
    assert_eq!(browser.ask(rows), "15,18,19");
}

#[test]
fn two_stops_are_a_grid_whose_red_cells_tell_their_story_and_replay_line() {
    let text = show("pairs", &[UNKNOWN, PAIRS]);
    let counts = text.lines().find(|line| line.trim_start().starts_with("pair ")).expect("a line of counts");
    assert_eq!(counts.split_whitespace().collect::<Vec<_>>(), ["pair", "ip", "1", "6", "3", "1", "2"], "{text}");
    let mut browser = opened("pairs.html", DESK);
    let letters = "[...document.querySelectorAll('#pairs tbody tr')].map((row) => \
                   [...row.querySelectorAll('td.verdict')].map((it) => it.textContent || ' ').join('')).join('|')";
    assert_eq!(browser.ask(letters), "WUWL|W LW|·× ");
    assert_eq!(
        browser.ask("[...document.querySelectorAll('#pairs tbody th')].map((it) => it.textContent).join('|')"),
        "nop|ret|other+0x4",
        "instructions where they are known, places elsewhere"
    );
    browser.click("#pairs .cell.U");
    browser.wait_for("!document.querySelector('#story').hidden");
    let story = browser.ask("document.querySelector('#story ol').textContent");
    assert!(story.contains("The first stands before nop") && story.contains("The second stands before ret"), "{story}");
    assert!(story.contains("Where the first goes on first: The grace period ends"), "{story}");
    assert!(story.contains("Where the second goes on first: The grace period outlasts"), "{story}");
    let line = browser.ask("document.querySelector('#story .replay').textContent");
    assert_eq!(line, "scripts/run windows tasks_rcu=ip preempt=full only=novel,pair,0+1");
    let own = browser.ask("document.querySelector('#story .own').textContent");
    assert_eq!(own, "two were there at once", "the kernel told this one");
    browser.picture("pairs");
    let at = "document.activeElement.dataset.first + ' ' + document.activeElement.dataset.second";
    for (key, place) in [("ArrowDown", "2 1"), ("ArrowRight", "2 1"), ("ArrowUp", "0 1"), ("ArrowRight", "0 2")] {
        browser.press(key);
        assert_eq!(browser.ask(at), place, "{key} goes to the next cell that is there");
    }
    assert_eq!(
        browser.ask("document.querySelector('#headline').textContent"),
        "ip waits needlessly",
        "the story follows"
    );
    browser.click("#close");
    browser.wait_for("document.querySelector('#story').hidden");
    assert_eq!(browser.ask(at), "0 2", "the focus is back where it was");
    assert!(browser.is("document.querySelector('#pairs').getAttribute('aria-label').includes('ip, preempt=full')"));
}

#[test]
fn what_is_not_from_a_run_is_not_removed_for_one() {
    let kept = file("somebodys.html").with_extension("logs");
    fs::create_dir_all(&kept).expect("a folder");
    let diary = kept.join("diary");
    fs::write(&diary, "dear diary").expect("a file in it");
    let html = format!("--html={}", file("somebodys.html").display());
    for words in [&[html.as_str(), "tasks_rcu=ip", "preempt=full", "only=plain,running"][..], &[&html, "--again"]] {
        let output = script("windows", words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let wanted = format!("'{}' is in the way of what the guests print, and is not from here", kept.display());
        assert!(said.contains(&wanted), "{said}");
    }
    assert_eq!(fs::read_to_string(diary).expect("it is still there"), "dear diary");
}
