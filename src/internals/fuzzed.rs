//! What the fuzz targets call: each is one function from bytes to a verdict, which is not to panic.

use std::collections::VecDeque;

use crate::memory::{Region, View};
use crate::parking::Local;
use crate::ring::{Read, Side, Write};
use crate::spsc::Ring;
use crate::sync::Arc;
use crate::{PeerLoss, TryPushError};

/// Takes `bytes` for a whole segment: it is refused, or every operation on it ends in bounded time, within its memory.
pub fn segment(bytes: &[u8]) {
    let Some(region) = Region::of_bytes(bytes) else {
        return;
    };
    let _ = region.header().name();
    let Ok(facts) = region.header().identity.read(bytes.len()) else {
        return;
    };
    if facts.expected.item_size != 1 {
        return; // an opener of bytes would refuse it
    }
    let view = View::<u8>::new(Arc::new(region), facts.payload(), facts.capacity);
    let parking = Arc::new(Local::new());
    let writer = Side::<u8, Write>::attach(view.clone(), Arc::clone(&parking) as _);
    let reader = Side::<u8, Read>::attach(view, parking);
    let (Ok(Some(mut writer)), Ok(Some(mut reader))) = (writer, reader) else {
        return;
    };
    for _ in 0..4 {
        match writer.room(usize::MAX) {
            Ok(room) if room > 0 => writer.push_run(&vec![7; room.min(100)]),
            _ => {}
        }
        match reader.room(usize::MAX) {
            Ok(room) if room > 0 => reader.pop_run(&mut vec![0; room.min(100)]),
            _ => {}
        }
        let _ = (writer.poll_gone(), reader.poll_gone());
    }
}

/// Takes `script` for operations, two bytes each, on a ring and on a queue, which must agree.
pub fn spsc_ops(script: &[u8]) {
    let [capacity, steps @ ..] = script else {
        return;
    };
    let ring = Ring::<u16>::in_process(usize::from(*capacity % 16) + 1).expect("a small ring");
    let (mut tx, mut rx) = (
        ring.producer().expect("free"),
        ring.consumer().expect("free"),
    );
    tx.set_peer_loss(PeerLoss::Wait);
    rx.set_peer_loss(PeerLoss::Wait);
    let mut queue = VecDeque::new();
    for (n, step) in (0_u16..).zip(steps.chunks_exact(2)) {
        let count = usize::from(step[1] % 24);
        let free = ring.capacity() - queue.len();
        match step[0] % 4 {
            0 => match tx.try_push(n) {
                Ok(()) => queue.push_back(n),
                Err(error) => assert_eq!((error, free), (TryPushError::Full(n), 0)),
            },
            1 => {
                let pushed = tx.try_push_slice(&vec![n; count]).expect("no fault");
                assert_eq!(pushed, count.min(free));
                queue.extend(std::iter::repeat_n(n, pushed));
            }
            2 => assert_eq!(rx.try_pop().ok(), queue.pop_front()),
            _ => {
                let mut into = vec![0; count];
                let popped = rx.try_pop_slice(&mut into).expect("no fault");
                assert!(
                    into[..popped]
                        .iter()
                        .copied()
                        .eq(queue.drain(..count.min(queue.len())))
                );
            }
        }
        assert_eq!(ring.len(), queue.len());
    }
}
