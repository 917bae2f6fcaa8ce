//! Any script of operations: a ring answers as a queue does.

use std::collections::VecDeque;

use super::Script;
use crate::spsc::{Consumer, Peer, Producer, Ring};
use crate::{PeerLoss, TryPopError, TryPushError};

/// Takes `bytes` for operations on a ring and on a queue, which must agree.
pub fn spsc_ops(bytes: &[u8]) {
    let mut script = Script(bytes);
    let capacity = script.below(16) + 1;
    let mut pair = Pair::new(Ring::in_process(capacity).expect("a small ring"));
    while !script.is_over() {
        let (step, count) = (script.byte(), script.below(24));
        pair.step(step, count, script.below(24));
        assert_eq!(pair.ring.len(), pair.queue.len());
    }
}

/// A ring with its handles beside a queue.
struct Pair {
    ring: Ring<u16>,
    tx: Producer<u16>,
    rx: Consumer<u16>,
    queue: VecDeque<u16>,
    /// The next item.
    next: u16,
}

fn producer(ring: &Ring<u16>) -> Producer<u16> {
    let mut tx = ring.producer().expect("free");
    tx.set_peer_loss(PeerLoss::Wait);
    tx
}

fn consumer(ring: &Ring<u16>) -> Consumer<u16> {
    let mut rx = ring.consumer().expect("free");
    rx.set_peer_loss(PeerLoss::Wait);
    rx
}

impl Pair {
    fn new(ring: Ring<u16>) -> Self {
        Self {
            tx: producer(&ring),
            rx: consumer(&ring),
            ring,
            queue: VecDeque::new(),
            next: 0,
        }
    }

    fn step(&mut self, step: u8, count: usize, part: usize) {
        match step % 9 {
            0 => self.push(),
            1 => self.push_slice(count),
            2 => self.reserve(count, part),
            3 => self.pop(),
            4 => self.pop_slice(count),
            5 => self.peek(count, part),
            6 => self.new_producer(count.is_multiple_of(2)),
            7 => self.new_consumer(),
            // Several at once, so that the ring is often full, and often empty.
            _ => (0..count).for_each(|_| match part % 2 {
                0 => self.push(),
                _ => self.pop(),
            }),
        }
    }

    fn free(&self) -> usize {
        self.ring.capacity() - self.queue.len()
    }

    /// The next `n` items.
    fn fresh(&mut self, n: usize) -> Vec<u16> {
        let items = (0..n as u16).map(|n| self.next.wrapping_add(n)).collect();
        self.next = self.next.wrapping_add(n as u16);
        items
    }

    fn push(&mut self) {
        let item = self.fresh(1)[0];
        match self.tx.try_push(item) {
            Ok(()) => self.queue.push_back(item),
            Err(error) => assert_eq!((error, self.free()), (TryPushError::Full(item), 0)),
        }
        assert!(self.free() < self.ring.capacity(), "something is in it now");
    }

    fn push_slice(&mut self, n: usize) {
        let (items, free) = (self.fresh(n), self.free());
        let pushed = self.tx.try_push_slice(&items).expect("no fault");
        assert_eq!(pushed, n.min(free));
        self.queue.extend(&items[..pushed]);
    }

    fn reserve(&mut self, n: usize, part: usize) {
        let (items, free) = (self.fresh(part), self.free());
        match self.tx.try_reserve(n) {
            Err(error) => assert_eq!((error, free), (TryPushError::Full(()), 0)),
            Ok(mut room) => {
                let len = n.max(1).min(free);
                assert_eq!(room.len(), len);
                let (one, two) = items.split_at(part / 2);
                let written = room.write(one) + room.write(two);
                assert_eq!(written, part.min(len));
                room.commit_written();
                self.queue.extend(&items[..written]);
            }
        }
    }

    fn pop(&mut self) {
        let popped = self.rx.try_pop();
        let expected = self.queue.pop_front();
        assert_eq!(popped, expected.ok_or(TryPopError::Empty));
    }

    fn pop_slice(&mut self, n: usize) {
        let mut into = vec![0; n];
        let popped = self.rx.try_pop_slice(&mut into).expect("no fault");
        let expected: Vec<_> = self.queue.drain(..n.min(self.queue.len())).collect();
        assert_eq!(into[..popped], expected);
    }

    fn peek(&mut self, n: usize, part: usize) {
        match self.rx.try_peek(n) {
            Err(error) => assert_eq!((error, self.queue.len()), (TryPopError::Empty, 0)),
            Ok(items) => {
                assert_eq!(items.len(), n.max(1).min(self.queue.len()));
                assert!(items.iter().eq(self.queue.iter().take(items.len())));
                let released = part.min(items.len());
                items.release(released);
                self.queue.drain(..released);
            }
        }
    }

    /// Another takes the producer's place, which had ended or was abandoned.
    fn new_producer(&mut self, finished: bool) {
        let vacant = Ring::in_process(1).expect("a small ring");
        let tx = std::mem::replace(&mut self.tx, producer(&vacant));
        if finished {
            tx.finish().expect("no fault");
        } else {
            tx.abandon();
        }
        let known = self.rx.peer().expect("no fault");
        assert_eq!(known == Peer::Finished, finished);
        self.tx = producer(&self.ring);
    }

    fn new_consumer(&mut self) {
        let vacant = Ring::in_process(1).expect("a small ring");
        drop(std::mem::replace(&mut self.rx, consumer(&vacant)));
        assert_eq!(self.tx.peer(), Ok(Peer::Finished));
        self.rx = consumer(&self.ring);
    }
}
