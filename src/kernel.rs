//! Boot, as a list; the wiring of the hooks; what a fault and a panic do.

extern crate alloc;

mod damage;
mod fault;
mod machine;
mod memory;
#[cfg_attr(not(feature = "faults"), path = "kernel/planting_none.rs")]
mod planting;
mod wiring;

use alloc::boxed::Box;
use core::ffi::{CStr, c_char};
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use holdout::arch::{boot, cpu, exit, gic, mmu, pmu, step, timer, uart};
use holdout::console::epitaph;
use holdout::ftrace::live;
use holdout::irq::watchdog;
use holdout::platform::bootargs::{self, BootArgs};
use holdout::platform::devicetree::Machine;
use holdout::platform::{Mode, Name, SchemeName};
use holdout::sched::{self, Class, Spawn, ipi, preemption, tick};
use holdout::{irq, lab, println, rcu, shell};
use machine::LookingAt;

/// What the modes need to know about the boot.
struct Booted {
    machine: Box<Machine>,
    args: BootArgs<'static>,
    seed: u64,
    callsites: usize,
}

static BOOTED: spin::Once<Booted> = spin::Once::new();
static TIMER_INTERRUPT: AtomicU32 = AtomicU32::new(0);
static PHYSICAL_TIMER_INTERRUPT: AtomicU32 = AtomicU32::new(0);

/// The first CPU, on the boot stack, IRQs masked, behind the temporary table.
#[unsafe(no_mangle)]
extern "C" fn kernel_main(device_tree: usize, x0: usize) -> ! {
    pmu::start();
    timer::init();
    wiring::wire();
    let machine = take_machine(device_tree, x0);
    machine::look_at(LookingAt::Gic);
    gic::init(&machine).unwrap_or_else(|error| refuse(format_args!("{error}")));
    machine::look_at(LookingAt::Nothing);
    irq::entry::init(machine.timer, machine.uart.interrupt);
    TIMER_INTERRUPT.store(machine.timer, Ordering::Relaxed);
    PHYSICAL_TIMER_INTERRUPT.store(machine.physical_timer, Ordering::Relaxed);
    start_task_zero();
    let booted = BOOTED.call_once(|| accept(machine));
    preemption::set_model(booted.args.preempt);
    ipi::set_nr_cpus(booted.args.cpus);
    machine::look_at(LookingAt::Gic);
    start_this_cpu();
    machine::look_at(LookingAt::Nothing);
    start_helpers(booted);
    start_other_cpus(booted);
    print_version();
    if booted.machine.cpus_in_tree > cpu::MAX_CPUS {
        println!("holdout: {} CPUs, of which {} can be used", booted.machine.cpus_in_tree, cpu::MAX_CPUS);
    }
    gic::enable_shared(booted.machine.uart.interrupt);
    uart::enable_receive_interrupt();
    let what = Spawn { name: booted.args.mode.as_str(), class: Class::Normal, cpu: None };
    must(sched::spawn(what, Box::new(run_mode)));
    ipi::run_idle()
}

/// Reads the machine, and makes its memory and console the kernel's. A frame of its own, which is left again: the
/// machine is large, and its CPU idles on this stack.
#[inline(never)]
fn take_machine(device_tree: usize, x0: usize) -> Box<Machine> {
    let (machine, tree) = machine::read(device_tree, x0);
    memory::init(&machine, tree);
    machine::open_console(&machine.uart, 0..mmu::STACK_WINDOW.start);
    Box::new(machine)
}

/// The first CPU, where the kernel cannot run: see `boot`.
#[unsafe(no_mangle)]
unsafe extern "C" fn kernel_unfit(device_tree: usize, why: *const c_char) -> ! {
    // SAFETY: a text that ends with NUL and lives for ever, as `boot` says.
    machine::unfit(device_tree, unsafe { CStr::from_ptr(why) })
}

/// Boot arguments, and what the image has to be traced: all that can be refused has been after this.
fn accept(machine: Box<Machine>) -> Booted {
    let line: &'static str = Box::leak(machine.bootargs.as_str().into());
    let args = bootargs::parse(line, machine.cpus.len()).unwrap_or_else(|error| refuse(format_args!("{error}")));
    if let Some(exact) = args.exact {
        lab::stress::note_exact(exact);
    }
    let seed = args.seed.unwrap_or_else(timer::count);
    let callsites = live::init().unwrap_or_else(|error| refuse(format_args!("callsites: {error:?}")));
    Booted { machine, args, seed, callsites }
}

fn start_task_zero() {
    must(ipi::init_first_cpu());
    wiring::wire_tasks();
}

/// Interrupts and tick of the CPU that calls this.
fn start_this_cpu() {
    step::init_cpu();
    let [resched, visit, lab] = ipi::SGIS;
    let irqs = [resched, visit, lab, TIMER_INTERRUPT.load(Ordering::Relaxed)];
    let fiqs = [ipi::SGI_FIQ, PHYSICAL_TIMER_INTERRUPT.load(Ordering::Relaxed)];
    gic::init_cpu(&irqs, &fiqs).unwrap_or_else(|error| refuse(format_args!("{error}")));
    if cpu::id() == 0 {
        machine::look_at_timer(TIMER_INTERRUPT.load(Ordering::Relaxed));
    }
    tick::start();
    watchdog::start_cpu();
}

/// Tasks that the rest counts on.
fn start_helpers(booted: &Booted) {
    must(ipi::start_reaper());
    must(rcu::start());
    must(watchdog::start());
    must(rcu::set_scheme(booted.args.scheme().as_str()));
}

fn start_other_cpus(booted: &Booted) {
    for (number, description) in booted.machine.cpus.iter().enumerate().take(booted.args.cpus).skip(1) {
        must(gic::reaches(number));
        let (task, stack_top) = must(ipi::prepare_cpu(number));
        if let Err(error) = boot::start_secondary(number, description.mpidr, &raw const task.header, stack_top) {
            let mpidr = description.mpidr;
            refuse(format_args!("CPU {number} with MPIDR {mpidr:#x} does not start, says PSCI: {error}"));
        }
    }
}

/// Another CPU, on its idle task's stack, IRQs masked.
fn secondary() -> ! {
    start_this_cpu();
    ipi::run_idle()
}

/// The commit that `build.rs` names. It is bytes of its own, no text among others: the linker places texts by what they say,
/// and how long it takes to read one depends on its place. So commits of the same sources take the same way on an exact
/// machine.
static COMMIT: [u8; 12] = *env!("HOLDOUT_COMMIT").as_bytes().first_chunk().expect("build.rs names 12 bytes");

/// The first line of every boot.
fn print_version() {
    let Some(booted) = BOOTED.get() else { return };
    println!(
        "holdout {} ({}) aarch64, {} CPUs, GICv{}, EL{}, tasks_rcu={}, preempt={}, seed={}, {} callsites",
        env!("CARGO_PKG_VERSION"),
        str::from_utf8(&COMMIT).unwrap_or_default(),
        booted.args.cpus,
        booted.machine.gic.version(),
        boot::entry_level(),
        rcu::scheme_name(),
        booted.args.preempt,
        booted.seed,
        booted.callsites,
    );
}

/// The mode's task: runs it and ends the machine with its status.
fn run_mode() {
    let Some(booted) = BOOTED.get() else { return };
    let args = BootArgs { seed: Some(booted.seed), progress: false, ..booted.args };
    lab::progress::show(booted.args.shows_progress());
    planting::break_on_purpose(args.fault);
    let status = match args.mode {
        Mode::Stress => lab::stress::run(&args),
        Mode::Bench => lab::bench::run(&args),
        Mode::Demo => {
            lab::demo::run();
            shell::run(&args)
        }
        Mode::Selftest => lab::selftest::run(&args),
        Mode::Windows => lab::windows::run(&args),
        Mode::Shell => shell::run(&args),
    };
    exit::exit(status)
}

/// `stress …` from the shell: under the scheme that it names, if it names one.
fn stress_from_shell(args: &BootArgs<'_>) -> u8 {
    if let Some(scheme) = args.tasks_rcu
        && let Err(error) = live::set_scheme(scheme.as_str())
    {
        println!("stress: {error}");
        return exit::STATUS_FAIL;
    }
    planting::break_on_purpose(args.fault);
    let running = SchemeName::from_word(rcu::scheme_name());
    // What a person types comes when it comes: only commands of the boot line are the same each time.
    let exact = BOOTED.get().filter(|booted| booted.args.cmds.is_some()).and_then(|booted| booted.args.exact);
    let (preempt, cpus) = (preemption::model(), sched::nr_cpus());
    let (secs, seed, fault) = (args.secs, args.seed, args.fault);
    let own = BootArgs { tasks_rcu: running, preempt, secs, seed, fault, exact, ..BootArgs::new(Mode::Stress, cpus) };
    // On a stack of its own, as at boot: the shell's is used by what has read the line.
    static STATUS: AtomicU32 = AtomicU32::new(0);
    let what = Spawn { name: "stress", class: Class::Normal, cpu: None };
    let work = move || STATUS.store(u32::from(lab::stress::run(&own)), Ordering::Relaxed);
    match sched::spawn(what, Box::new(work)) {
        Ok(task) => task.join(),
        Err(error) => {
            println!("stress: {error}");
            return exit::STATUS_FAIL;
        }
    }
    STATUS.load(Ordering::Relaxed) as u8
}

/// What cannot go wrong on a machine that boots: says what did, and refuses.
fn must<T, E: fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| refuse(format_args!("{error}")))
}

/// One line that says why this machine, or these arguments, cannot be run. Context: boot.
fn refuse(why: fmt::Arguments<'_>) -> ! {
    println!("holdout: {why}");
    exit::exit(exit::STATUS_REFUSED)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let message = info.message();
    match info.location() {
        Some(location) => epitaph::die(format_args!("{message}, at {location}"), None, exit::STATUS_PANIC),
        None => epitaph::die(format_args!("{message}"), None, exit::STATUS_PANIC),
    }
}
