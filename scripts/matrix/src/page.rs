//! The page: one file, with all that it needs inside. Its parts are files of `page/`, so that they can be read as what they are.

const FRAME: &str = include_str!("../page/page.html");
const STYLE: &str = include_str!("../page/page.css");
const STORY: &str = include_str!("../page/story.js");
const PAIRS: &str = include_str!("../page/pairs.js");
const SITUATIONS: &str = include_str!("../page/situations.js");
const SCRIPT: &str = include_str!("../page/page.js");

/// The page with `json`, which ends no `<script>`, as its data.
pub fn page(json: &str) -> String {
    let scripts = [("/*STORY*/", STORY), ("/*PAIRS*/", PAIRS), ("/*SITUATIONS*/", SITUATIONS), ("/*SCRIPT*/", SCRIPT)];
    let parts = [("/*STYLE*/", STYLE)].into_iter().chain(scripts).chain([("\"DATA\"", json)]);
    parts.fold(FRAME.to_owned(), |page, (place, part)| page.replace(place, part))
}
