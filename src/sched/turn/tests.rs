use super::{Balance, Charges};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::VecDeque;

const TICK: u64 = 4_000;
const TICKS: u64 = 600;
/// Tasks that share the CPU.
const TASKS: usize = 3;

/// One CPU that normal tasks always want, and at times a task of the high class.
struct Cpu {
    charges: Charges,
    balances: [Balance; TASKS],
    high: Balance,
    turn_ticks: u32,
    queue: VecDeque<usize>,
    /// Who runs; the high task where there is none.
    current: Option<usize>,
    now: u64,
    next_tick: u64,
    /// Time that each has had, and ticks that found it running.
    used: [u64; TASKS],
    ticks: [u64; TASKS],
    /// What the others have had since it let go of the CPU, and the most of that.
    waited: [u64; TASKS],
    longest_wait: u64,
}

impl Cpu {
    fn new(turn_ticks: u32) -> Self {
        let mut charges = Charges::new();
        charges.start(TICK, turn_ticks, 0);
        let balances = [const { Balance::new() }; TASKS];
        balances[0].begin(&charges);
        Self {
            charges,
            balances,
            high: Balance::new(),
            turn_ticks,
            queue: (1..TASKS).collect(),
            current: Some(0),
            now: 0,
            next_tick: TICK,
            used: [0; TASKS],
            ticks: [0; TASKS],
            waited: [0; TASKS],
            longest_wait: 0,
        }
    }

    fn balance(&self) -> &Balance {
        self.current.map_or(&self.high, |task| &self.balances[task])
    }

    /// Whoever has the CPU keeps it until then.
    fn run_until(&mut self, then: u64) {
        if let Some(task) = self.current {
            self.used[task] += then - self.now;
            (0..TASKS).filter(|&other| other != task).for_each(|other| self.waited[other] += then - self.now);
        }
        self.longest_wait = self.longest_wait.max(self.waited.iter().copied().max().unwrap());
        self.now = then;
    }

    /// Whoever has the CPU leaves it, by itself or not, to the high task or to the first of the queue.
    fn switch(&mut self, gives_up: bool, to_high: bool) {
        let used = self.charges.at_switch(self.now);
        self.balance().charge(used, !gives_up);
        if let Some(task) = self.current {
            if self.balance().has_turn(&self.charges) {
                self.queue.push_front(task)
            } else {
                self.queue.push_back(task)
            }
        }
        self.current = if to_high { None } else { self.queue.pop_front() };
        self.balance().begin(&self.charges);
        if let Some(task) = self.current {
            self.waited[task] = 0;
        }
    }

    fn tick(&mut self, next: u64) {
        self.next_tick = next;
        let used = self.charges.at_tick(self.now);
        self.balance().charge_at_tick(used, &self.charges);
        if let Some(task) = self.current {
            self.ticks[task] += 1;
            if !self.balance().has_turn(&self.charges) {
                self.switch(false, false);
            }
        }
    }

    fn expect_equal(&self, what: &str) {
        let (least, most) = (self.used.iter().min().unwrap(), self.used.iter().max().unwrap());
        let apart = TICK * (u64::from(self.turn_ticks) + 1);
        assert!(*least > 0 && most - least <= apart, "{:?} with {what}", self.used);
        let bound = (TASKS as u64 - 1) * apart;
        assert!(self.longest_wait <= bound, "one waited for {} with {what}", self.longest_wait);
    }
}

#[test]
fn tasks_have_the_same_of_what_the_high_class_leaves_wherever_between_ticks_it_runs() {
    for turn_ticks in [1, 2] {
        for lead in (0..TICK).step_by(250) {
            for length in [0, 100, 1_900, 2_100, 3_500] {
                let mut cpu = Cpu::new(turn_ticks);
                for tick in 1..=TICKS {
                    // The high task comes so long before the tick, and may stay across it.
                    let (from, to) = (tick * TICK - lead, tick * TICK - lead + length);
                    cpu.run_until(from.max(cpu.now));
                    cpu.switch(false, true);
                    if to >= tick * TICK {
                        cpu.run_until(tick * TICK);
                        cpu.tick((tick + 1) * TICK);
                    }
                    cpu.run_until(to);
                    cpu.switch(true, false);
                    if to < tick * TICK {
                        cpu.run_until(tick * TICK);
                        cpu.tick((tick + 1) * TICK);
                    }
                }
                cpu.expect_equal(&format!("{turn_ticks} ticks, lead {lead}, length {length}"));
            }
        }
    }
}

#[test]
fn whoever_yields_before_each_tick_takes_nothing_from_the_others() {
    for turn_ticks in [1, 2] {
        for lead in [1, 50, 500, 1_999, 2_000, 2_001, 3_500] {
            let mut cpu = Cpu::new(turn_ticks);
            while cpu.now < TICKS * TICK {
                let yields_at = cpu.next_tick - lead;
                if cpu.current == Some(0) && cpu.now < yields_at {
                    cpu.run_until(yields_at);
                    cpu.switch(true, false);
                } else {
                    cpu.run_until(cpu.next_tick);
                    cpu.tick(cpu.now + TICK);
                }
            }
            let [yielder, first, second] = cpu.used;
            let apart = TICK * (u64::from(turn_ticks) + 1);
            assert!(first.abs_diff(second) <= apart, "{:?} with lead {lead}", cpu.used);
            assert!(yielder <= first.min(second) + apart, "{:?} with lead {lead}", cpu.used);
        }
    }
}

#[test]
fn ticks_that_jitter_and_a_host_that_stops_the_guest_cost_nobody_a_turn() {
    for seed in 0..50 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut cpu = Cpu::new(1);
        for _ in 0..TICKS {
            let is_stopped = random.next_u32().is_multiple_of(10);
            let late = if is_stopped { u64::from(random.next_u32()) % (20 * TICK) } else { 0 };
            cpu.run_until(cpu.next_tick + late);
            cpu.tick(cpu.now + TICK * 7 / 8 + u64::from(random.next_u32()) % (TICK / 4));
        }
        let (least, most) = (cpu.ticks.iter().min().unwrap(), cpu.ticks.iter().max().unwrap());
        assert!(most - least <= 1, "{:?} ticks, seed {seed}", cpu.ticks);
    }
}

#[test]
fn a_turn_that_cannot_end_shortens_the_next_one_by_half_a_tick_and_what_is_given_up_is_gone() {
    let (mut charges, balance) = (Charges::new(), Balance::new());
    charges.start(TICK, 1, 0);
    balance.begin(&charges);
    (0..100).for_each(|_| balance.charge_at_tick(TICK as i64, &charges));
    balance.charge(0, false);
    balance.begin(&charges);
    assert!(balance.has_turn(&charges));
    balance.charge(1, true);
    assert!(!balance.has_turn(&charges), "half a tick is left, less a count");
    balance.charge(0, false);
    balance.begin(&charges);
    balance.charge(TICK as i64 / 2, true);
    assert!(balance.has_turn(&charges), "a whole turn");
    balance.charge(1, true);
    assert!(!balance.has_turn(&charges));
}

#[test]
fn from_tick_to_tick_a_ticks_length_is_charged() {
    let mut charges = Charges::new();
    charges.start(TICK, 1, 10_000);
    assert_eq!(charges.at_switch(10_100), 100);
    assert_eq!(
        [charges.at_switch(10_050), charges.at_switch(10_100)],
        [-50, 50],
        "another CPU's look may be a little older"
    );
    assert_eq!(charges.at_tick(90_000), TICK as i64 - 100, "late");
    assert_eq!(charges.at_tick(91_000), TICK as i64, "early");
    assert_eq!((charges.at_switch(99_000), charges.at_tick(99_001)), (8_000, 0), "the host stopped a switch");
}
