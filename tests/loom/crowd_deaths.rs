//! Several producers and consumers, of whom one is killed at each of its steps in turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use loom::thread;
use ringpipe::internals::{Crowd, mortal};
use ringpipe::{DeadConsumer, PeerLoss, Role};

use super::crowd::{Ring, drain, fresh, items, join, numbers, push, ring};
use super::{Item, at_each_step_in_crowd, check_crowd, died, item, number};

/// A producer killed at each step of pushing a run beside a consumer that sleeps: the run arrives whole or not at all, the
/// consumer learns of the end, and the ring is as large as before.
#[test]
fn a_killed_producer_leaves_no_torn_run() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let ring = ring(2, 2);
        let consumer = join(&ring, Role::Consumer);
        let theirs = ring.process(1);
        let mut hand = join(&theirs, Role::Producer);
        let victim = thread::spawn(move || {
            let outcome = mortal(life, || push(&mut hand, &[1, 2]));
            theirs.die();
            outcome
        });
        let got = drain(consumer, 1);
        let outcome = victim.join().unwrap();
        died(&outcome, deaths);
        assert!(
            got == fresh(&[1, 2]) || outcome.is_none() && got.is_empty(),
            "{got:?}"
        );
        assert_whole(&ring, 2);
    });
    println!("points of death in a run of a shared ring: {points}");
    assert!(points > 10);
}

/// A producer killed at each step of joining, pushing one, pushing a run, and leaving, with nobody else there: what it had
/// pushed is found, in order, and the ring is as large as before.
#[test]
fn a_producer_killed_alone_leaves_what_it_pushed() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let ring = ring(2, 3);
        let theirs = ring.process(1);
        let returned = AtomicU32::new(0);
        let outcome = mortal(life, || {
            let mut hand = join(&theirs, Role::Producer);
            push(&mut hand, &[1]);
            returned.store(1, Ordering::Relaxed);
            push(&mut hand, &[2, 3]);
            returned.store(3, Ordering::Relaxed);
            hand.leave();
        });
        theirs.die();
        died(&outcome, deaths);
        // Somebody has to be told of the end, also if the first was killed before anybody knew of it.
        join(&ring, Role::Producer).leave();
        let got = drain(join(&ring, Role::Consumer), 2);
        assert!([0, 1, 3].contains(&got.len()) && got.len() >= returned.into_inner() as usize);
        assert_eq!(got, fresh(&[1, 2, 3])[..got.len()], "whole and in order");
        assert_whole(&ring, 3);
    });
    println!("a producer's points of death: {points}");
    assert!(points > 30);
}

/// The ring's slots are all to be had: by as many pushes as it holds.
fn assert_whole(ring: &Ring, capacity: u8) {
    let mut producer = join(ring, Role::Producer);
    let consumer = join(ring, Role::Consumer);
    for n in 0..capacity {
        push(&mut producer, &[100 + n]);
    }
    producer.leave();
    let got = drain(consumer, 1);
    assert_eq!(got, fresh(&(100..100 + capacity).collect::<Vec<_>>()));
}

/// A consumer killed at each step of joining, popping, taking a run, and leaving, beside another: each item is delivered,
/// and what comes twice is marked, and was in the dead one's hands.
#[test]
fn what_a_killed_consumer_held_comes_again() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let ring = ring(3, 3);
        let mut producer = join(&ring, Role::Producer);
        push(&mut producer, &[1, 2, 3]);
        let survivor = join(&ring, Role::Consumer);
        let theirs = ring.process(1);
        let victim = thread::spawn(move || {
            let mut taken = Vec::new();
            let outcome = mortal(life, || {
                let mut hand = join(&theirs, Role::Consumer);
                for most in [1, 2] {
                    if let Ok((items, _)) = hand.pop(most, PeerLoss::Disconnect) {
                        taken.extend(items.into_iter().map(number));
                    }
                }
                hand.leave();
            });
            theirs.die();
            (outcome, taken)
        });
        producer.leave();
        let got = drain(survivor, 1);
        let (outcome, taken) = victim.join().unwrap();
        // Nobody may have been there to be told of a death after the survivor had left.
        let late = drain(join(&ring, Role::Consumer), 1);
        let dead = died(&outcome, deaths);
        let got: Vec<_> = got.into_iter().chain(late).collect();
        let mut all = numbers(&got);
        assert!(
            all.is_sorted_by(|a, b| a < b),
            "once to the survivors: {got:?}"
        );
        all.extend(&taken);
        all.sort_unstable();
        all.dedup();
        // Killed just after it released what its last pop took, which then never returned.
        assert!(
            all == [1, 2, 3] || dead && !all.is_empty(),
            "{got:?} {taken:?}"
        );
        let again = got.iter().filter(|(number, _)| taken.contains(number));
        assert_eq!(again.count(), 0, "what pop has returned is gone");
        assert!(dead || got.iter().all(|(_, again)| !again));
    });
    println!("a consumer's points of death: {points}");
    assert!(points > 30);
}

/// The same where what it held is dropped: nothing comes twice, and the ring is whole.
#[test]
fn what_a_killed_consumer_held_is_dropped() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let ring = Crowd::<Item>::new(3, 2, DeadConsumer::Drop);
        let mut producer = join(&ring, Role::Producer);
        push(&mut producer, &[1, 2]);
        let theirs = ring.process(1);
        let mut hand = join(&theirs, Role::Consumer);
        assert_eq!(hand.hold(2), Ok(items(&[1, 2])));
        let victim = thread::spawn(move || {
            let outcome = mortal(life, || hand.release(2));
            theirs.die();
            outcome
        });
        push(&mut producer, &[3, 4]);
        producer.leave();
        died(&victim.join().unwrap(), deaths);
        let got = drain(join(&ring, Role::Consumer), 2);
        assert_eq!(got, fresh(&[3, 4]));
        assert_whole(&ring, 2);
    });
    println!("points of death of a consumer whose items are dropped: {points}");
    assert!(points > 2);
}

/// What the dead have left, when the one who is putting it in order is killed at each step as well: a consumer that held a
/// run, and a producer that had reserved one. The ring has three numbers, so that whoever comes needs one of theirs.
#[test]
fn who_clears_up_may_die_of_it() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let ring = ring(3, 4);
        leave_remains(&ring);
        let theirs = ring.process(3);
        let outcome = mortal(life, || {
            let mut hand = join(&theirs, Role::Consumer);
            let got = hand.pop(2, PeerLoss::Disconnect).expect("it is there");
            hand.leave();
            got
        });
        theirs.die();
        let dead = died(&outcome, deaths);
        let mut got = drain(join(&ring, Role::Consumer), 2);
        if let Some((items, again)) = outcome {
            got.extend(items.into_iter().map(|item| (number(item), again)));
        }
        assert!(
            got == [(1, true), (2, true)] || dead && got.is_empty(),
            "{got:?}"
        );
        assert_whole(&ring, 4);
    });
    println!("points of death of one who clears up: {points}");
    assert!(points > 30);
}

/// A consumer killed with a run of two in hand, and a producer with a run reserved.
fn leave_remains(ring: &Ring) {
    let mut producer = join(ring, Role::Producer);
    push(&mut producer, &[1, 2]);
    producer.leave();
    let (first, second) = (ring.process(1), ring.process(2));
    let mut holder = join(&first, Role::Consumer);
    assert_eq!(holder.hold(2), Ok(items(&[1, 2])));
    let mut writer = join(&second, Role::Producer);
    writer.reserve(&items(&[7, 8])).expect("there is room");
    first.die();
    second.die();
}

/// Two clear up at once, after the same dead.
#[test]
fn two_clear_up_at_once() {
    check_crowd(|| {
        let ring = ring(4, 4);
        let rivals = [join(&ring, Role::Consumer), join(&ring, Role::Consumer)];
        leave_remains(&ring);
        let rivals = rivals.map(|hand| thread::spawn(move || drain(hand, 2)));
        let mut got = Vec::new();
        for rival in rivals {
            got.extend(rival.join().unwrap());
        }
        assert_eq!(got, [(1, true), (2, true)]);
        assert_whole(&ring, 4);
    });
}

/// A claim that is released in part: killed at each step, its consumer leaves all of it, or the second part, to be delivered
/// again, once.
#[test]
fn a_cut_is_finished_or_never_was() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let ring = ring(3, 2);
        let mut producer = join(&ring, Role::Producer);
        push(&mut producer, &[1, 2]);
        let theirs = ring.process(1);
        let mut hand = join(&theirs, Role::Consumer);
        let survivor = join(&ring, Role::Consumer);
        assert_eq!(hand.hold(2), Ok(items(&[1, 2])));
        let survivor = thread::spawn(move || drain(survivor, 2));
        let victim = thread::spawn(move || {
            let outcome = mortal(life, || hand.release(1));
            theirs.die();
            outcome
        });
        push(&mut producer, &[3]);
        producer.leave();
        let mut got = survivor.join().unwrap();
        let outcome = victim.join().unwrap();
        died(&outcome, deaths);
        got.extend(drain(join(&ring, Role::Consumer), 1));
        got.sort_unstable();
        let released: &[_] = &[(2, true), (3, false)];
        let unreleased: &[_] = &[(1, true), (2, true), (3, false)];
        assert!(
            got == released || outcome.is_none() && got == unreleased,
            "{got:?}"
        );
        assert_whole(&ring, 2);
    });
    println!("points of death in a cut: {points}");
    assert!(points > 5);
}

/// A number is used again while its former holder's remains are found: newcomers take it, in both roles, and nobody takes
/// the newcomer's claim for the dead one's.
#[test]
fn a_number_is_used_again() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let ring = ring(2, 2);
        let mut producer = join(&ring, Role::Producer);
        push(&mut producer, &[1, 2]);
        let theirs = ring.process(1);
        let mut hand = join(&theirs, Role::Consumer);
        let outcome = mortal(life, || hand.pop(1, PeerLoss::Disconnect));
        theirs.die();
        died(&outcome, deaths);
        // Both want the one number that is left, and the producer is stopped by what the dead one has left.
        let newcomer = ring.process(2);
        let newcomer = thread::spawn(move || {
            let mut hand = newcomer.join(Role::Consumer)?;
            let got = hand.pop(1, PeerLoss::Disconnect).ok();
            hand.leave();
            got
        });
        push(&mut producer, &[3]);
        producer.leave();
        let mut got = drain(join_when_free(&ring), 1);
        if let Some((items, again)) = newcomer.join().unwrap() {
            got.extend(items.into_iter().map(|item| (number(item), again)));
        }
        let mut numbers = numbers(&got);
        if let Some(Ok((items, _))) = &outcome {
            numbers.extend(items.iter().copied().map(number));
        }
        numbers.sort_unstable();
        // Killed just after it released the first, it took that along.
        assert!(
            numbers == [1, 2, 3] || outcome.is_none() && numbers == [2, 3],
            "{got:?}"
        );
    });
    println!("points of death before a number is used again: {points}");
    assert!(points > 5);
}

fn join_when_free(ring: &Ring) -> ringpipe::internals::Hand<Item> {
    loop {
        match ring.join(Role::Consumer) {
            Some(hand) => return hand,
            None => thread::yield_now(),
        }
    }
}

/// Two consumers asleep, one of whom is killed at each step, with a wake-up in its hands or not: the other gets all
/// that is left.
#[test]
fn a_killed_sleeper_takes_no_wake_up_with_it() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let ring = ring(3, 2);
        let mut producer = join(&ring, Role::Producer);
        let theirs = ring.process(1);
        let mut hand = join(&theirs, Role::Consumer);
        let mut survivor = join(&ring, Role::Consumer);
        let victim = thread::spawn(move || {
            let outcome = mortal(life, || hand.pop(1, PeerLoss::Wait));
            theirs.die();
            outcome
        });
        let survivor = thread::spawn(move || {
            let got = survivor.pop(1, PeerLoss::Wait);
            survivor.leave();
            got
        });
        push(&mut producer, &[1]);
        push(&mut producer, &[2]);
        let (first, _) = survivor.join().unwrap().expect("there is one for it");
        let outcome = victim.join().unwrap();
        died(&outcome, deaths);
        producer.leave();
        let mut all = numbers(&drain(join(&ring, Role::Consumer), 1));
        all.extend(first.into_iter().map(number));
        if let Some(Ok((items, _))) = outcome {
            all.extend(items.into_iter().map(number));
        }
        all.sort_unstable();
        assert!(all == [1, 2] || outcome_lost(&all), "{all:?}");
    });
    println!("a sleeper's points of death: {points}");
    assert!(points > 10);
}

/// What the victim has released before it was killed is gone with it.
fn outcome_lost(all: &[u8]) -> bool {
    all == [1] || all == [2]
}

/// The only producer is killed at each step while two consumers sleep: both get something or learn that nothing will come.
#[test]
fn all_sleepers_learn_of_the_last_producers_death() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let ring = ring(3, 1);
        let theirs = ring.process(1);
        let mut hand = join(&theirs, Role::Producer);
        let consumers = [join(&ring, Role::Consumer), join(&ring, Role::Consumer)];
        let consumers = consumers.map(|hand| thread::spawn(move || drain(hand, 1)));
        let outcome = mortal(life, || hand.push(&[item(1)], PeerLoss::Wait));
        died(&outcome, deaths);
        theirs.die();
        let mut got = Vec::new();
        for consumer in consumers {
            got.extend(consumer.join().unwrap());
        }
        assert!(got == fresh(&[1]) || outcome.is_none() && got.is_empty());
        assert_whole(&ring, 1);
    });
    println!("points of death of the only producer: {points}");
    assert!(points > 5);
}

/// Several die at once, of both roles: the survivors find all that they left.
#[test]
fn several_die_at_once() {
    check_crowd(|| {
        let ring = ring(4, 3);
        let mut producer = join(&ring, Role::Producer);
        push(&mut producer, &[1]);
        let (first, second) = (ring.process(1), ring.process(2));
        let mut reader = join(&first, Role::Consumer);
        assert_eq!(reader.hold(1), Ok(items(&[1])));
        let mut writer = join(&second, Role::Producer);
        writer.reserve(&items(&[7])).expect("there is room");
        let survivor = join(&ring, Role::Consumer);
        let survivor = thread::spawn(move || drain(survivor, 1));
        let deaths = thread::spawn(move || {
            first.die();
            second.die();
        });
        push(&mut producer, &[2]);
        push(&mut producer, &[3]);
        producer.leave();
        deaths.join().unwrap();
        let mut got = survivor.join().unwrap();
        got.extend(drain(join(&ring, Role::Consumer), 1));
        got.sort_unstable();
        assert_eq!(got, [(1, true), (2, false), (3, false)]);
        assert_whole(&ring, 3);
    });
}

/// The wake-ups that a death adds are needed: without them, some death of the only producer leaves a consumer asleep for ever.
#[test]
fn without_death_credits_somebody_sleeps_for_ever() {
    let hangs = |life: u32| {
        let model = move || {
            let ring = Ring::without_credits(2, 1);
            let theirs = ring.process(1);
            let mut hand = join(&theirs, Role::Producer);
            let consumer = join(&ring, Role::Consumer);
            let consumer = thread::spawn(move || drain(consumer, 1));
            let _ = mortal(life, || hand.push(&[item(1)], PeerLoss::Wait));
            theirs.die();
            consumer.join().unwrap();
        };
        let failed = catch_unwind(AssertUnwindSafe(|| check_crowd(model))).err();
        failed.is_some_and(|cause| {
            let said = cause.downcast_ref::<String>().expect("loom says why");
            assert!(said.starts_with("deadlock"), "{said}");
            true
        })
    };
    let hanging: Vec<u32> = (0..10).filter(|life| hangs(*life)).collect();
    println!("lives after which a consumer hangs: {hanging:?}");
    assert!(!hanging.is_empty());
}
