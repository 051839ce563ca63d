"use strict";
// The rows of the theory's table, over all funcs: what was seen in each, and how it was reached.
const REACHED = { stepping: "by stepping", "hand-over": "by a scripted hand-over" };

function drawSituations() {
    const names = data.schemes.map((scheme) => scheme.name);
    const heading = make("tr", {}, make("th", { scope: "col", textContent: "row" }), make("th", { scope: "col", textContent: "where it is" }),
        make("th", { scope: "col", textContent: "reached" }), ...names.map((name) => make("th", { scope: "col", textContent: name })));
    const body = make("tbody");
    for (const { row, words, reached, by, unchecked, cells } of data.situations) {
        const letters = [...(cells[state.model] ?? "")];
        if (!by && letters.every((found) => found === " ")) continue;
        const parts = [make("td", { className: "step", textContent: row }), make("th", { scope: "row", textContent: words })];
        if (by) {
            const left = unchecked.length ? [" unchecked: ", make("strong", { textContent: unchecked.join(", ") })] : [];
            parts.push(make("td", { className: "by", colSpan: names.length + 1 }, "not here: ", code(by), ...left));
        }
        else parts.push(make("td", { className: "step", textContent: REACHED[reached] }), ...letters.map((found, index) => {
            const cell = make("span", { className: cellClass(found), textContent: GLYPHS[found] ?? "" });
            cell.setAttribute("role", "img");
            cell.setAttribute("aria-label", `${names[index]}: ${SAYS[found] ?? "nobody stood there"}`);
            return make("td", { className: "verdict" }, found === " " ? "" : cell);
        }));
        body.append(make("tr", {}, ...parts));
    }
    $("situations").replaceChildren(make("thead", {}, heading), body);
}
