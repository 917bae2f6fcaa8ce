//! Streams of bytes, of whose writers and readers one is killed at each of its steps in turn.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::thread;
use ringpipe::Role;
use ringpipe::internals::{Party, Stream, Vain, mortal};

use super::turns::{drain, reader, sorted, write, writer};
use super::{at_each_step, at_each_step_in_crowd, check_crowd, died};

/// The stream can be had by as many as ever, has as much room as ever, and nothing in it once all have left.
fn assert_whole(stream: &Stream, participants: usize, capacity: usize) {
    let bytes: Vec<u8> = (0..capacity as u8).map(|n| 100 + n).collect();
    let reader = reader(stream);
    let mut writers: Vec<_> = (1..participants).map(|_| writer(stream)).collect();
    assert!(stream.join(Role::Consumer).is_none(), "numbers were won");
    write(&mut writers[0], &bytes);
    writers.iter_mut().for_each(Party::leave);
    assert_eq!(drain(reader, capacity), bytes);
}

/// The only writer, which keeps its turn, killed at each step beside a reader that sleeps: each write arrives whole or not at
/// all, and the reader learns of the end.
#[test]
fn a_killed_keeper_leaves_no_torn_write() {
    let points = at_each_step(|life, deaths| {
        let stream = Stream::new(2, 2);
        let reader = reader(&stream);
        let theirs = stream.process(1);
        let mut keeper = writer(&theirs);
        let reader = thread::spawn(move || drain(reader, 1));
        let outcome = mortal(life, || {
            write(&mut keeper, &[1, 1]);
            write(&mut keeper, &[2]);
        });
        theirs.die();
        let got = reader.join().unwrap();
        died(&outcome, deaths);
        assert!(
            got == [1, 1, 2] || outcome.is_none() && (got.is_empty() || got == [1, 1]),
            "{got:?}"
        );
        assert_whole(&stream, 2, 2);
    });
    println!("points of death of a keeper beside a reader: {points}");
    assert!(points > 10);
}

/// A writer that keeps its turn, killed at each step while another asks for it.
#[test]
fn a_killed_keeper_is_succeeded() {
    let points = at_each_step(|life, deaths| {
        let stream = Stream::new(3, 4);
        let reader = reader(&stream);
        let theirs = stream.process(1);
        let mut keeper = writer(&theirs);
        let mut other = writer(&stream);
        let other = thread::spawn(move || {
            write(&mut other, &[8, 8]);
            other.leave();
        });
        let outcome = mortal(life, || write(&mut keeper, &[1, 1]));
        died(&outcome, deaths);
        theirs.die();
        other.join().unwrap();
        let got = drain(reader, 4);
        let all = got == [1, 1, 8, 8] || got == [8, 8, 1, 1];
        assert!(all || outcome.is_none() && got == [8, 8], "{got:?}");
    });
    println!("points of death of a keeper that is asked: {points}");
    assert!(points > 5);
}

/// A writer that asks for a turn that another keeps and uses, killed at each step.
#[test]
fn a_killed_asker_stops_nobody() {
    let points = at_each_step(|life, deaths| {
        let stream = Stream::new(3, 8);
        let reader = reader(&stream);
        let mut keeper = writer(&stream);
        let theirs = stream.process(1);
        let mut asker = writer(&theirs);
        let victim = thread::spawn(move || {
            let outcome = mortal(life, || {
                write(&mut asker, &[8, 8]);
                asker.leave();
            });
            theirs.die();
            outcome
        });
        write(&mut keeper, &[1]);
        write(&mut keeper, &[2]);
        let outcome = victim.join().unwrap();
        died(&outcome, deaths);
        write(&mut keeper, &[3]);
        keeper.leave();
        let got = drain(reader, 8);
        let (eights, others): (Vec<u8>, Vec<u8>) = got.iter().partition(|byte| **byte == 8);
        assert_eq!(others, [1, 2, 3]);
        assert!(eights == [8, 8] || outcome.is_none() && eights.is_empty());
        assert!(
            got.windows(2).any(|pair| pair == [8, 8]) == (eights.len() == 2),
            "{got:?}"
        );
        assert_whole(&stream, 3, 8);
    });
    println!("an asker's points of death: {points}");
    assert!(points > 20);
}

/// A writer with the turn in hand, killed at each step, while another waits for the turn or for room.
#[test]
fn a_killed_holder_is_succeeded() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let stream = Stream::new(3, 2);
        let mut other = writer(&stream);
        let theirs = stream.process(1);
        let (mut holder, reader) = (writer(&theirs), reader(&stream));
        holder.reserve(&[1, 1]).expect("there is room");
        let other = thread::spawn(move || {
            write(&mut other, &[8, 8]);
            other.leave();
        });
        let victim = thread::spawn(move || {
            let outcome = mortal(life, || holder.commit(2));
            theirs.die();
            outcome
        });
        let got = drain(reader, 2);
        let outcome = victim.join().unwrap();
        died(&outcome, deaths);
        other.join().unwrap();
        assert!(
            got == [1, 1, 8, 8] || outcome.is_none() && got == [8, 8],
            "{got:?}"
        );
        assert_whole(&stream, 3, 2);
    });
    println!("points of death of a holder: {points}");
    assert!(points > 2);
}

/// A reader killed at each step of joining, reading twice, and leaving, beside another that sleeps: what it has not released
/// is the other's, and both are told of the end.
#[test]
fn a_killed_reader_takes_along_what_it_released() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let stream = Stream::new(3, 3);
        let mut writer = writer(&stream);
        let survivor = reader(&stream);
        write(&mut writer, &[1, 2, 3]);
        let theirs = stream.process(1);
        let victim = thread::spawn(move || {
            let mut taken = Vec::new();
            let outcome = mortal(life, || {
                let mut hand = reader(&theirs);
                for most in [1, 2] {
                    taken.extend(hand.read(most).unwrap_or_default());
                }
                hand.leave();
            });
            theirs.die();
            (outcome, taken)
        });
        writer.leave();
        let got = drain(survivor, 1);
        let (outcome, taken) = victim.join().unwrap();
        let dead = died(&outcome, deaths);
        let mut all = got.clone();
        all.extend(&taken);
        all.sort_unstable();
        assert!(
            got.is_sorted() && all.is_sorted_by(|a, b| a < b),
            "{got:?} {taken:?}"
        );
        // Killed just after it released what its last read took, which then never returned.
        assert!(dead || all == [1, 2, 3], "{got:?} {taken:?}");
        assert_whole(&stream, 3, 3);
    });
    println!("a reader's points of death: {points}");
    assert!(points > 30);
}

/// A reader killed at each step of releasing, with the turn in hand, while another waits for it: nothing is half gone.
#[test]
fn a_killed_reader_leaves_the_turn() {
    let points = at_each_step(|life, deaths| {
        let stream = Stream::new(3, 2);
        let mut writer = writer(&stream);
        let survivor = reader(&stream);
        let theirs = stream.process(1);
        let mut holder = reader(&theirs);
        write(&mut writer, &[1, 2]);
        assert_eq!(holder.hold(2), Ok(vec![1, 2]));
        writer.leave();
        let survivor = thread::spawn(move || drain(survivor, 1));
        let outcome = mortal(life, || holder.commit(2));
        died(&outcome, deaths);
        theirs.die();
        let got = survivor.join().unwrap();
        assert!(
            got.is_empty() || outcome.is_none() && got == [1, 2],
            "{got:?}"
        );
    });
    println!("points of death of a reader with the turn: {points}");
    assert!(points > 2);
}

/// The first to come, killed at each step, while another comes: what all before them had left is not seen again.
#[test]
fn the_first_to_come_may_die_of_it() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let stream = Stream::new(3, 2);
        let mut last = writer(&stream);
        write(&mut last, &[9]);
        last.leave();
        let theirs = stream.process(1);
        let mine = stream.clone();
        let other = thread::spawn(move || drain(reader(&mine), 2));
        let outcome = mortal(life, || {
            let mut first = writer(&theirs);
            write(&mut first, &[1, 1]);
            first.leave();
        });
        theirs.die();
        let got = other.join().unwrap();
        died(&outcome, deaths);
        assert!(got.is_empty() || got == [1, 1], "{got:?}");
        assert_whole(&stream, 3, 2);
    });
    println!("points of death of the first to come: {points}");
    assert!(points > 30);
}

/// What the dead have left, when one who is putting it in order is killed at each step as well, beside another: a writer with the
/// turn in hand, and a reader. The stream has three numbers, so that whoever comes needs one of theirs.
#[test]
fn who_clears_up_may_die_of_it() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let stream = Stream::new(3, 3);
        let survivor = reader(&stream);
        leave_remains(&stream);
        let survivor = thread::spawn(move || drain(survivor, 3));
        let theirs = stream.process(3);
        let outcome = mortal(life, || {
            let mut party = writer(&theirs);
            let written = party.write(&[3, 3]);
            party.leave();
            written
        });
        theirs.die();
        died(&outcome, deaths);
        let got = survivor.join().unwrap();
        assert!(got == [1] || got == [1, 3, 3], "{got:?}");
        assert_whole(&stream, 3, 3);
    });
    println!("points of death of one who clears up: {points}");
    assert!(points > 30);
}

/// A writer killed with room in hand, and a reader killed with a byte in hand.
fn leave_remains(stream: &Stream) {
    let (first, second) = (stream.process(1), stream.process(2));
    let (mut holder, mut taker) = (writer(&first), reader(&second));
    write(&mut holder, &[1]);
    holder.reserve(&[7, 7]).expect("there is room");
    assert_eq!(taker.hold(1), Ok(vec![1]));
    first.die();
    second.die();
}

/// A number is used again, after one that kept its turn was killed at each step: the new one keeps the turn and does not use it,
/// and another gets it.
#[test]
fn a_number_is_used_again() {
    let points = at_each_step(|life, deaths| {
        let stream = Stream::new(3, 3);
        let reader = reader(&stream);
        let theirs = stream.process(1);
        let mut keeper = writer(&theirs);
        let outcome = mortal(life, || write(&mut keeper, &[1]));
        theirs.die();
        let dead = died(&outcome, deaths);
        let mut idle = writer(&stream);
        let mut other = writer(&stream);
        let other = thread::spawn(move || {
            write(&mut other, &[8, 8]);
            other.leave();
        });
        other.join().unwrap();
        idle.leave();
        let got = drain(reader, 3);
        assert!(got == [1, 8, 8] || dead && got == [8, 8], "{got:?}");
    });
    println!("points of death before a number is used again: {points}");
    assert!(points > 5);
}

/// Two readers asleep, one of whom is killed at each step, with a wake-up in its hands or not: the other gets all that is left.
#[test]
fn a_killed_sleeper_takes_no_wake_up_with_it() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let stream = Stream::new(3, 2);
        let mut writer = writer(&stream);
        let theirs = stream.process(1);
        let (mut victim, mut survivor) = (reader(&theirs), reader(&stream));
        let victim = thread::spawn(move || {
            let outcome = mortal(life, || victim.read(1));
            theirs.die();
            outcome
        });
        let survivor = thread::spawn(move || {
            let first = survivor.read(1).expect("there is one for it");
            (first, survivor)
        });
        write(&mut writer, &[1]);
        write(&mut writer, &[2]);
        let (mut all, survivor) = survivor.join().unwrap();
        let outcome = victim.join().unwrap();
        let dead = died(&outcome, deaths);
        writer.leave();
        all.extend(drain(survivor, 1));
        all.extend(outcome.map_or(vec![], |read| read.expect("there is one for it")));
        // What the victim has released before it was killed is gone with it.
        let all = sorted(all);
        assert!(all == [1, 2] || dead && all.len() == 1, "{all:?}");
    });
    println!("a sleeper's points of death: {points}");
    assert!(points > 10);
}

/// The only writer is killed at each step while two readers sleep: both get something or learn of the end.
#[test]
fn all_sleepers_learn_of_the_last_writers_death() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let stream = Stream::new(3, 1);
        let theirs = stream.process(1);
        let mut only = writer(&theirs);
        let readers = [reader(&stream), reader(&stream)];
        let readers = readers.map(|party| thread::spawn(move || drain(party, 1)));
        let outcome = mortal(life, || write(&mut only, &[1]));
        died(&outcome, deaths);
        theirs.die();
        let mut got = Vec::new();
        for reader in readers {
            got.extend(reader.join().unwrap());
        }
        assert!(got == [1] || outcome.is_none() && got.is_empty());
        assert_whole(&stream, 3, 1);
    });
    println!("points of death of the only writer: {points}");
    assert!(points > 5);
}

/// The only reader is killed at each step while two writers wait for room, one of them for more than the other: both write, or
/// learn that nobody reads.
#[test]
fn all_sleepers_learn_of_the_last_readers_death() {
    let points = at_each_step_in_crowd(|life, deaths| {
        let stream = Stream::new(3, 2);
        let theirs = stream.process(1);
        let mut only = reader(&theirs);
        let (mut large, mut small) = (writer(&stream), writer(&stream));
        write(&mut large, &[1, 2]);
        let large = thread::spawn(move || large.write(&[3, 3]));
        let small = thread::spawn(move || small.write(&[9]));
        let outcome = mortal(life, || only.read(1).expect("it is there").len());
        died(&outcome, deaths);
        theirs.die();
        assert_eq!(large.join().unwrap(), Err(Vain::Gone));
        let wrote = small.join().unwrap();
        assert!(wrote == Err(Vain::Gone) || stream.available() == 2);
    });
    println!("points of death of the only reader: {points}");
    assert!(points > 5);
}

/// A writer killed at each step of joining while a reader waits for one: that one has come, or the next one does.
#[test]
fn who_waits_for_company_is_not_forgotten() {
    let points = at_each_step(|life, deaths| {
        let stream = Stream::new(3, 1);
        let theirs = stream.process(1);
        let mut early = reader(&stream);
        let early = thread::spawn(move || {
            early.meet().expect("somebody comes");
            early
        });
        let outcome = mortal(life, || writer(&theirs).leave());
        theirs.die();
        died(&outcome, deaths);
        let mut next = writer(&stream);
        let mut early = early.join().unwrap();
        write(&mut next, &[1]);
        assert_eq!(early.read(1), Ok(vec![1]));
    });
    println!("points of death of one that is waited for: {points}");
    assert!(points > 10);
}

/// The wake-ups that a death adds are needed: without them, some death of the only writer leaves a reader asleep for ever.
#[test]
fn without_death_credits_somebody_sleeps_for_ever() {
    let hangs = |life: u32| {
        let model = move || {
            let stream = Stream::without_credits(2, 1);
            let theirs = stream.process(1);
            let (mut only, reader) = (writer(&theirs), reader(&stream));
            let reader = thread::spawn(move || drain(reader, 1));
            let _ = mortal(life, || write(&mut only, &[1]));
            theirs.die();
            reader.join().unwrap();
        };
        let failed = catch_unwind(AssertUnwindSafe(|| check_crowd(model))).err();
        failed.is_some_and(|cause| {
            let said = cause.downcast_ref::<String>().expect("loom says why");
            assert!(said.starts_with("deadlock"), "{said}");
            true
        })
    };
    let hanging: Vec<u32> = (0..10).filter(|life| hangs(*life)).collect();
    println!("lives after which a reader hangs: {hanging:?}");
    assert!(!hanging.is_empty());
}
