//! What a message costs both sides in processor time, in user space and in the kernel.

use std::cell::Cell;
use std::io::{PipeWriter, Read, Write, pipe};
use std::rc::Rc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::contest::{Contest, Entry};
use super::contestants::Contestant;
use super::passing::{Passing, TARGET, Tell};
use crate::common::duel::{self, Ends, Laps, Start};
use crate::report::told::per_second;
use crate::report::work::{Axis, Better};
use crate::scheduled::Schedule;
use crate::timing::{Pace, Times};
use crate::ways::Family;

const CAPACITY: usize = 1024;

/// Messages per second at a trickle.
const TRICKLE: f64 = 1e4;

pub(crate) fn contests() -> Vec<Contest> {
    let all = Contestant::all_singly();
    let full_speed = contest(
        "64 B messages, one at a time, at full speed".into(),
        all.iter().map(full_speed).collect(),
        "who waits awake shows how long it waited, too",
    );
    let schedule = Schedule::of(TRICKLE, Pace::Asleep);
    let mut entries: Vec<_> = all.iter().map(|one| trickle(one, schedule)).collect();
    entries.push(yardstick(schedule));
    let trickle = contest(
        format!("64 B messages, {}", per_second(TRICKLE)),
        entries,
        "the producer sleeps until a message is due; who never sleeps while waiting costs a whole processor",
    );
    vec![full_speed, trickle]
}

fn contest(what: String, entries: Vec<Entry>, note: &str) -> Contest {
    let title = format!("processor time of both sides: {what}");
    Contest {
        figure: title.clone(),
        title,
        unit: "ms per million messages",
        better: Better::Lower,
        axis: Axis::None,
        sweep: false,
        bytes: None,
        notes: vec![note.into()],
        entries,
    }
}

fn full_speed(one: &Contestant) -> Entry {
    let open = one.single[1];
    one.entry(0.0, metered(move || open(CAPACITY)))
}

fn trickle(one: &Contestant, schedule: Schedule) -> Entry {
    let open = one.scheduled;
    one.entry(
        0.0,
        at_a_trickle(move || open(CAPACITY, schedule, Times::new())),
    )
}

fn yardstick(schedule: Schedule) -> Entry {
    Entry {
        name: "the schedule alone".into(),
        family: Family::Ours,
        waits: None,
        yardstick: true,
        x: 0.0,
        run: Box::new(at_a_trickle(move || schedule.alone())),
    }
}

fn at_a_trickle(open: impl Fn() -> Ends + 'static) -> Passing {
    metered(open).always((TRICKLE * TARGET.as_secs_f64()) as u64)
}

/// Messages that pass while both sides' processor time is counted rather than the clock's.
fn metered(open: impl Fn() -> Ends + 'static) -> Passing {
    let spent = Rc::new(Cell::new(Duration::ZERO));
    let noted = Rc::clone(&spent);
    let tell: Tell = Box::new(move |messages, _| spent.get().as_secs_f64() * 1e9 / messages as f64);
    Passing::new(1, 2 * CAPACITY as u64, tell, move |laps| {
        let (time, processor_time) = run(open(), laps);
        noted.set(processor_time);
        time
    })
}

/// How long the timed lap took, and how much processor time both sides spent on it.
fn run(ends: Ends, laps: Laps) -> (Duration, Duration) {
    let (mut spent, says) = pipe().expect("a pipe");
    let also_says = says.try_clone().expect("a pipe");
    let ends = Ends {
        source: counting(ends.source, says),
        sink: counting(ends.sink, also_says),
        between: ends.between,
    };
    let time = duel::run(ends, laps);
    let mut all = 0;
    for _ in 0..2 {
        let mut nanoseconds = [0; 8];
        spent
            .read_exact(&mut nanoseconds)
            .expect("both sides say it");
        all += u64::from_ne_bytes(nanoseconds);
    }
    (time, Duration::from_nanos(all))
}

/// Says, after its second lap, how much processor time this thread spent on it.
fn counting(side: Start, mut to: PipeWriter) -> Start {
    Box::new(move || {
        let mut work = side();
        let mut laps = 0;
        Box::new(move |numbers| {
            let before = processor_time();
            work(numbers);
            laps += 1;
            if laps == 2 {
                let spent = processor_time() - before;
                to.write_all(&spent.to_ne_bytes()).expect("a reader");
            }
        })
    })
}

/// Nanoseconds that this thread has run.
fn processor_time() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::duel::{Between, start};

    /// Spins for that long.
    fn toil(length: Duration) {
        let until = processor_time() + length.as_nanos() as u64;
        while processor_time() < until {}
    }

    #[test]
    fn both_sides_timed_laps_are_counted_and_nothing_else() {
        let toiling = |each: Duration| {
            start(move || move |numbers: std::ops::Range<u64>| numbers.for_each(|_| toil(each)))
        };
        let ends = Ends {
            source: toiling(Duration::from_millis(1)),
            sink: toiling(Duration::from_millis(2)),
            between: Between::Threads,
        };
        let laps = Laps {
            warm: 40,
            timed: 10,
        };
        let (_, spent) = run(ends, laps);
        assert!(spent >= Duration::from_millis(30));
        // The warm-up would add 120 ms.
        assert!(spent < Duration::from_millis(100), "{spent:?}");
    }
}
