//! Kills a process before each instruction of an operation, and halts another there: what do the others find?

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread;
use std::time::Instant;

use nix::unistd::alarm;

use crate::common::apart::{apart, segments, sets};
use crate::common::single::{Moved, Single};
use crate::common::{Shared, forked};
use crate::route::{Point, Route};
use crate::scene::{Fate, LONG, Scene, Stage};

/// About how many points are tried without [`EVERY_STEP`].
const SOME: usize = 60;

/// The environment variable that has every n-th point tried: killed there, and halted there in one of two ways in turn. All points,
/// in both ways, if it is `all`.
const EVERY_STEP: &str = "RINGPIPE_EVERY_STEP";

/// What is done to a process that was halted in its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// It is killed at once.
    Kill,
    /// It is killed after the others have done what they can.
    KillLater,
    /// It goes on after the others have done what they can.
    Halt,
}

const DEEDS: [Deed; 3] = [Deed::Kill, Deed::KillLater, Deed::Halt];

/// One victim and its scene.
struct Run<S> {
    victim: Single,
    scene: S,
    stage: Stage,
}

impl<S: Scene> Run<S> {
    fn new(mut scene: S, stage: Stage) -> Self {
        stage.clear();
        let victim = scene.start(stage);
        scene.ready();
        Self {
            victim,
            scene,
            stage,
        }
    }

    /// Lets the victim go on by one halt, through its sleeps.
    fn go(&mut self, on: fn(&mut Single) -> Moved) {
        let mut moved = on(&mut self.victim);
        let begin = Instant::now();
        while moved == Moved::Asleep {
            assert!(begin.elapsed() < LONG, "nobody wakes it");
            self.scene.rouse();
            thread::yield_now();
            moved = self.victim.wait();
        }
    }

    /// The same so many times, or until the operation is over.
    fn go_times(&mut self, times: usize, on: fn(&mut Single) -> Moved) {
        for _ in 0..times {
            if !self.stage.is_over() {
                self.go(on);
            }
        }
    }

    /// Goes the way to a point; `false` if it led elsewhere.
    fn reach(&mut self, route: &Route, index: usize) -> bool {
        let way = route.way(index);
        if way.jumps > 0 {
            self.victim.stop_at(Some(way.to));
            self.go_times(way.jumps, Single::go_on);
            self.victim.stop_at(None);
        }
        self.go_times(way.steps, Single::step);
        self.arrive(route.point(index))
    }

    /// Goes so far by single instructions alone.
    fn walk(&mut self, route: &Route, index: usize) {
        self.go_times(route.instructions_before(index), Single::step);
    }

    /// The last step to a point, if there is one.
    fn arrive(&mut self, point: Point) -> bool {
        if let Point::At(address) = point {
            return self.victim.at() == address;
        }
        let asleep = !self.stage.is_over() && self.victim.step() == Moved::Asleep;
        if asleep && point == Point::Roused {
            self.scene.rouse();
        }
        asleep
    }

    fn finish(mut self, deed: Deed) {
        if deed != Deed::Kill {
            self.scene.meanwhile(self.stage);
        }
        if deed == Deed::Halt {
            self.go(Single::wait);
            self.end();
        } else {
            self.victim.kill();
            self.scene.check(Fate::Killed, self.stage);
        }
    }

    /// Lets the victim go on to its end.
    fn end(mut self) {
        while !self.stage.is_over() {
            self.go(Single::go_on);
        }
        self.scene.over();
        self.victim.finish();
        self.scene.check(Fate::Ended, self.stage);
    }
}

/// Tries the points of an operation, all of them if the environment says so, in an IPC namespace of its own where there
/// may be one. `new` makes its scene anew.
pub fn sweep<S: Scene>(name: &'static str, new: impl Fn() -> S) {
    let counts = Shared::new();
    let sweep = Sweep {
        name,
        new,
        stage: Stage::new(),
        counts,
    };
    apart(|| {
        sweep.run();
        assert_eq!((segments(), sets()), (vec![], vec![]), "left behind");
    });
    if counts.get(POINTS) == 0 {
        forked(|| sweep.run()).join();
    }
    println!(
        "{name}: {} kill points, {} tried, {} detours",
        counts.get(POINTS),
        counts.get(TRIED),
        counts.get(DETOURS),
    );
}

const POINTS: usize = 0;
const TRIED: usize = 1;
const DETOURS: usize = 2;

/// An operation that is swept through.
struct Sweep<F> {
    name: &'static str,
    new: F,
    stage: Stage,
    counts: Shared,
}

impl<S: Scene, F: Fn() -> S> Sweep<F> {
    fn run(&self) {
        let route = self.record();
        self.counts.set(POINTS, route.len() as u64);
        for index in self.chosen(&route) {
            alarm::set(6 * LONG.as_secs() as u32); // a watchdog
            self.try_point(&route, index);
            self.counts.add(TRIED);
        }
    }

    /// Steps through the operation once.
    fn record(&self) -> Route {
        let mut run = self.victim();
        let mut route = Route::default();
        while !self.stage.is_over() {
            route.halted(run.victim.at());
            if run.victim.step() == Moved::Asleep {
                route.asleep();
                run.go(Single::wait);
            }
        }
        run.end();
        route
    }

    /// The points to try: each that is asleep, and of the others all or a part.
    fn chosen(&self, route: &Route) -> Vec<usize> {
        let stride = match env::var(EVERY_STEP) {
            Ok(how) => how.parse().unwrap_or(1),
            Err(_) => route.len().div_ceil(SOME),
        };
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        let first = hasher.finish() as usize % stride; // not the same for all operations
        let chosen =
            |index: &usize| index % stride == first || !matches!(route.point(*index), Point::At(_));
        (0..route.len()).filter(chosen).collect()
    }

    fn victim(&self) -> Run<S> {
        Run::new((self.new)(), self.stage)
    }

    /// Does to victims at a point what can be done there.
    fn try_point(&self, route: &Route, index: usize) {
        let deeds = match route.point(index) {
            // Halted there, it would have gone on.
            Point::Roused => &DEEDS[..1],
            Point::At(_) | Point::Asleep => &DEEDS,
        };
        let in_turn = env::var_os(EVERY_STEP).is_some_and(|how| how != "all");
        for (n, deed) in deeds.iter().enumerate() {
            if in_turn && n > 0 && n != 1 + index % 2 {
                continue;
            }
            let _told = Told::new(self.name, *deed, route, index);
            let mut run = self.victim();
            let reached = run.reach(route, index);
            run.finish(*deed);
            if !reached {
                // It took another way: that one is as good, but the one that was meant is tried too.
                self.counts.add(DETOURS);
                let mut run = self.victim();
                run.walk(route, index);
                run.finish(*deed);
            }
        }
    }
}

/// Says where a test failed.
struct Told {
    name: &'static str,
    deed: Deed,
    instructions: usize,
    point: Point,
}

impl Told {
    fn new(name: &'static str, deed: Deed, route: &Route, index: usize) -> Self {
        Self {
            name,
            deed,
            instructions: route.instructions_before(index),
            point: route.point(index),
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "{}: {:?} after {} instructions, {:x?}",
                self.name, self.deed, self.instructions, self.point
            );
        }
    }
}
