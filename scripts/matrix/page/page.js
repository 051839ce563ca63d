"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const ANY = "any";
const ORDER = "F.W?LU!"; // from what counts least to what counts most
const GLYPHS = { ".": "·", W: "W", L: "L", U: "U", F: "×", "?": "?", "!": "!" };
const SAYS = {
    ".": "frees, and nothing is held", W: "waits, as it must", L: "waits needlessly", U: "frees early",
    F: "forbidden by its rules", "?": "undecided", "!": "is disputed",
};
const MODELS = {
    none: "none: a task keeps its CPU until it gives it up.",
    voluntary: "voluntary: a task keeps its CPU until it gives it up, or asks whether it should.",
    full: "full: an interrupt may take the CPU from a task at any instruction.",
    lazy: "lazy: as full, but a task is first left alone until the next tick.",
};
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const HELD = {
    ops: "It holds the ops: it will read it again.",
    text: "It holds func's text: the ops is not read again, but func has not returned.",
    none: "It holds nothing: the ops is not loaded yet, or func has returned.",
};
const HELD_SHORT = { ops: "the ops", text: "func’s text", none: "nothing" };

const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
};
const code = (text) => make("code", {}, text);
const worse = (a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a);
const cellClass = (letter) => `cell ${"?!".includes(letter) ? "undecided" : letter === "." ? "right" : letter}`;

const state = { model: data.models.includes("full") ? "full" : data.models[0], func: 0, scenario: ANY, told: null };
const NONE = { name: "", rows: [], cells: {}, numbers: {}, paths: [], phases: {} };
const table = () => data.funcs[state.func] ?? NONE;
const SCENARIOS = new Map(data.scenarios.map((scenario) => [scenario.name, scenario]));
const scenarios = [...SCENARIOS.keys()];
const column = (scenario, scheme) => table().cells[state.model]?.[scenario]?.[scheme];
const number = (scenario, scheme, row) => table().paths[table().numbers[state.model][scenario][scheme]][row];
const scenariosOf = (scheme, row) => scenarios.filter((scenario) => (column(scenario, scheme)?.[row] ?? " ") !== " ");

// What a scheme makes of a row, in what the controls ask for; a blank is no cell.
function letter(scheme, row) {
    const wanted = state.scenario === ANY ? scenarios : [state.scenario];
    const letters = wanted.map((scenario) => column(scenario, scheme)?.[row] ?? " ").filter((found) => found !== " ");
    return letters.length === 0 ? " " : letters.reduce(worse);
}

function draw() {
    const names = data.schemes.map((scheme) => scheme.name);
    const heading = make("tr", {},
        make("th", { scope: "col", textContent: "instruction" }), make("th", { scope: "col", textContent: "step" }),
        make("th", { scope: "col", textContent: "holds" }),
        ...data.schemes.map(({ name, answer }) => {
            const early = table().rows.filter((_, row) => letter(name, row) === "U").length;
            const note = make("small", { className: early ? "caught" : "", textContent: early ? `${early} early` : "0 early" });
            return make("th", { scope: "col", title: answer }, name, note);
        }));
    const body = make("tbody");
    let before = {};
    table().rows.forEach((row, index) => {
        if (names.every((scheme) => letter(scheme, index) === " ")) return;
        if (row.section !== before.section) {
            const goesOn = before.held === row.held ? row.held : "";
            body.append(make("tr", { className: "section" }, make("th", { scope: "rowgroup" }, row.section),
                make("td", { className: "step" }), make("td", { className: `held ${goesOn}` }), make("td", { colSpan: names.length })));
        }
        const isSaid = before.held !== row.held && row.held !== "none";
        const held = make("td", { className: `held ${row.held}`, title: HELD[row.held] },
            make("span", { className: isSaid ? "" : "unseen", textContent: HELD_SHORT[row.held] ?? row.held }));
        body.append(make("tr", {}, make("th", { scope: "row", className: "insn", textContent: row.insn, title: row.place }),
            make("td", { className: "step", textContent: row.step }), held, ...names.map((scheme) => drawCell(scheme, index))));
        before = row;
    });
    $("matrix").replaceChildren(make("thead", {}, heading), body);
    $("matrix").setAttribute("aria-label", `preempt=${state.model}, func ${table().name}`);
    $("said").textContent = `${MODELS[state.model] ?? state.model} ${told()}`;
    $("next").disabled = !document.querySelector("#matrix .cell.U");
    const stop = cellAt(state.told) ?? document.querySelector("#matrix .cell.U") ?? document.querySelector("#matrix .cell");
    if (stop) stop.tabIndex = 0;
}

function told() {
    const early = data.schemes.filter(({ name }) => table().rows.some((_, row) => letter(name, row) === "U"));
    if (early.length === 0) return "Nobody frees early.";
    return `${early.map(({ name }) => name).join(", ")} ${early.length === 1 ? "frees" : "free"} early.`;
}

function drawCell(scheme, row) {
    const found = letter(scheme, row);
    const cell = make("td", { className: "verdict" });
    cell.setAttribute("role", "gridcell");
    if (found === " ") return cell;
    const button = make("button", { type: "button", className: cellClass(found), textContent: GLYPHS[found], tabIndex: -1 });
    Object.assign(button.dataset, { scheme, row, letter: found });
    const { insn, step } = table().rows[row];
    button.setAttribute("aria-label", `${scheme} at ${step ? step + ", " : ""}${insn}: ${SAYS[found]}`);
    const isTold = state.told?.scheme === scheme && state.told?.row === row;
    button.setAttribute("aria-pressed", String(isTold));
    cell.append(button);
    return cell;
}

const cellAt = (at) => at && document.querySelector(`#matrix .cell[data-scheme="${CSS.escape(at.scheme)}"][data-row="${at.row}"]`);

function close() {
    const cell = cellAt(state.told) ?? pairAt(two.told);
    state.told = two.told = null;
    $("story").hidden = true;
    document.querySelector("main").classList.remove("told");
    if (cell) {
        cell.setAttribute("aria-pressed", "false");
        focusCell(cell);
    }
    remember();
}

function focusCell(cell) {
    cell.closest("table").querySelectorAll('.cell[tabindex="0"]').forEach((other) => { other.tabIndex = -1; });
    cell.tabIndex = 0;
    cell.focus();
}

// From one cell to the next one that is there, in the direction of the key.
function step(cell, rows, columns) {
    const names = data.schemes.map((scheme) => scheme.name);
    let [row, at] = [Number(cell.dataset.row), names.indexOf(cell.dataset.scheme)];
    for (;;) {
        [row, at] = [row + rows, at + columns];
        if (row < 0 || row >= table().rows.length || at < 0 || at >= names.length) return null;
        const found = cellAt({ scheme: names[at], row });
        if (found) return found;
    }
}

// What is shown stands in the address, so that it can be handed on.
function remember() {
    const { model, scenario, told } = state;
    const parts = [model, table().name, scenario, ...(told ? [told.scheme, told.row] : [])];
    history.replaceState(null, "", "#" + parts.map(encodeURIComponent).join("/"));
}

function recall() {
    const [model, func, scenario, scheme, row] = location.hash.slice(1).split("/").map(decodeURIComponent);
    if (data.models.includes(model)) state.model = model;
    const found = data.funcs.findIndex((table) => table.name === func);
    if (found >= 0) state.func = found;
    if (SCENARIOS.has(scenario)) state.scenario = scenario;
    if (data.schemes.some(({ name }) => name === scheme)) state.told = { scheme, row: Number(row) };
}

function show() {
    document.querySelectorAll("#models input").forEach((input) => { input.checked = input.value === state.model; });
    $("func").value = state.func;
    $("scenario").value = state.scenario;
    const used = scenarios.filter((scenario) => table().cells[state.model]?.[scenario]);
    [...$("scenario").options].forEach((option) => { option.disabled = ![ANY, ...used].includes(option.value); });
    draw();
    drawPairs();
    drawSituations();
    if (state.told) tell(state.told.scheme, state.told.row);
    remember();
}

function begin() {
    $("models").append(...data.models.map((model) => make("label", {},
        make("input", { type: "radio", name: "model", value: model }), make("span", { textContent: model }))));
    $("func").append(...data.funcs.map(({ name, words }, index) =>
        make("option", { value: index, textContent: words ? `${name}: ${words}` : name })));
    $("scenario").append(make("option", { value: ANY, textContent: "in any of these ways: the worst" }),
        ...data.scenarios.map(({ name, title }) => make("option", { value: name, textContent: title })));
    const letters = Object.keys(data.letters).filter((letter) => data.runs.some((run) => run.counts[{
        ".": "right", W: "waits", L: "late", U: "unsafe", F: "forbidden", "?": "undecided", "!": "disputed" }[letter]]));
    $("legend").append(...letters.map((letter) => make("li", {},
        make("span", { className: cellClass(letter), textContent: GLYPHS[letter] }), SAYS[letter])),
        ...["ops", "text"].map((held) => make("li", {}, make("span", { className: `bar ${held}` }), `holds ${HELD_SHORT[held]}`)),
        make("li", {}, make("span", { className: "cell blank" }), "empty: nobody can stand there"));
    $("schemes").append(...data.schemes.flatMap(({ name, answer, sound }) => {
        const broken = data.models.filter((model) => !sound[model]);
        const says = broken.length ? ` The theory calls it broken under ${broken.join(", ")}.` : "";
        return [make("dt", {}, code(name)), make("dd", { textContent: (answer ? `${answer}.` : "not known to the theory: it has to be sound.") + says })];
    }));
    $("kernel").textContent = data.kernel ?? "";

    $("models").addEventListener("change", (event) => { if (two.told) close(); state.model = event.target.value; show(); });
    $("func").addEventListener("change", () => { state.func = Number($("func").value); state.told = null; close(); show(); });
    $("scenario").addEventListener("change", () => { state.scenario = $("scenario").value; show(); });
    $("next").addEventListener("click", () => {
        const early = [...document.querySelectorAll("#matrix .cell.U")];
        const next = early[(early.indexOf(cellAt(state.told)) + 1) % Math.max(early.length, 1)];
        if (!next) return;
        focusCell(next);
        tell(next.dataset.scheme, Number(next.dataset.row));
    });
    $("matrix").addEventListener("click", ({ target }) => {
        if (!target.matches(".cell")) return;
        focusCell(target);
        tell(target.dataset.scheme, Number(target.dataset.row));
    });
    $("matrix").addEventListener("keydown", (event) => {
        if (!(event.key in MOVES) || !event.target.matches(".cell")) return;
        event.preventDefault();
        const next = step(event.target, ...MOVES[event.key]);
        if (!next) return;
        focusCell(next);
        if (state.told) tell(next.dataset.scheme, Number(next.dataset.row));
    });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && (state.told ?? two.told)) close(); });
    beginPairs();
    recall();
    show();
}

begin();
