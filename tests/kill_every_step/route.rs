//! The instructions of an operation, once recorded, and the shortest way to each.

use std::collections::HashMap;

/// Where a process can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before the instruction at this address.
    At(u64),
    /// In the system call of the instruction before, asleep.
    Asleep,
    /// There, when it has just been woken and has not gone on.
    Roused,
}

/// How to get to a point: at full speed to an address, as often as is said, then instruction by instruction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    pub jumps: usize,
    pub to: u64,
    pub steps: usize,
}

impl Way {
    /// How often the process is halted on it.
    fn halts(&self) -> usize {
        self.jumps + self.steps
    }
}

/// All points of an operation, in order.
#[derive(Debug, Default)]
pub struct Route {
    points: Vec<Point>,
    ways: Vec<Way>,
    /// How often the process came to each address, where an instruction that repeats itself counts once.
    visits: HashMap<u64, usize>,
    /// The way to the instruction that was recorded last.
    last: Way,
}

impl Route {
    /// Notes that the process was halted before the instruction at `address`.
    pub fn halted(&mut self, address: u64) {
        let step = self.instructions().next_back();
        let way = match step {
            None => Way::default(),
            Some(_) => Way {
                steps: self.last.steps + 1,
                ..self.last
            },
        };
        let repeats = step == Some(address);
        self.last = if repeats {
            way
        } else {
            self.shorter(way, address)
        };
        self.points.push(Point::At(address));
        self.ways.push(self.last);
    }

    /// The way, or the one by which the process is stopped at the address itself.
    fn shorter(&mut self, way: Way, address: u64) -> Way {
        let visits = self.visits.entry(address).or_default();
        *visits += 1;
        let jump = Way {
            jumps: *visits,
            to: address,
            steps: 0,
        };
        if jump.halts() < way.halts() {
            jump
        } else {
            way
        }
    }

    /// Notes that the next step put the process to sleep.
    pub fn asleep(&mut self) {
        self.points.extend([Point::Asleep, Point::Roused]);
        self.ways.extend([self.last; 2]);
    }

    fn instructions(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.points.iter().filter_map(|point| match point {
            Point::At(address) => Some(*address),
            Point::Asleep | Point::Roused => None,
        })
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    pub fn point(&self, index: usize) -> Point {
        self.points[index]
    }

    pub fn way(&self, index: usize) -> Way {
        self.ways[index]
    }

    /// How many instructions come before a point.
    pub fn instructions_before(&self, index: usize) -> usize {
        let before = &self.points[..index];
        before
            .iter()
            .filter(|point| matches!(point, Point::At(_)))
            .count()
    }
}

mod tests {
    use super::*;
    use crate::common::Shared;
    use crate::common::single::{Moved, Single, mark};

    /// Counts in memory that this process can look at, in loops that a way by jumps has to count too.
    fn counting(counters: Shared) -> Single {
        counters.set(0, 0);
        counters.set(1, 0);
        Single::new(|| {
            mark();
            for n in 0..5 {
                counters.add(0);
                (0..n).for_each(|_| counters.add(0));
            }
            counters.set(1, 1);
            mark();
        })
    }

    #[test]
    fn the_shortest_way_leads_where_steps_lead() {
        let counters = Shared::new();
        let (mut process, mut route) = (counting(counters), Route::default());
        let mut counts = Vec::new();
        while counters.get(1) == 0 {
            route.halted(process.at());
            counts.push(counters.get(0));
            process.step();
        }
        process.finish();
        assert_eq!(counts.last(), Some(&15));
        for (index, count) in counts.into_iter().enumerate() {
            let (mut process, way) = (counting(counters), route.way(index));
            if way.jumps > 0 {
                process.stop_at(Some(way.to));
                (0..way.jumps).for_each(|_| assert_eq!(process.go_on(), Moved::Halted));
                process.stop_at(None);
            }
            (0..way.steps).for_each(|_| assert_eq!(process.step(), Moved::Halted));
            assert_eq!(Point::At(process.at()), route.point(index));
            assert_eq!(counters.get(0), count);
        }
    }
}
