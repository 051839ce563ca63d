//! Boot, as a list; wiring; panics and faults.
#![allow(unused)]
use holdout::arch::{self, boot, cpu, exit, gic, mmu, psci, timer, uart, vectors};
use holdout::console::epitaph;
use holdout::platform::bootargs::{self, BootArgs};
use holdout::platform::devicetree::{self, Machine};
use holdout::{irq, mm, println, sched, sync};
use core::fmt::Write;

#[unsafe(no_mangle)]
extern "C" fn kernel_main(device_tree: usize) -> ! {
    wire();
    timer::init();
    let machine = read_machine(device_tree);
    init_memory(&machine, device_tree);
    gic::init(&machine).unwrap_or_else(|e| refuse(format_args!("{e}")));
    println!("hello {} cpus", machine.cpus.len());
    irq::entry::init(machine.timer, machine.uart.interrupt);
    sched::ipi::set_nr_cpus(machine.cpus.len());
    sched::ipi::init_first_cpu().unwrap();
    start_this_cpu(machine.timer);
    sched::ipi::start_reaper().unwrap();
    start_others(&machine);
    sched::spawn(sched::Spawn { name: "main", class: sched::Class::Normal, cpu: None }, alloc::boxed::Box::new(|| test_main())).unwrap();
    sched::ipi::run_idle()
}
extern crate alloc;

fn test_main() {
    println!("main runs on {}", cpu::id());
    let handles: alloc::vec::Vec<_> = (0..20).map(|i| sched::spawn(sched::Spawn { name: "t", class: sched::Class::Normal, cpu: None }, alloc::boxed::Box::new(move || {
        for k in 0..10 { sched::sleep(1_000_000 * (i + 1)); for _ in 0..100000 { core::hint::spin_loop(); } }
        println!("t{i} done on {} nivcsw {}", cpu::id(), sched::current().nivcsw.load(core::sync::atomic::Ordering::Relaxed));
    })).unwrap()).collect();
    for h in handles { h.join(); }
    sched::visit_every_cpu(&|v| { if v.cpu == 1 {} });
    println!("done ticks {} {}", sched::ticks(0), sched::ticks(1));
    panic!("test");
}

static TIMER_IRQ: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);
fn start_this_cpu(timer: u32) {
    TIMER_IRQ.store(timer, core::sync::atomic::Ordering::Relaxed);
    gic::init_cpu(&[0, 1, 2, timer]).unwrap_or_else(|e| refuse(format_args!("{e}")));
    sched::tick::start();
}
fn secondary() -> ! {
    start_this_cpu(TIMER_IRQ.load(core::sync::atomic::Ordering::Relaxed));
    sched::ipi::run_idle()
}
fn start_others(machine: &Machine) {
    for (i, c) in machine.cpus.iter().enumerate().skip(1) {
        let (task, top) = sched::ipi::prepare_cpu(i).unwrap();
        boot::start_secondary(i, c.mpidr, &raw const task.header, top).unwrap();
    }
}
fn wire() {
    vectors::IRQ.set(irq::entry::irq);
    vectors::FAULT.set(fault);
    boot::SECONDARY.set(secondary);
    sync::preempt::RESCHEDULE.set(sched::switch::preempt_if_due);
    epitaph::DESCRIBE_TASK.set(|f| { let _ = write!(f, "{:?}", sched::current()); });
}
fn fault(frame: &mut vectors::ExceptionFrame, f: &vectors::Fault) {
    epitaph::die(format_args!("{} {}: esr {:#x} far {:#x}", f.describe(), f.reason(), f.syndrome, f.address), Some(frame), exit::STATUS_PANIC)
}
fn read_machine(dt: usize) -> Machine {
    let header = unsafe { core::ptr::with_exposed_provenance::<[u8; 8]>(dt).read() };
    let n = devicetree::blob_bytes(header).unwrap_or_else(|| refuse(format_args!("no device tree")));
    let blob = unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance::<u8>(dt), n) };
    let console = devicetree::console(blob).unwrap_or_else(|_| refuse(format_args!("no console")));
    uart::init(console.base as usize, console.clock_hz);
    let m = devicetree::read(blob).unwrap_or_else(|e| refuse(format_args!("{e}")));
    psci::init(m.psci);
    m
}
fn init_memory(machine: &Machine, dt: usize) {
    let image = mmu::image();
    let ram = machine.memory.iter().find(|r| r.contains(&(image.start as u64))).unwrap();
    let size = (ram.end - ram.start) as usize;
    let tables = image.end..image.end + (size / 256).next_multiple_of(4096);
    let devicetree::Gic::V3 { gicd, gicr, gicr_bytes } = machine.gic else { refuse(format_args!("gicv2")) };
    let devs = [gicd as usize..gicd as usize + 0x10000, gicr as usize..(gicr + gicr_bytes) as usize, machine.uart.base as usize..machine.uart.base as usize + 4096];
    mmu::init(machine, devs.into_iter(), tables.clone()).unwrap();
    unsafe { mm::heap::add(tables.end..ram.end as usize) };
}
fn refuse(m: core::fmt::Arguments<'_>) -> ! { println!("holdout: {m}"); exit::exit(2) }

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    epitaph::die(format_args!("{}", info), None, exit::STATUS_PANIC)
}
