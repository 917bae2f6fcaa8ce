//! Streams of bytes, whose writers and whose readers take turns, and all of whom live.

use loom::thread;
use ringpipe::internals::{Party, Stream, Vain};
use ringpipe::{PeerLoss, Role};

use super::{check, check_crowd};

pub(super) fn join(stream: &Stream, role: Role) -> Party {
    stream.join(role).expect("there is a number left")
}

pub(super) fn writer(stream: &Stream) -> Party {
    join(stream, Role::Producer)
}

pub(super) fn reader(stream: &Stream) -> Party {
    join(stream, Role::Consumer)
}

pub(super) fn write(party: &mut Party, bytes: &[u8]) {
    party.write(bytes).expect("somebody reads");
}

/// What a reader gets until the end.
pub(super) fn drain(mut party: Party, most: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while let Ok(bytes) = party.read(most) {
        assert!(!bytes.is_empty(), "only the end is nothing");
        got.extend(bytes);
    }
    party.leave();
    got
}

pub(super) fn sorted(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.sort_unstable();
    bytes
}

/// Two writers who take turns, and a reader, in a ring that holds one write, or a little more: each comes whole, and in order.
#[test]
fn two_writers_take_turns() {
    for capacity in [2, 3] {
        check_crowd(move || {
            let stream = Stream::new(3, capacity);
            let (mut one, mut two) = (writer(&stream), writer(&stream));
            let reader = reader(&stream);
            let reader = thread::spawn(move || drain(reader, 3));
            let other = thread::spawn(move || {
                write(&mut two, &[8, 8]);
                two.leave();
            });
            write(&mut one, &[1, 1]);
            write(&mut one, &[2]);
            one.leave();
            other.join().unwrap();
            let got = reader.join().unwrap();
            let orders = [[1, 1, 2, 8, 8], [1, 1, 8, 8, 2], [8, 8, 1, 1, 2]];
            assert!(orders.iter().any(|order| got == order), "{got:?}");
        });
    }
}

/// A writer who keeps its turn, which a newcomer asks for and gets, and which it then asks for in its turn.
#[test]
fn a_kept_turn_is_given_up() {
    check(|| {
        let stream = Stream::new(3, 8);
        let mut reader = reader(&stream);
        let mut keeper = writer(&stream);
        let other = stream.clone();
        let other = thread::spawn(move || {
            let mut other = writer(&other);
            write(&mut other, &[8, 8]);
            other.leave();
        });
        write(&mut keeper, &[1]);
        write(&mut keeper, &[2, 2]);
        other.join().unwrap();
        keeper.leave();
        let got = reader.read(8).expect("it was written");
        let orders = [[1, 2, 2, 8, 8], [1, 8, 8, 2, 2], [8, 8, 1, 2, 2]];
        assert!(orders.iter().any(|order| got == order), "{got:?}");
        assert_eq!(reader.read(1), Err(Vain::Gone));
    });
}

/// A turn that is kept, asked for, and kept again, as one that finds it again and again as it was left does.
#[test]
fn a_turn_is_kept_again() {
    check(|| {
        let stream = Stream::new(3, 8);
        let reader = reader(&stream);
        let (mut keeper, mut other) = (writer(&stream), writer(&stream));
        write(&mut other, &[0]);
        let other = thread::spawn(move || {
            write(&mut other, &[8]);
            write(&mut other, &[9]);
            other
        });
        for n in 1..=4 {
            write(&mut keeper, &[n]);
        }
        other.join().unwrap().leave();
        keeper.leave();
        let got = drain(reader, 8);
        let of = |from: u8| got.iter().copied().filter(move |byte| byte / 8 == from / 8);
        assert!(of(0).eq(0..=4) && of(8).eq(8..=9), "{got:?}");
    });
}

/// One writer and two readers in a ring of one byte: each byte comes once, in order, and both learn of the end.
#[test]
fn two_readers_share_a_stream() {
    for capacity in [1, 2] {
        check_crowd(move || {
            let stream = Stream::new(3, capacity);
            let mut writer = writer(&stream);
            let readers = [reader(&stream), reader(&stream)];
            let readers = readers.map(|party| thread::spawn(move || drain(party, 1)));
            write(&mut writer, &[1]);
            write(&mut writer, &[2]);
            writer.leave();
            let mut got = Vec::new();
            for reader in readers {
                let theirs = reader.join().unwrap();
                assert!(theirs.is_sorted(), "in the order of the stream");
                got.extend(theirs);
            }
            assert_eq!(sorted(got), [1, 2]);
        });
    }
}

/// Two readers, one of whom lets some of what it was shown lie: the other gets it.
#[test]
fn what_a_reader_lets_lie_is_anothers() {
    check(|| {
        let stream = Stream::new(3, 3);
        let mut writer = writer(&stream);
        let (mut one, mut two) = (reader(&stream), reader(&stream));
        write(&mut writer, &[1, 2, 3]);
        assert_eq!(one.hold(3), Ok(vec![1, 2, 3]));
        let other = thread::spawn(move || {
            let first = two.read(1);
            (first, two)
        });
        one.commit(1);
        let (first, two) = other.join().unwrap();
        assert_eq!(first, Ok(vec![2]));
        writer.leave();
        assert_eq!(drain(two, 3), [3]);
        assert!(drain(one, 3).is_empty());
    });
}

/// A turn that is let go with nothing done, while another waits for it.
#[test]
fn a_turn_that_is_put_down_is_anothers() {
    check(|| {
        let stream = Stream::new(3, 2);
        let reader = reader(&stream);
        let (mut one, mut two) = (writer(&stream), writer(&stream));
        one.reserve(&[7, 7]).expect("there is room");
        let other = thread::spawn(move || {
            write(&mut two, &[1, 1]);
            two.leave();
        });
        one.commit(0);
        other.join().unwrap();
        one.leave();
        assert_eq!(drain(reader, 2), [1, 1]);
    });
}

/// One waits for more room than there is, and another for less, and bytes are read singly: neither sleeps beside what it could
/// Whoever comes when all have gone finds nothing, though something was left.
#[test]
fn what_all_have_left_is_discarded() {
    check_crowd(|| {
        let stream = Stream::new(3, 2);
        let mut last = writer(&stream);
        write(&mut last, &[9]);
        last.leave();
        let theirs = stream.clone();
        let other = thread::spawn(move || {
            let mut writer = writer(&theirs);
            write(&mut writer, &[1, 1]);
            writer.leave();
        });
        let got = drain(reader(&stream), 2);
        other.join().unwrap();
        // The writer may have come and gone before, or after.
        assert!(got == [1, 1] || got.is_empty(), "{got:?}");
    });
}

/// An interrupted wait, with its withdrawal at any moment, costs nobody a wake-up.
#[test]
fn an_interrupted_wait_leaves_the_wake_up_to_another() {
    check(|| {
        let stream = Stream::new(3, 1);
        let mut writer = writer(&stream);
        let (mut one, two) = (reader(&stream), reader(&stream));
        let theirs = stream.clone();
        let restless = thread::spawn(move || {
            theirs.set_restless(Role::Consumer, true);
            let got = one.read(1);
            theirs.set_restless(Role::Consumer, false);
            one.leave();
            got.unwrap_or_default()
        });
        let sender = thread::spawn(move || {
            write(&mut writer, &[1]);
            writer.leave();
        });
        let mut got = restless.join().unwrap();
        got.extend(drain(two, 1));
        assert_eq!(got, [1]);
        sender.join().unwrap();
    });
}

/// Numbers run out, and come back.
#[test]
fn a_number_is_had_by_one() {
    check(|| {
        let stream = Stream::new(2, 1);
        let own = writer(&stream);
        let rivals = [stream.clone(), stream.clone()];
        let rivals = rivals.map(|stream| {
            thread::spawn(move || {
                let mut party = stream
                    .join_peers(Role::Consumer)
                    .expect("there is a writer")?;
                party.leave();
                Some(())
            })
        });
        let came = rivals.map(|rival| rival.join().unwrap().is_some());
        assert!(came.contains(&true));
        let _end = reader(&stream);
        assert!(stream.join(Role::Producer).is_none());
        drop(own);
    });
}

/// use.
#[test]
fn who_waits_for_more_does_not_keep_others_asleep() {
    check(|| {
        let stream = Stream::new(3, 2);
        let mut reader = reader(&stream);
        let (mut large, mut small) = (writer(&stream), writer(&stream));
        write(&mut large, &[1, 2]);
        let large = thread::spawn(move || write(&mut large, &[3, 3]));
        let small = thread::spawn(move || write(&mut small, &[9]));
        assert_eq!(reader.read(1), Ok(vec![1]));
        small.join().unwrap();
        let mut got = Vec::new();
        while got.len() < 4 {
            got.extend(reader.read(1).expect("it comes"));
        }
        large.join().unwrap();
        assert!(got == [2, 9, 3, 3], "{got:?}");
    });
}

/// The same where there is room all the while, and the turn is in a third one's hands, who does nothing with it.
#[test]
fn who_waits_for_more_is_woken_beside_others() {
    check(|| {
        let stream = Stream::new(4, 2);
        let mut reader = reader(&stream);
        let (mut large, mut small) = (writer(&stream), writer(&stream));
        let mut holder = writer(&stream);
        write(&mut holder, &[1]);
        holder.reserve(&[7]).expect("there is room");
        let large = thread::spawn(move || write(&mut large, &[3, 3]));
        let small = thread::spawn(move || write(&mut small, &[9]));
        holder.commit(0);
        small.join().unwrap();
        assert_eq!(reader.read(2), Ok(vec![1, 9]));
        large.join().unwrap();
        assert_eq!(reader.read(2), Ok(vec![3, 3]));
    });
}

/// The same where one only looks for so much.
#[test]
fn who_only_looks_does_not_keep_others_asleep() {
    check(|| {
        let stream = Stream::new(3, 2);
        let mut reader = reader(&stream);
        let (mut poller, mut small) = (writer(&stream), writer(&stream));
        write(&mut small, &[1, 2]);
        let poller = thread::spawn(move || poller.await_near(2, PeerLoss::Disconnect));
        let small = thread::spawn(move || write(&mut small, &[9]));
        assert_eq!(reader.read(1), Ok(vec![1]));
        small.join().unwrap();
        assert_eq!(reader.read(2), Ok(vec![2, 9]));
        assert_eq!(poller.join().unwrap(), Ok(()));
    });
}

/// A reader that waits for a writer to come, beside one that waits for what a third has in hand, or for the end.
#[test]
fn who_waits_for_company_does_not_keep_others_asleep() {
    for released in [0, 1] {
        check(move || {
            let stream = Stream::new(4, 1);
            let mut gone = writer(&stream);
            let (mut small, mut holder) = (reader(&stream), reader(&stream));
            write(&mut gone, &[1]);
            assert_eq!(holder.hold(1), Ok(vec![1]));
            gone.leave();
            let mut early = reader(&stream);
            let early = thread::spawn(move || early.meet());
            let small = thread::spawn(move || small.read(1));
            holder.commit(released);
            let expected = if released == 0 {
                Ok(vec![1])
            } else {
                Err(Vain::Gone)
            };
            assert_eq!(small.join().unwrap(), expected);
            let _writer = writer(&stream);
            assert_eq!(early.join().unwrap(), Ok(()));
        });
    }
}

/// Both come to a stream that nobody has open, and wait for each other.
#[test]
fn two_meet() {
    check(|| {
        let stream = Stream::new(2, 1);
        let theirs = stream.clone();
        let other = thread::spawn(move || {
            let mut writer = writer(&theirs);
            writer.meet().expect("somebody comes");
            write(&mut writer, &[1]);
            writer.leave();
        });
        let mut reader = reader(&stream);
        reader.meet().expect("somebody comes");
        assert_eq!(drain(reader, 1), [1]);
        other.join().unwrap();
    });
}
