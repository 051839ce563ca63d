//! How the page looks: contrast, without colour, on paper, on a phone.

use super::browser::Browser;
use super::{DESK, PHONE, lines, opened, page};

/// Luminance and contrast as WCAG defines them; the background of an element is the first that is painted behind it.
const CONTRAST: &str = "(() => {
    const channels = (text) => (text.match(/[0-9.]+/g) ?? []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (it) => { for (; it; it = it.parentElement) {
        const style = getComputedStyle(it);
        const stripes = style.backgroundImage.match(/rgba?[(][^)]*[)]/g);
        if (stripes) return stripes.map(channels);
        const [r, g, b, a = 1] = channels(style.backgroundColor);
        if (a > 0) return [[r, g, b]];
    } return [[255, 255, 255]]; };
    const poor = [];
    for (const it of document.querySelectorAll('body *')) {
        const own = [...it.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !it.checkVisibility() || it.closest('script, style, option')) continue;
        for (const back of behind(it)) {
            const [a, b] = [light(channels(getComputedStyle(it).color)), light(back)];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) poor.push(`${it.tagName}.${it.className} ${it.textContent.slice(0, 12)} ${ratio.toFixed(2)}`);
        }
    }
    return [...new Set(poor)].join('; ');
})()";

#[test]
fn all_text_has_contrast_in_light_in_dark_and_on_paper() {
    let mut browser = page(DESK);
    browser.click("td .cell.U[data-scheme=ip]");
    for (media, scheme) in [("screen", "light"), ("screen", "dark"), ("print", "light"), ("print", "dark")] {
        browser.media(media, scheme);
        assert_eq!(browser.ask(CONTRAST), "", "poor on {media}, {scheme}");
        let is_dark = browser.is("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0] < 100");
        assert_eq!(is_dark, (media, scheme) == ("screen", "dark"), "{media}, {scheme}");
    }
    browser.media("screen", "dark");
    browser.picture("dark");
}

#[test]
fn verdicts_are_told_apart_without_colour_on_screen_and_in_grey_print() {
    lines::show("grey", &[lines::UNKNOWN, lines::PAIRS]);
    let mut browser = opened("grey.html", DESK);
    browser.send("Emulation.setEmulatedVisionDeficiency", "\"type\":\"achromatopsia\"");
    let kinds = "[...document.querySelectorAll('#legend .cell:not(.blank)')].map((it) => it.textContent).join(' ')";
    let mut kinds: Vec<String> = browser.ask(kinds).split(' ').map(str::to_owned).collect();
    kinds.sort();
    assert_eq!(kinds, ["L", "U", "W", "·", "×"], "each has a sign of its own");
    // A shape of its own too: nothing, a light field, stripes, a dark field, a dashed frame.
    let shape = |browser: &mut Browser, kind: &str| {
        browser.ask(&format!(
            "(() => {{ const style = getComputedStyle(document.querySelector('#legend .cell.{kind}')); \
             const grey = (style.backgroundColor.match(/[0-9.]+/g) ?? []).slice(0, 4).map(Number); \
             const level = grey[3] === 0 ? 'none' : (grey[0] * 3 + grey[1] * 6 + grey[2]) / 10 < 100 ? 'dark' : 'light'; \
             const line = style.borderTopColor.endsWith(' 0)') ? '' : style.borderTopStyle; \
             return [style.backgroundImage === 'none' ? 'plain' : 'striped', level, line].join(' ').trim(); }})()"
        ))
    };
    for (media, late) in [("screen", "striped none"), ("print", "striped none solid")] {
        browser.media(media, "light");
        let shapes: Vec<String> = ["right", "W", "L", "U", "F"].iter().map(|kind| shape(&mut browser, kind)).collect();
        assert_eq!(shapes, ["plain none", "plain light", late, "plain dark", "plain none dashed"], "{media}");
    }
    browser.picture("grey");
}

#[test]
fn it_prints_without_its_controls_and_with_all_its_columns() {
    let mut browser = page(DESK);
    browser.media("print", "light");
    browser.size(720, 1000); // the width of an A4 page
    assert!(browser.is("!document.querySelector('#controls').checkVisibility()"));
    assert!(
        browser.is("document.querySelector('#matrix').getBoundingClientRect().right <= innerWidth"),
        "no column is cut off"
    );
    browser.picture("print");
}

#[test]
fn it_fits_a_phone() {
    let mut browser = page(PHONE);
    assert!(browser.is("document.scrollingElement.scrollWidth <= innerWidth"), "the page does not move sideways");
    browser.click("td .cell.U[data-scheme=ip]");
    assert!(browser.is("document.querySelector('#story').getBoundingClientRect().bottom <= innerHeight + 1"));
    let top = "document.querySelector('#story').getBoundingClientRect().top";
    let cell = "document.querySelector('td .cell[aria-pressed=true]').getBoundingClientRect().bottom";
    assert!(browser.is(&format!("{cell} < {top}")), "the cell that the story is about stays in sight");
    assert!(browser.is("document.scrollingElement.scrollWidth <= innerWidth"));
    browser.picture("phone");
}
