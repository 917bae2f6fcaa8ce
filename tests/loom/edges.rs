//! Edges that no other model stands or falls with, each in a short story of its own. `docs/robustness.md` says which of these
//! fail without their edge.

use loom::thread;
use ringpipe::internals::{Draft, Ring};
use ringpipe::{PeerLoss, Role};

use super::crowd::{drain, fresh, items, join, push, ring};
use super::{Item, check, check_crowd, item, number};

/// E0: who opens a ring while it is made finds it unfinished, or whole.
#[test]
fn a_ring_in_the_making_is_not_opened() {
    check(|| {
        let draft = std::sync::Arc::new(Draft::<Item>::new());
        let theirs = std::sync::Arc::clone(&draft);
        let creator = thread::spawn(move || theirs.finish(item(1)));
        if let Some(found) = draft.open() {
            assert_eq!(number(found), 1);
        }
        creator.join().unwrap();
    });
}

/// E2: who only looks never counts more than was there.
#[test]
fn a_count_is_of_one_moment() {
    check(|| {
        let ring = Ring::<Item>::new(2, true);
        let mut producer = ring.producer().expect("the role is free");
        let mut consumer = ring.consumer().expect("the role is free");
        let sender = thread::spawn(move || producer.push(item(1), PeerLoss::Wait));
        let receiver = thread::spawn(move || consumer.try_pop().is_none_or(|got| number(got) == 1));
        assert!(ring.item_count() <= 1);
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert!(receiver.join().unwrap());
    });
}

/// E8: one puts its item back and leaves. Who sees that it is gone sees what it put back.
#[test]
fn who_leaves_has_put_back_before() {
    check(|| {
        let ring = ring(3, 2);
        let mut producer = join(&ring, Role::Producer);
        let (mut one, two) = (join(&ring, Role::Consumer), join(&ring, Role::Consumer));
        push(&mut producer, &[1]);
        producer.leave();
        assert_eq!(one.hold(1), Ok(items(&[1])));
        let other = thread::spawn(move || drain(two, 1));
        one.release(0);
        one.leave();
        assert_eq!(other.join().unwrap(), [(1, true)]);
    });
}

/// E8: the same of one that was killed, while a newcomer clears up after it.
#[test]
fn who_clears_up_has_put_back_before() {
    check_crowd(|| {
        let ring = ring(3, 2);
        let mut producer = join(&ring, Role::Producer);
        let dying = ring.process(1);
        let mut one = join(&dying, Role::Consumer);
        let two = join(&ring, Role::Consumer);
        push(&mut producer, &[1]);
        producer.leave();
        assert_eq!(one.hold(1), Ok(items(&[1])));
        std::mem::forget(one);
        dying.die();
        let other = thread::spawn(move || join(&ring, Role::Producer).leave());
        assert_eq!(drain(two, 1), [(1, true)]);
        other.join().unwrap();
    });
}

/// E8: the same, with a newcomer in its number at once.
#[test]
fn who_has_its_number_next_came_after() {
    check_crowd(|| {
        let ring = ring(3, 2);
        let mut one = join(&ring, Role::Consumer);
        let mut producer = join(&ring, Role::Producer);
        let two = join(&ring, Role::Consumer);
        push(&mut producer, &[1]);
        producer.leave();
        assert_eq!(one.hold(1), Ok(items(&[1])));
        let other = thread::spawn(move || drain(two, 1));
        one.release(0);
        one.leave();
        join(&ring, Role::Producer).leave();
        assert_eq!(other.join().unwrap(), [(1, true)]);
    });
}

/// E8: who finds an item in another's hands finds where that one noted it, and waits for what becomes of it.
#[test]
fn a_claim_is_noted_before_it_is_made() {
    check(|| {
        let ring = ring(3, 2);
        let mut producer = join(&ring, Role::Producer);
        let (mut one, two) = (join(&ring, Role::Consumer), join(&ring, Role::Consumer));
        push(&mut producer, &[1]);
        push(&mut producer, &[2]);
        producer.leave();
        one.pop(1, PeerLoss::Wait).expect("it is there");
        let other = thread::spawn(move || drain(two, 1));
        let held = one.hold(1).is_ok();
        if held {
            one.release(0);
        }
        one.leave();
        assert_eq!(other.join().unwrap(), [(2, held)]);
    });
}

/// E5: a newcomer goes on from where others have told that they came, and sees no word as it was more than a lap before.
#[test]
fn a_newcomer_sees_what_those_saw_who_told() {
    check_crowd(|| {
        let ring = ring(3, 1);
        let mut producer = join(&ring, Role::Producer);
        let mut consumer = join(&ring, Role::Consumer);
        let theirs = ring.clone();
        let newcomer = thread::spawn(move || {
            let mut hand = join(&theirs, Role::Producer);
            hand.fits(1); // with no fault
            hand.leave();
        });
        for n in 1..=5 {
            push(&mut producer, &[n]);
            let got = consumer.pop(1, PeerLoss::Wait);
            assert_eq!(got, Ok((items(&[n]), false)));
        }
        newcomer.join().unwrap();
    });
}

/// E6: what one has written and not published is written over by another, not at the same time.
#[test]
fn what_is_given_up_is_written_anew() {
    check(|| {
        let ring = ring(2, 1);
        let (mut one, mut two) = (join(&ring, Role::Producer), join(&ring, Role::Producer));
        let other = thread::spawn(move || {
            if one.try_reserve(&items(&[8])) {
                one.commit(0);
            }
            one.leave();
        });
        push(&mut two, &[1]);
        two.leave();
        other.join().unwrap();
        let consumer = join(&ring, Role::Consumer);
        assert_eq!(drain(consumer, 1), fresh(&[1]));
    });
}

/// E7: who goes over a run that is being freed sees all of it freed, and finds what was put back behind it.
#[test]
fn what_lies_behind_a_run_that_is_freed_is_found() {
    check_crowd(|| {
        let ring = ring(4, 4);
        let mut producer = join(&ring, Role::Producer);
        let (mut one, mut two) = (join(&ring, Role::Consumer), join(&ring, Role::Consumer));
        let mut three = join(&ring, Role::Consumer);
        push(&mut producer, &[1, 2]);
        push(&mut producer, &[3]);
        producer.leave();
        assert_eq!(one.hold(2), Ok(items(&[1, 2])));
        assert_eq!(two.hold(1), Ok(items(&[3])));
        two.release(0);
        let releaser = thread::spawn(move || one.release(2));
        assert_eq!(three.hold(1), Ok(items(&[3])));
        releaser.join().unwrap();
    });
}
