"use strict";
// Two stops at once: down the first party's boundaries, across the second's.
const two = { kind: 0, scheme: "", told: null };
const kind = () => data.pairs[two.kind];
const grid = () => kind()?.grids[state.model]?.[two.scheme];

// A boundary of a side, with what its row in the func's table says of it.
function boundary(side, index) {
    const at = kind().axes[grid()[side]][index];
    const row = data.funcs.find(({ name }) => name === kind().func)?.rows[at.at] ?? {};
    return { n: at.n, insn: row.insn ?? at.place ?? `boundary ${at.n}`, step: row.step ?? at.step, place: row.place ?? at.place,
        row: row.row ?? at.row, held: row.held, section: row.section };
}

function early(scheme) {
    const { cells = [], reversed = [] } = kind()?.grids[state.model]?.[scheme] ?? {};
    return [...cells, ...reversed].join("").split("U").length - 1;
}

// What was found in each order, the first going on first and the second; and the worse of both, which gives a cell its color.
const BY_HARM = " .WLF?!U";
function found(first, second) {
    const orders = [grid().cells, grid().reversed].map((cells) => cells[first]?.[second] ?? " ");
    return { orders, worse: orders.reduce((a, b) => (BY_HARM.indexOf(a) < BY_HARM.indexOf(b) ? b : a)) };
}

function drawPairs() {
    $("pairs-part").hidden = data.pairs.length === 0;
    if (data.pairs.length === 0) return;
    $("pair-scheme").replaceChildren(...data.schemes.filter(({ name }) => kind().grids[state.model]?.[name]).map(({ name }) =>
        make("option", { value: name, textContent: `${name}: ${early(name)} early` })));
    const known = [...$("pair-scheme").options].map((option) => option.value);
    // The one whose mistake is the rarest has the most to show.
    const byEarly = [...known].sort((a, b) => (early(a) || Infinity) - (early(b) || Infinity));
    if (!known.includes(two.scheme)) two.scheme = byEarly[0];
    $("pair-scheme").value = two.scheme;
    $("pair-words").textContent = `${kind().words} The grace period has to outlast both: a cell says the worse of what happens while both `
        + "are there, and while one is left; and where the order matters, first what it is if the first goes on first. "
        + "Down: where the first stands. Across: where the second does.";
    const table = $("pairs");
    table.setAttribute("aria-label", `${two.scheme}, preempt=${state.model}, func ${kind().func}, ${kind().title}`);
    if (!grid()) return table.replaceChildren(make("caption", { textContent: "No two can stand there in this way under this model." }));
    const across = kind().axes[grid().second].map((_, index) => boundary("second", index));
    const down = kind().axes[grid().first].map((_, index) => boundary("first", index));
    const edge = (all, index) => (index > 0 && all[index].section !== all[index - 1].section ? " edge" : "");
    const heading = make("tr", {}, make("th", { className: "corner", colSpan: 2 }, "first ↓  second →"), ...across.map((at, index) =>
        make("th", { scope: "col", className: `across ${at.held ?? ""}${edge(across, index)}`, title: at.place ?? "" }, make("span", { textContent: at.insn }))));
    const body = make("tbody");
    down.forEach((at, row) => {
        const cells = across.map((other, index) => drawPair(row, index, at, other, edge(across, index)));
        body.append(make("tr", { className: edge(down, row) },
            make("th", { scope: "row", className: "insn", textContent: at.insn, title: at.place ?? "" }),
            make("td", { className: `held ${at.held ?? ""}` }), ...cells));
    });
    table.replaceChildren(make("thead", {}, heading), body);
    const stop = pairAt(two.told) ?? table.querySelector(".cell.U") ?? table.querySelector(".cell");
    if (stop) stop.tabIndex = 0;
}

function drawPair(first, second, down, across, edge) {
    const { orders, worse } = found(first, second);
    const cell = make("td", { className: `verdict${edge}` });
    cell.setAttribute("role", "gridcell");
    if (worse === " ") return cell;
    const seen = [...new Set(orders)].filter((it) => it !== " ");
    const button = make("button", { type: "button", className: cellClass(worse), textContent: seen.map((it) => GLYPHS[it]).join(""), tabIndex: -1 });
    Object.assign(button.dataset, { first, second });
    button.setAttribute("aria-label", `${two.scheme}, first at ${down.insn}, second at ${across.insn}: ${seen.map((it) => SAYS[it]).join("; in the other order: ")}`);
    button.setAttribute("aria-pressed", String(two.told?.first === first && two.told?.second === second));
    cell.append(button);
    return cell;
}

const pairAt = (at) => at && document.querySelector(`#pairs .cell[data-first="${at.first}"][data-second="${at.second}"]`);

// The story of a cell of the grid.
function tellPair(first, second) {
    state.told = null;
    two.told = { first, second };
    const { orders, worse } = found(first, second);
    const [one, other] = [boundary("first", first), boundary("second", second)];
    const { func, scenario, words } = kind();
    const only = `${func},${scenario},${one.n}+${other.n}`;
    const stands = (who, at) => make("li", {}, `${who} stands before `, code(at.insn), at.step ? ` (${at.step})` : "",
        at.place ? ", at " : "", at.place ? code(at.place) : "", situation(at.row) ? `, ${situation(at.row)}.` : ".", " ", HELD[at.held] ?? "");
    const endings = {
        U: "The grace period ends, and the ops is freed, while one of them still holds it.",
        W: "The grace period outlasts whoever holds the ops. Nothing is freed under them.",
        L: "The grace period goes on, at least once one of them has gone on, though nothing is held any more.",
        ".": "The grace period ends, the ops is freed, and both go on, unharmed.",
    };
    const run = data.runs.find((run) => run.scheme === two.scheme && run.preempt === state.model);
    const steps = [make("li", { textContent: words || `The kernel calls this ${scenario}.` }), stands("The first", one), stands("The second", other),
        make("li", {}, "The ops is replaced, and ", code(two.scheme), " is asked for a grace period. ")];
    const [firstFirst, secondFirst] = orders;
    const told = (who, it) => make("li", {}, who, endings[it] ?? ending(it, one.held));
    const seen = [...new Set(orders)].filter((it) => it !== " ");
    if (seen.length === 1) steps.push(told("", seen[0]));
    else steps.push(told("Where the first goes on first: ", firstFirst), told("Where the second goes on first: ", secondFirst));
    openStory(worse, [code(two.scheme), ` ${SAYS[worse]}`], steps, [...again(two.scheme, only), ...(worse === "U" ? own(run, only) : [])], pairAt(two.told));
    remember();
}

function beginPairs() {
    $("pair-kind").append(...data.pairs.map(({ func, title }, index) => make("option", { value: index, textContent: `${title}, func ${func}` })));
    $("pair-kind").addEventListener("change", () => { close(); two.kind = Number($("pair-kind").value); drawPairs(); });
    $("pair-scheme").addEventListener("change", () => { close(); two.scheme = $("pair-scheme").value; drawPairs(); });
    const at = (cell) => [Number(cell.dataset.first), Number(cell.dataset.second)];
    $("pairs").addEventListener("click", ({ target }) => {
        if (!target.matches(".cell")) return;
        focusCell(target);
        tellPair(...at(target));
    });
    $("pairs").addEventListener("keydown", (event) => {
        const move = MOVES[event.key];
        if (!move || !event.target.matches(".cell")) return;
        event.preventDefault();
        let [first, second] = at(event.target);
        for (;;) {
            [first, second] = [first + move[0], second + move[1]];
            if (grid().cells[first]?.[second] === undefined) return;
            const next = pairAt({ first, second });
            if (!next) continue;
            focusCell(next);
            if (two.told) tellPair(first, second);
            return;
        }
    });
}
