"use strict";
// Where somebody stands, by the row of the theory's table.
const situation = (row) => data.situations.find((it) => it.row === row)?.words ?? "";

// The story of one cell, in the steps that are the same for all, and in the kernel's own words where it told this one.
function tell(scheme, row) {
    state.told = { scheme, row };
    two.told = null;
    const found = letter(scheme, row);
    if (found === " ") return close();
    const { insn, step, place, held } = table().rows[row];
    const among = scenariosOf(scheme, row);
    const isAsked = (scenario) => column(scenario, scheme)[row] === found && [ANY, scenario].includes(state.scenario);
    const scenario = among.find(isAsked) ?? among[0];
    const n = number(scenario, scheme, row);
    const only = `${table().name},${scenario},${n}`;
    const phase = situation(table().phases[scenario]?.[row]);
    const run = data.runs.find((run) => run.scheme === scheme && run.preempt === state.model);
    const answer = data.schemes.find(({ name }) => name === scheme).answer;
    const steps = [
        make("li", {}, "A task calls the traced function. It is stopped before ", code(insn), step ? ` (${step})` : "", ", at ",
            code(place), phase ? `: ${phase}.` : ".", " ", HELD[held] ?? ""),
        make("li", {}, SCENARIOS.get(scenario).words || `The kernel calls this way to stand there ${scenario}.`),
        make("li", {}, "On another CPU the ops is replaced, and ", code(scheme), " is asked for a grace period",
            answer ? `. It ${/^(waits|does|walks)/.test(answer) ? answer : "goes by this: " + answer}.` : "."),
        make("li", {}, ending(found, held)),
    ];
    const ways = make("ul", {}, ...among.map((other) => {
        const says = column(other, scheme)[row];
        return make("li", {}, make("span", { className: cellClass(says), textContent: GLYPHS[says] }),
            make("span", { textContent: `${SCENARIOS.get(other).title}: ${SAYS[says]}` }));
    }));
    const parts = [...again(scheme, only), make("h3", { textContent: "In each way to stand there" }), ways];
    openStory(found, [code(scheme), ` ${SAYS[found]}`], steps, [...parts, ...(found === "U" ? own(run, only) : [])], cellAt(state.told));
    remember();
}

// Opens the story of `cell`: a headline, steps, and what else there is to say.
function openStory(found, headline, steps, parts, cell) {
    const aside = $("story");
    const button = make("button", { type: "button", id: "close", textContent: "Close" });
    button.setAttribute("aria-label", "Close the story");
    button.addEventListener("click", () => { close(); });
    aside.replaceChildren(button, make("h2", { id: "headline" }, ...headline), make("ol", {}, ...steps), ...parts);
    aside.className = "?!".includes(found) ? "undecided" : found;
    aside.hidden = false;
    document.querySelector("main").classList.add("told");
    document.querySelectorAll("td .cell[aria-pressed=true]").forEach((other) => other.setAttribute("aria-pressed", "false"));
    cell?.setAttribute("aria-pressed", "true");
    uncover(cell, aside);
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

// On a narrow screen the story lies over the table: the cell that it is about stays in sight.
function uncover(cell, aside) {
    if (!cell || getComputedStyle(aside).position !== "fixed") return;
    const hidden = cell.getBoundingClientRect().bottom + 24 - aside.getBoundingClientRect().top;
    if (hidden > 0) scrollBy({ top: hidden, behavior: "instant" });
}

// How one sees it again.
function again(scheme, only) {
    const line = `windows tasks_rcu=${scheme} preempt=${state.model} only=${only}`;
    return [make("h3", { textContent: "Do it again" }), make("pre", { className: "replay", textContent: `scripts/run ${line}` }),
        make("p", {}, "The same in a debugger, stopped right there:"), make("pre", { textContent: `scripts/gdb --replay '${line}'` })];
}

// The story that the kernel told: it tells the first of a scheme.
function own(run, only) {
    if (!run?.story.length) return [];
    const isThis = run.replay?.endsWith(` only=${only}`);
    const parts = [make("h3", { textContent: isThis ? "In the kernel's own words" : "The first such case of this scheme, in the kernel's own words" }),
        make("ol", { className: "own" }, ...run.story.map((text) => make("li", { textContent: text })))];
    if (run.replay && !isThis) parts.push(make("pre", { textContent: `scripts/run ${run.replay}` }));
    return parts;
}
