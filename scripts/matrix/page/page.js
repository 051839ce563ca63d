"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const ANY = "any";
const ORDER = "F.W?LU"; // from what counts least to what counts most
const GLYPHS = { ".": "·", W: "W", L: "L", U: "U", F: "×", "?": "?" };
const SAYS = {
    ".": "frees, and nothing is held", W: "waits, as it must", L: "waits needlessly", U: "frees early",
    F: "forbidden by its rules", "?": "undecided",
};
const MODELS = {
    none: "none: a task keeps its CPU until it gives it up.",
    voluntary: "voluntary: a task keeps its CPU until it gives it up, or asks whether it should.",
    full: "full: an interrupt may take the CPU from a task at any instruction.",
    lazy: "lazy: as full, but a task is first left alone until the next tick.",
};
const FUNCS = {
    plain: "reads its ops and returns", callee: "calls a helper, which reads the ops", tail: "tail-calls a helper",
    enable: "disables preemption and enables it again", block: "blocks", redirect: "sends the call elsewhere",
    fanout: "is the second of three on one callsite",
};
const SCENARIOS = {
    preempted: ["preempted there", "An interrupt comes there, and when it ends another task gets the CPU."],
    "preempted-migrated": ["preempted on another CPU",
        "The task was moved to another CPU one instruction before; there an interrupt comes, and it is preempted again."],
    "preempted-exits-next": ["preempted in its last call",
        "It is the task's last call: it has left the list of tasks already. An interrupt comes there, and it is preempted."],
    "softirq-on-idle": ["a softirq on top of idle", "The call is not a task's: a softirq makes it, on top of the idle task, and stays in func."],
    "irq-on-idle": ["an interrupt handler on top of idle", "The call is not a task's: an interrupt handler makes it, on top of the idle task."],
    "softirq-on-gp": ["a softirq on top of the grace-period task",
        "The call is not a task's: a softirq makes it, on top of the very task that waits for the grace period."],
    irq: ["preempted under a traced softirq",
        "An interrupt comes there; on top of it runs a softirq that is traced itself, and interrupted; then the task is preempted."],
    "irq-elsewhere": ["preempted under another softirq",
        "An interrupt comes there; on top of it runs a softirq that is not traced, and is interrupted; then the task is preempted."],
    running: ["running", "Nothing interrupts it: it stands there on its CPU while the others look for it."],
    inside: ["func lets go by itself", "No interrupt comes: func itself lets go of the CPU."],
};
const PHASES = {
    "1a": "at the callsite, before the trampoline",
    "1b": "in the trampoline, and has not loaded the ops yet",
    2: "in the trampoline, with the ops in a register",
    3: "at the start of func: that it will return to the trampoline stands in a register alone",
    4: "in func, or in what func called",
    5: "in func, where preemption is enabled again",
    9: "in func, which blocks",
    10: "near the end of func: the ops is not read again, but func's text still runs",
    11: "in the trampoline again, on the way out: func is behind it",
    20: "where func sent it to",
};
const HELD = {
    ops: "It holds the ops: it will read it again.",
    text: "It holds func's text: the ops is not read again, but func has not returned.",
    none: "It holds nothing: the ops is not loaded yet, or func has returned.",
};

const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
};
const code = (text) => make("code", {}, text);
const worse = (a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a);
const cellClass = (letter) => `cell ${letter === "?" ? "undecided" : letter === "." ? "right" : letter}`;

const state = { model: data.models.includes("full") ? "full" : data.models[0], func: 0, scenario: ANY, told: null };
const table = () => data.funcs[state.func];
const column = (scenario, scheme, model = state.model) => table().cells[model]?.[scenario]?.[scheme];
const scenariosOf = (scheme, row) => data.scenarios.filter((scenario) => (column(scenario, scheme)?.[row] ?? " ") !== " ");

// What a scheme makes of a row, in what the controls ask for; a blank is no cell.
function letter(scheme, row) {
    const wanted = state.scenario === ANY ? data.scenarios : [state.scenario];
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
    let section = null;
    table().rows.forEach((row, index) => {
        if (row.section !== section) {
            section = row.section;
            const goesOn = index > 0 && table().rows[index - 1].held === row.held ? row.held : "";
            body.append(make("tr", { className: "section" }, make("th", { colSpan: 2, scope: "rowgroup" }, section),
                make("td", { className: `held ${goesOn}` }), make("td", { colSpan: names.length })));
        }
        const isFirst = table().rows[index - 1]?.held !== row.held;
        const held = make("td", { className: `held ${row.held}`, textContent: isFirst && row.held !== "none" ? row.held : "" });
        held.title = HELD[row.held];
        body.append(make("tr", {}, make("th", { scope: "row", className: "insn", textContent: row.insn, title: row.place }),
            make("td", { className: "step", textContent: row.step }), held, ...names.map((scheme) => drawCell(scheme, index))));
    });
    $("matrix").replaceChildren(make("thead", {}, heading), body);
    $("matrix").setAttribute("aria-label", `preempt=${state.model}, func ${table().name}`);
    $("said").textContent = `${MODELS[state.model] ?? state.model} ${told()}`;
    $("next").disabled = !document.querySelector("td .cell.U");
    const stop = cellAt(state.told) ?? document.querySelector("td .cell.U") ?? document.querySelector("td .cell");
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

const cellAt = (at) => at && document.querySelector(`td .cell[data-scheme="${CSS.escape(at.scheme)}"][data-row="${at.row}"]`);

// The story of one cell, in the steps that are the same for all, and in the kernel's own words where it told this one.
function tell(scheme, row, { focus = false } = {}) {
    state.told = { scheme, row };
    const found = letter(scheme, row);
    if (found === " ") return close();
    const { insn, step, place, held } = table().rows[row];
    const among = scenariosOf(scheme, row);
    const isAsked = (scenario) => column(scenario, scheme)[row] === found && [ANY, scenario].includes(state.scenario);
    const scenario = among.find(isAsked) ?? among[0];
    const n = table().numbers[scheme][row];
    const line = (of) => `windows tasks_rcu=${scheme} preempt=${state.model} only=${table().name},${of},${n}`;
    const phase = table().phases[scenario]?.[row];
    const run = data.runs.find((run) => run.scheme === scheme && run.preempt === state.model);
    const answer = data.schemes.find(({ name }) => name === scheme).answer;
    const steps = [
        make("li", {}, "A task calls the traced function. It is stopped before ", code(insn), step ? ` (${step})` : "", ", at ",
            code(place), phase in PHASES ? `: ${PHASES[phase]}.` : ".", " ", HELD[held] ?? ""),
        make("li", {}, SCENARIOS[scenario]?.[1] ?? scenario),
        make("li", {}, "On another CPU the ops is replaced, and ", code(scheme), " is asked for a grace period",
            answer ? `. It ${/^(waits|does|walks)/.test(answer) ? answer : "goes by this: " + answer}.` : "."),
        make("li", {}, ending(found, held)),
    ];
    const aside = $("story");
    const button = make("button", { type: "button", id: "close", textContent: "Close" });
    button.setAttribute("aria-label", "Close the story");
    button.addEventListener("click", () => { close(); });
    aside.replaceChildren(button, make("h2", { id: "headline" }, code(scheme), ` ${SAYS[found]}`), make("ol", {}, ...steps));
    aside.append(make("h3", { textContent: "Do it again" }), make("pre", { className: "replay", textContent: `scripts/run ${line(scenario)}` }),
        make("p", {}, "The same in a debugger, stopped right there:"),
        make("pre", { textContent: `scripts/gdb --replay '${line(scenario)}'` }));
    aside.append(make("h3", { textContent: "In each way to stand there" }), make("ul", {}, ...among.map((other) => {
        const says = column(other, scheme)[row];
        return make("li", {}, make("span", { className: cellClass(says), textContent: GLYPHS[says] }),
            make("span", { textContent: `${SCENARIOS[other]?.[0] ?? other}: ${SAYS[says]}` }));
    })));
    if (found === "U" && run?.story.length) {
        const isThis = run.replay?.endsWith(` only=${table().name},${scenario},${n}`);
        aside.append(make("h3", { textContent: isThis ? "In the kernel's own words" : "The first such case of this scheme, in the kernel's own words" }),
            make("ol", { className: "own" }, ...run.story.map((text) => make("li", { textContent: text }))));
        if (run.replay && !isThis) aside.append(make("pre", { textContent: `scripts/run ${run.replay}` }));
    }
    aside.className = found === "?" ? "undecided" : found;
    aside.hidden = false;
    document.querySelector("main").classList.add("told");
    document.querySelectorAll("td .cell[aria-pressed=true]").forEach((cell) => cell.setAttribute("aria-pressed", "false"));
    cellAt(state.told)?.setAttribute("aria-pressed", "true");
    if (focus) aside.focus({ preventScroll: true });
    remember();
}

function ending(found, held) {
    switch (found) {
        case "U": return held === "ops"
            ? "The grace period ends. The ops is freed, its memory poisoned, func's text unmapped. The task goes on, with an address that leads nowhere good."
            : "The grace period ends. The ops is freed, func's text unmapped. The task goes on: its next instruction is gone.";
        case "W": return "The grace period goes on until the task has left. Nothing is freed under it.";
        case "L": return "The scheme looks at the task and goes on waiting, though there is nothing to wait for.";
        case ".": return "The grace period ends, the ops is freed, and the task goes on, unharmed.";
        case "F": return "The scheme's rules forbid that a func does this. It was done, to see; whatever came of it is no fault of the scheme's.";
        default: return "The grace period neither ended nor came to rest in time.";
    }
}

function close() {
    const cell = cellAt(state.told);
    state.told = null;
    $("story").hidden = true;
    document.querySelector("main").classList.remove("told");
    if (cell) {
        cell.setAttribute("aria-pressed", "false");
        focusCell(cell);
    }
    remember();
}

function focusCell(cell) {
    document.querySelectorAll('td .cell[tabindex="0"]').forEach((other) => { other.tabIndex = -1; });
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
    if (data.scenarios.includes(scenario)) state.scenario = scenario;
    if (data.schemes.some(({ name }) => name === scheme)) state.told = { scheme, row: Number(row) };
}

function show() {
    document.querySelectorAll("#models input").forEach((input) => { input.checked = input.value === state.model; });
    $("func").value = state.func;
    $("scenario").value = state.scenario;
    const used = data.scenarios.filter((scenario) => table().cells[state.model]?.[scenario]);
    [...$("scenario").options].forEach((option) => { option.disabled = ![ANY, ...used].includes(option.value); });
    draw();
    if (state.told) tell(state.told.scheme, state.told.row);
    remember();
}

function begin() {
    $("models").append(...data.models.map((model) => make("label", {},
        make("input", { type: "radio", name: "model", value: model }), make("span", { textContent: model }))));
    $("func").append(...data.funcs.map(({ name }, index) =>
        make("option", { value: index, textContent: name in FUNCS ? `${name}: ${FUNCS[name]}` : name })));
    $("scenario").append(make("option", { value: ANY, textContent: "any of these, the worst" }),
        ...data.scenarios.map((name) => make("option", { value: name, textContent: SCENARIOS[name]?.[0] ?? name })));
    const letters = Object.keys(data.letters).filter((letter) => data.runs.some((run) => run.counts[{
        ".": "right", W: "waits", L: "late", U: "unsafe", F: "forbidden", "?": "undecided" }[letter]]));
    $("legend").append(...letters.map((letter) => make("li", {},
        make("span", { className: cellClass(letter), textContent: GLYPHS[letter] }), SAYS[letter])));
    $("kernel").textContent = data.kernel ?? "";

    $("models").addEventListener("change", (event) => { state.model = event.target.value; show(); });
    $("func").addEventListener("change", () => { state.func = Number($("func").value); state.told = null; close(); show(); });
    $("scenario").addEventListener("change", () => { state.scenario = $("scenario").value; show(); });
    $("next").addEventListener("click", () => {
        const early = [...document.querySelectorAll("td .cell.U")];
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
        const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
        if (!(event.key in moves) || !event.target.matches(".cell")) return;
        event.preventDefault();
        const next = step(event.target, ...moves[event.key]);
        if (!next) return;
        focusCell(next);
        if (state.told) tell(next.dataset.scheme, Number(next.dataset.row));
    });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && state.told) close(); });
    recall();
    show();
}

begin();
