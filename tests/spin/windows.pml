/*
 * The window table of the theory: may a retired ops be freed while a context stands in row R under scheme S?
 *
 * One task on two CPUs, or one interrupt on an idle CPU, goes through a traced call by phases; interrupts hit it
 * anywhere, a softirq on top of one may be interrupted again, at the outer exit the task may be preempted, go on on
 * either CPU, and be preempted there once more; it may block, sleep, exit. An updater stores the new literal, does the grace
 * period of the scheme, frees. Whenever it frees, the row in which the context stands then is told on standard output:
 *
 *     free SCHEME MODEL ROW held|clear        and, when the literal changes:        stands SCHEME MODEL ROW
 *
 * Scheme, preemption model, and whether the context stays where it is once the literal has changed (`stays`: rows) or goes
 * on (soundness: row `any`) are chosen by the search, so one exhaustive run answers for all of them. `tests/windows.rs`
 * compares the answers with the table. Faults are planted with -DNAME: see FAULTS below.
 *
 * Covered: every interleaving of these events, to the end of the state space, no bound. Rows 1a to 15 and 18.
 * Not covered: memory order (every step is seen by all at once: that is what litmus tests and loom are for); more than
 * one call, task or round at a time, so neither progress nor many ops; a task and an interrupt that both hold; rows
 * 16, 17, 19, 20; instructions: a phase is some, and the explorer steps through them on the real thing. The shipping files
 * are not read here: schemes are written down again, from the theory. In particular `depth` and `scan` list who holds at
 * the switch itself, and look once; the shipping ones list everybody who leaves, examine them behind the round, and look
 * again when somebody holds less. What they do in rows 15 and 18 is `tests/models/holders.rs`'s to say. The preemption point repeats itself as Linux's
 * does; ours goes through once, so row 13 by way of `ip` is Linux's own.
 */

/* Phases, in order: TA, TB: in the trampoline before T2, the second with the count up; TC: T2 done, func not called;
 * PRO, BODY, EPI: func; TD, TE: T7 and later, the second with the count down; OUT: the traced function's own code. */
#define F 0
#define TA 1
#define TB 2
#define TC 3
#define PRO 4
#define BODY 5
#define EPI 6
#define TD 7
#define TE 8
#define OUT 9

#define NONE 0
#define SCHED 1
#define RUDE 2
#define IP 3
#define FLAG 4
#define CLASSIC 5
#define LINUX 6
#define NOPREEMPT 7
#define DEPTH 8
#define SCAN 9

/* The schemes of a run: all, or -DFROM= and -DTO= for some. */
#ifndef FROM
#define FROM NONE
#define TO SCAN
#endif

/* How the task left its CPU. */
#define AT_EXIT 1       /* preempted at the exit of an IRQ */
#define AT_ENABLE 2     /* preempted by preempt_enable() */
#define BLOCKED 3       /* it asked for it */

#define AWAY 2          /* as a CPU: none */

/* FAULTS: INNER_CLEARS (the inner IRQ clears the flag), MARK_BEFORE (the flag is undone before the preemption point),
 * DELIST_AT_RESUME (a holder leaves the list when it is switched in), LIST_FIRST (the list is read before the CPUs
 * answer), STALE_ACK (an answer to the round before counts), ANY_LEVEL (an SGI is answered on top of a softirq that
 * holds), NO_BRACKETS, EXIT_MISSED (an exiting task is not listed), UNPINNED (off-CPU and the flag are read one after the
 * other), NO_COUNT (the count goes up after T2). Not a fault: NUDGE (`sched` asks for a reschedule, and none wanted counts). */

c_decl {
    static int told[2][10][2][24][2];
    static const char *schemes[] = {"none", "sched", "rude", "ip", "flag", "classic", "linux", "nopreempt", "depth", "scan"};
    static const char *rows[] = {"-", "1a", "1b-before", "1b-counted", "2", "3", "4", "5", "6", "7", "8", "9", "10",
                                 "11-counted", "11-after", "12", "13", "14", "15", "18", "out", "any"};
    static void tell(int is_free, int scheme, int preempts, int row, int held) {
        if (row && !told[is_free][scheme][preempts][row][held]++)
            printf("%s %s %s %s %s\n", is_free ? "free" : "stands", schemes[scheme], preempts ? "preempt" : "voluntary",
                   rows[row], held ? "held" : "clear");
    }
}
#define R_1A 1
#define R_1B_BEFORE 2
#define R_1B_COUNTED 3
#define R_2 4
#define R_3 5
#define R_4 6
#define R_5 7
#define R_6 8
#define R_7 9
#define R_8 10
#define R_9 11
#define R_10 12
#define R_11_COUNTED 13
#define R_11_AFTER 14
#define R_12 15
#define R_13 16
#define R_14 17
#define R_15 18
#define R_18 19
#define R_OUT 20
#define R_ANY 21

byte scheme, row, row2;
bool preempts, stays, is_irq;   /* the choices */
bool new_literal, freed;

/* The task. */
byte pos = OUT, cpu = 0, how, was_on;
bool count, holds;              /* the trampoline's count (depth, or preemption disabled); it holds the old ops: the truth */
bool exiting, gone;
byte level;                     /* 0 task, 1 IRQ handler, 2 softirq, 3 before the preemption point, 4 after it */
bool entered, was_nested, left_here; /* of its outer IRQ entry; it was preempted at its exit */
byte again;                     /* preempted once more at the same exit: 1, and on another CPU: 2 */
byte stops;                     /* times off its CPU since the literal changed, not counting the scheme's own worker */
bool was_off, in_round;         /* off its CPU at all since then; switched while the round was asking */
/* What schemes know of it. */
bool flag, away, mark, listed, collecting;
bool last_pc[2];

/* The interrupt on idle CPU 1: 1 its handler holds, 2 its softirq holds. */
byte irq_level;
bool irq_mark;

/* The grace period. */
bool asked[2], owes[2], asking;

#define in_trampoline (pos >= TA && pos <= TC || pos == TD || pos == TE)
#define counts (scheme == NOPREEMPT || scheme == DEPTH)
#define is_listed_scheme (scheme == IP || scheme == FLAG || scheme == CLASSIC || scheme == LINUX)
#define is_precise (scheme == DEPTH || scheme == SCAN)
/* What `depth` and `scan` see in the task: its count; a frame that names the ops (or the register, before T3). */
#define seen_holding (scheme == DEPTH && count || scheme == SCAN && holds)
#define preemptible (preempts && !(scheme == NOPREEMPT && count))
#define may_step (cpu != AWAY && level == 0 && !(stays && new_literal))

/* A CPU's report: it is quiescent. */
inline report(c) { owes[c] = false }

/* The switch hook: the task leaves its CPU. */
inline leave(reason) {
    if
    :: is_listed_scheme && (reason == BLOCKED || scheme == IP && !last_pc[cpu] || scheme == FLAG && !flag) ->
        away = true; mark = false
    :: else
    fi;
    listed = is_precise && seen_holding;
    mark = mark && (seen_holding || !is_precise);
    if
    :: scheme != RUDE && scheme != DEPTH && scheme != SCAN -> report(cpu)
    :: else
    fi;
    how = reason; was_on = cpu; cpu = AWAY;
    was_off = was_off || new_literal && stays; in_round = in_round || asking && stays && pos == TC
}

/* The visit's handler on the task's CPU, on top of it or of its softirq. */
inline visited(outermost) {
    asked[cpu] = false;
    if
    :: is_precise && seen_holding -> mark = true
    :: is_precise && !seen_holding -> mark = false
    :: scheme == SCHED || scheme == RUDE -> owes[cpu] = true
    :: is_listed_scheme || scheme == NOPREEMPT ->
        owes[cpu] = !(outermost && !(scheme == NOPREEMPT && count))
    :: else
    fi
}

/* The outermost IRQ's exit, before its preemption point. */
inline irq_exit() {
    if
    :: is_listed_scheme || scheme == NOPREEMPT && !count -> report(cpu)
    :: is_precise && !seen_holding -> mark = false
    :: else
    fi
}

inline irq_out() {
    if
    :: entered -> flag = false; entered = false
    :: else
    fi
}

/* The row in which the context stands, 0 if in none that the table has. */
inline find_row() {
    row = 0; row2 = 0;
    if
    :: is_irq -> row = (irq_level != 0 -> R_8 : R_OUT)
    :: !is_irq && !stays -> row = R_ANY
    :: !is_irq && stays && pos == OUT -> row = R_OUT
    :: !is_irq && stays && pos != OUT && cpu != AWAY && level == 0 ->
        if
        :: exiting && pos == TC && !was_off -> row = R_14
        :: !exiting && stops == 0 && holds -> row = R_12
        :: !exiting && stops == 1 && pos == TC && how == AT_EXIT -> row = R_15
        :: else
        fi
    :: !is_irq && stays && pos != OUT && cpu == AWAY && !exiting ->
        if
        :: stops > 1 || again == 1 -> skip
        :: stops <= 1 && again == 2 && pos == TC -> row = R_13
        :: stops <= 1 && again == 0 && how == AT_ENABLE -> row = R_5
        :: stops <= 1 && again == 0 && how == BLOCKED -> row = R_9
        :: stops <= 1 && again == 0 && how == AT_EXIT && was_nested ->
            row = (pos == TC -> R_6 : (pos == BODY -> R_7 : 0))
        :: stops <= 1 && again == 0 && how == AT_EXIT && !was_nested ->
            if
            :: pos == F -> row = R_1A
            :: pos == TA -> row = R_1B_BEFORE
            :: pos == TB -> row = R_1B_COUNTED
            :: pos == TC -> row = R_2
            :: pos == PRO -> row = R_3
            :: pos == BODY -> row = R_4
            :: pos == EPI -> row = R_10
            :: pos == TD -> row = R_11_COUNTED
            :: pos == TE -> row = R_11_AFTER
            fi
        :: else
        fi
    :: else
    fi;
    /* Beside its own row: switched between two looks of one round. */
    if
    :: !is_irq && stays && pos == TC && in_round -> row2 = R_18
    :: else
    fi
}

#ifdef NO_COUNT
#define up_before false
#else
#define up_before true
#endif

/* The task's own steps. */
proctype task() provided (!freed) {
end:
    do
    /* The call, phase by phase. */
    :: atomic { may_step && pos == F -> pos = TA }
    :: atomic { may_step && pos == TA -> count = counts && up_before; pos = TB }
    :: atomic { may_step && pos == TB -> holds = !new_literal; pos = TC }
    :: atomic { may_step && pos == TC -> count = counts; pos = PRO }
    :: atomic { may_step && pos == PRO -> pos = BODY }
    :: atomic { may_step && pos == BODY -> pos = EPI }
    :: atomic { may_step && pos == EPI -> holds = false; pos = TD }
    :: atomic { may_step && pos == TD -> count = false; pos = TE }
    :: atomic { may_step && pos == TE -> pos = OUT }
    :: atomic { may_step && pos == OUT -> pos = F }
    /* It sleeps; func blocks, where that is looked at or allowed; preempt_enable() in func. */
    :: atomic { may_step && pos == OUT -> leave(BLOCKED) }
    :: atomic { cpu != AWAY && level == 0 && pos == BODY && scheme != NOPREEMPT && (is_precise || stays || !new_literal) ->
           stops = (new_literal && stays && stops < 2 -> stops + 1 : stops); leave(BLOCKED) }
    :: atomic { cpu != AWAY && level == 0 && pos == BODY && preemptible ->
           stops = (new_literal && stays && stops < 2 -> stops + 1 : stops); leave(AT_ENABLE) }
    /* It exits: off the task list, and after that still a task that makes calls, until its last switch. */
    :: atomic { may_step && pos == OUT && !exiting ->
           exiting = true;
           if
           :: is_listed_scheme -> mark = false
           :: else
           fi }
    :: atomic { may_step && pos == OUT && exiting -> leave(BLOCKED); gone = true; break }
    /* An interrupt; it is the visit's if that is asked for. */
    :: atomic { cpu != AWAY && level == 0 ->
           last_pc[cpu] = scheme == IP && in_trampoline;
           if
           :: scheme == FLAG && in_trampoline && !flag -> flag = true; entered = true
           :: else
           fi;
           if
           :: asked[cpu] -> visited(true)
           :: else
           fi;
           level = 1 }
    :: atomic { level == 1 -> level = 2 }
    :: atomic { level == 1 -> level = 3; irq_exit() }
    /* On top of the softirq another one, whose interrupted PC is the softirq's. */
    :: atomic { level == 2 && (!was_nested || asked[cpu]) ->
           last_pc[cpu] = false; was_nested = true;
           if
           :: asked[cpu] -> visited(false)
           :: else
           fi
#ifdef INNER_CLEARS
           ; flag = false
#endif
           }
    :: atomic { level == 2 -> level = 3; irq_exit() }
    /* The preemption point, and what comes after it. */
    :: atomic { level == 3 ->
#ifdef MARK_BEFORE
           irq_out();
#endif
           level = 4 }
    :: atomic { cpu != AWAY && level == 4 && preemptible && again < 2 ->
           again = (left_here -> (was_on == cpu -> 1 : 2) : 0); left_here = true;
           stops = (new_literal && stays && stops < 2 -> stops + 1 : stops);
           leave(AT_EXIT) }
    /* The worker of `rude` preempts it. */
    :: atomic { cpu != AWAY && level == 4 && preemptible && owes[cpu] && again < 2 && (scheme == RUDE || scheme == LINUX) ->
           report(cpu);
           again = (left_here -> (was_on == cpu -> 1 : 2) : 0); left_here = true;
           leave(AT_EXIT) }
#ifdef NUDGE
    :: atomic { cpu != AWAY && level == 4 && preemptible && scheme == SCHED -> report(cpu) }
#endif
    :: atomic { cpu != AWAY && level == 4 -> irq_out(); level = 0; was_nested = false; again = 0; left_here = false; was_on = 0 }
    /* It goes on, on either CPU. */
    :: atomic { cpu == AWAY && !gone ->
           if
           :: cpu = 0
           :: cpu = 1
           fi;
           away = false;
#ifdef DELIST_AT_RESUME
           listed = false;
#endif
           /* The walk passes over who runs: whoever goes on before it is looked at here. */
           mark = mark || collecting && listed && seen_holding;
           in_round = in_round || asking && stays && pos == TC;
           how = (new_literal && stays -> how : 0) }
    od
}

/* CPUs on which the task is not: they run something else, which holds nothing, and answer at once. */
proctype others() provided (!freed) {
end:
    do
    :: atomic { asked[0] && cpu != 0 -> asked[0] = false; last_pc[0] = false; owes[0] = (scheme == RUDE || scheme == LINUX) }
    :: atomic { asked[1] && cpu != 1 && irq_level == 0 ->
           asked[1] = false; last_pc[1] = false; owes[1] = (scheme == RUDE || scheme == LINUX) }
    :: atomic { owes[0] && cpu != 0 -> report(0) }
    :: atomic { owes[1] && cpu != 1 && irq_level == 0 -> report(1) }
    od
}

/* An interrupt on idle CPU 1 that makes a traced call, in its handler or in its softirq. */
proctype interrupt() provided (!freed) {
end:
    do
    :: atomic { irq_level == 0 && !new_literal && !asked[1] -> holds = true; irq_level = 1 }
    :: atomic { irq_level == 1 -> irq_level = 2 }
    /* IRQs are unmasked in a softirq: the visit comes in on top of it. */
    :: atomic { irq_level == 2 && asked[1] ->
           asked[1] = false;
#ifdef ANY_LEVEL
           owes[1] = (scheme == SCHED || scheme == RUDE)
#else
           owes[1] = !is_precise; irq_mark = is_precise
#endif
           }
    :: atomic { irq_level != 0 && !stays -> irq_level = 0; holds = false; irq_mark = false; report(1) }
    od
}

inline ask(c) {
#ifdef STALE_ACK
    skip
#else
    asked[c] = true
#endif
}

/* One round: every CPU is asked, and has answered. */
inline round() {
    asking = true;
    atomic { ask(0); ask(1) };
    atomic { !asked[0] && !asked[1] -> asking = false }
}

inline bracket() {
    round();
    !owes[0] && !owes[1]
}

inline list() {
#ifdef UNPINNED
    bool off;
    if
    :: scheme == FLAG ->
        atomic { off = (cpu == AWAY); mark = !gone };
        atomic { mark = mark && !(off && !flag) }
    :: else ->
        atomic { mark = !gone };
        atomic { mark = mark && !away }
    fi;
#else
#ifdef EXIT_MISSED
    mark = !gone && !exiting;
#else
    mark = !gone;
#endif
    atomic { mark = mark && !away };
#endif
    !mark
}

inline classic() {
#ifndef NO_BRACKETS
    bracket();
#endif
    list();
#ifndef NO_BRACKETS
    bracket()
#endif
}

inline walk() {
    atomic { collecting = false; mark = mark || listed && cpu == AWAY && seen_holding }
}

inline precise() {
#ifdef LIST_FIRST
    walk();
    round();
#else
    collecting = true;
    round();
    walk();
#endif
    !mark && !irq_mark
}

proctype updater() {
    atomic {
        new_literal = true;
        /* Where func may not block the context that did is looked at where it stands, and not farther. */
        if
        :: stays = true
        :: !(how == BLOCKED && pos == BODY && cpu == AWAY) || is_precise -> stays = false
        fi;
        stops = (stays && cpu == AWAY -> 1 : 0); was_off = (stays && cpu == AWAY);
        find_row();
        c_code { tell(0, now.scheme, now.preempts, now.row, now.holds); }
    };
    if
    :: scheme == NONE
    :: scheme == SCHED || scheme == RUDE || scheme == NOPREEMPT -> bracket()
    :: scheme == IP || scheme == FLAG || scheme == CLASSIC -> classic()
    :: scheme == LINUX -> bracket(); classic()
    :: is_precise -> precise()
    fi;
    atomic {
        freed = true;
        find_row();
        c_code {
            tell(1, now.scheme, now.preempts, now.row, now.holds);
            tell(1, now.scheme, now.preempts, now.row2, now.holds);
        }
    }
}

init {
    atomic {
        select(scheme : FROM .. TO);
        if
        :: preempts = true
        :: preempts = false
        fi;
        if
        :: is_irq = true; cpu = AWAY; gone = true; run interrupt()
        :: is_irq = false; run task()
        fi;
        run others();
        run updater()
    }
}
