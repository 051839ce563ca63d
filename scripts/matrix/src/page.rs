//! The page: one file, with all that it needs inside. Its parts are files of `page/`, so that they can be read as what they are.

const FRAME: &str = include_str!("../page/page.html");
const STYLE: &str = include_str!("../page/page.css");
const SCRIPT: &str = include_str!("../page/page.js");

/// The page with `json`, which ends no `<script>`, as its data.
pub fn page(json: &str) -> String {
    FRAME.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT).replace("\"DATA\"", json)
}
