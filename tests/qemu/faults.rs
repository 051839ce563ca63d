//! Faults and panics: each ends in one epitaph that says what, where, who, in what context, and what happened before.

use crate::epitaph::{Epitaph, provoked};
use crate::guest::Guest;

/// What most of them have in common: the shell's task did it, outside of any interrupt.
const TASK: &[&str] = &["in the task itself, IRQs unmasked"];
const TO_THE_BASE: &[&str] = &["holdout::shell::session::run", "holdout::sched::switch::task_main", "task_begin"];

#[test]
fn a_panic_ends_with_an_epitaph_and_status_101() {
    let ended = Guest::with_cpus(4).boot(&["shell", "cmds=ps; sleep 20; panic yes; version"]).expect_status(101);
    let epitaph = Epitaph::of(&ended).says(&["panic: asked for at the shell, at src/shell/faults.rs:"]);
    let epitaph = epitaph.of_task("shell-", TASK).called_by(&["holdout::shell::faults::panic"]).called_by(TO_THE_BASE);
    assert!(epitaph.pc.is_empty(), "no exception: {}", epitaph.pc);
    for words in ["wakes shell-", "switch to shell-", "irq "] {
        let is_told = epitaph.events.iter().any(|line| line.contains(words));
        assert!(is_told, "no `{words}` among {:#?}", epitaph.events);
    }
}

#[test]
fn a_store_to_text_or_to_a_constant_is_not_permitted() {
    let parts = ["panic: store not permitted at address 0x402", "(kernel text: _start)", "syndrome 0x9600004f"];
    provoked(1, "text-store").says(&parts).of_task("shell-", TASK).at("access::write_back").with_full_log();
    let parts = ["panic: store not permitted at address 0x40", "(read-only data)"];
    provoked(1, "rodata-store").says(&parts).of_task("shell-", TASK).at("access::write_back").called_by(TO_THE_BASE);
}

#[test]
fn null_is_named_and_so_is_what_is_near_it() {
    let parts = ["panic: load not mapped at address 0x0 (null), syndrome 0x9600000"];
    provoked(1, "null").says(&parts).of_task("shell-", TASK).at("access::load").called_by(TO_THE_BASE).with_full_log();
    let parts = ["panic: load not mapped at address 0x48 (near null: 0x48 into an object that is not there)"];
    provoked(1, "near-null").says(&parts).at("access::load");
}

#[test]
fn a_fault_in_an_interrupt_is_told_across_the_exception() {
    let epitaph = provoked(2, "null-irq").says(&["load not mapped at address 0x0 (null)"]).with_full_log();
    let epitaph = epitaph.of_task("shell-", &["in a hardirq, IRQs masked"]).at("access::load");
    let epitaph = epitaph.called_by(&["access::load", "holdout::irq::entry::irq", "(interrupted)", "in_irq"]);
    let epitaph = epitaph.called_by(TO_THE_BASE);
    assert!(epitaph.events.last().is_some_and(|line| line.contains("timer calls ")), "{:?}", epitaph.events);
}

#[test]
fn a_pointer_from_freed_memory_and_a_stack_s_guard_are_named() {
    let parts = ["panic: load not mapped at address 0xdeadf4eedeadf4ff (poison: freed memory, +16 from what fills it)"];
    provoked(1, "poison").says(&parts).of_task("shell-", TASK).at("access::load");
    let parts = ["panic: store not mapped at address 0x60", "100 (the guard below the stack of task shell-"];
    provoked(1, "guard-store").says(&parts).of_task("shell-", TASK).at("access::store_to_guard");
}

#[test]
fn undefined_instructions_and_data_as_code_are_each_named() {
    let parts = ["panic: undefined instruction at address 0x402", "syndrome 0x2000000"];
    provoked(1, "undefined").says(&parts).of_task("shell-", TASK).at("access::execute_undefined").with_full_log();
    let parts = ["panic: instruction fetch not permitted at address 0x40", "(data), syndrome 0x8600000f"];
    let epitaph = provoked(1, "jump-to-data").says(&parts).of_task("shell-", TASK);
    epitaph.called_by(&["(interrupted)", "holdout::shell::faults::access::jump_to_data"]).called_by(TO_THE_BASE);
}

#[test]
fn a_device_and_a_hole_answer_with_aborts() {
    let parts = ["panic: load misaligned at address 0x9000019 (the UART's registers)"];
    provoked(1, "unaligned-device").says(&parts).of_task("shell-", TASK).at("access::load_unaligned_from_device");
    let parts = ["panic: load external abort at address 0x78", "(func page ", "syndrome 0x96000010"];
    provoked(1, "external-abort").says(&parts).of_task("shell-", TASK).at("access::load").called_by(TO_THE_BASE);
}

#[test]
fn a_stack_overflow_hits_the_guard_and_is_told_from_another_stack() {
    let parts = ["panic: stack overflow: sp 0x60", " runs into the guard below the stack of task shell-"];
    let epitaph = provoked(2, "stack-overflow").says(&parts).of_task("shell-", TASK).at("stack::overflow");
    // The calls of itself are one line, so that what began it is seen.
    let epitaph = epitaph.called_by(&["stack::overflow", " times"]).called_by(TO_THE_BASE).with_full_log();
    assert!(epitaph.frames.len() < 16, "{:#?}", epitaph.frames);
}

#[test]
fn a_stack_overflow_in_an_interrupt_says_so() {
    let parts = ["panic: stack overflow: sp 0x60", " runs into the guard below the stack of task shell-"];
    let epitaph = provoked(2, "stack-overflow-irq").says(&parts).of_task("shell-", &["in a hardirq, IRQs masked"]);
    let frames = ["stack::overflow", " times", "holdout::irq::entry::irq", "(interrupted)", "faults::in_irq"];
    epitaph.at("stack::overflow").called_by(&frames).called_by(TO_THE_BASE).with_full_log();
}

#[test]
fn the_overflow_stack_has_a_guard_too() {
    let parts = ["panic: stack overflow: sp 0x40", " runs into the guard below the overflow stack of CPU "];
    let epitaph = provoked(2, "stack-overflow-twice").says(&parts);
    let epitaph = epitaph.of_task("shell-", &["preemption disabled 1 deep, IRQs masked"]).at("stack::overflow");
    epitaph.called_by(&["stack::overflow", " times"]).with_full_log();
}

#[test]
fn a_stack_pointer_that_is_none_is_told_with_its_pc() {
    let parts = ["panic: bad stack pointer: 0x5a5000006000 is in no stack (nothing that this kernel put there)"];
    let epitaph = provoked(1, "bad-sp").says(&parts);
    epitaph.of_task("shell-", &["IRQs masked"]).at("stack::push_at").called_by(TO_THE_BASE).with_full_log();
    let epitaph = provoked(1, "misaligned-sp").says(&["panic: bad stack pointer: 0x60", "8 is not a multiple of 16"]);
    epitaph.of_task("shell-", &["IRQs masked"]).at("stack::push_at").called_by(TO_THE_BASE);
}

#[test]
fn a_fault_a_panic_or_an_overflow_while_a_panic_is_told_ends_it_and_both_are_told() {
    let first = "panic: its message does";
    for (kind, second, is_fault) in [
        ("nested-exception", "load not mapped at address 0x0 (null)", true),
        ("second-panic", "the second, at src/shell/faults/twice.rs:", false),
        ("stack-overflow-panic", "runs into the guard below the stack of task shell-", true),
    ] {
        let epitaph = provoked(2, kind).says(&[first, "panic again, while the first was told: ", second]);
        assert_eq!(epitaph.message.lines().count(), 2, "{}", epitaph.message);
        assert_eq!(epitaph.pc.is_empty(), !is_fault, "{kind}: {}", epitaph.pc);
        epitaph
            .of_task("shell-", &["in the task itself"])
            .called_by(&["twice::"])
            .called_by(TO_THE_BASE)
            .with_full_log();
    }
}

#[test]
fn of_two_cpus_that_panic_at_once_one_tells_and_the_other_is_named() {
    for _ in 0..4 {
        let epitaph = provoked(2, "panic-on-two-cpus");
        let (cpu, other, task) = if epitaph.who.starts_with("CPU 0") { (0, 1, "shell-") } else { (1, 0, "other-") };
        let epitaph = epitaph.says(&[&format!("panic: one of 2, on CPU {cpu}, at src/shell/faults/twice.rs:")]);
        assert_eq!(epitaph.last_words, [format!("CPU {other} panicked too, and was stopped")]);
        epitaph.of_task(task, &["in the task itself, IRQs masked"]).called_by(&["panic_together", "task_begin"]);
    }
    // One CPU alone does not wait for another.
    provoked(1, "panic-on-two-cpus").says(&["one of 1, on CPU 0"]).with_full_log();
}

#[test]
fn a_cpu_that_prints_when_another_one_panics_ends_its_line_and_prints_no_more() {
    const WHOLE: &str = "CPU 1 prints a line that nobody may cut short";
    for _ in 0..4 {
        let ended = Guest::with_cpus(2).boot(&["shell", "cmds=fault panic-while-printing yes"]).expect_status(101);
        let lines: Vec<&str> = ended.lines().collect();
        let begin = lines.iter().position(|line| line.starts_with("panic: ")).expect("an epitaph");
        assert!(begin > 20 && lines[2..begin].iter().all(|line| *line == WHOLE), "{:#?}", &lines[..begin]);
        assert!(lines[begin..].iter().all(|line| !line.contains("prints a line")), "{}", ended.story());
        Epitaph::of(&ended).says(&["panic: in the middle of another CPU's lines"]).of_task("shell-", TASK);
    }
}
