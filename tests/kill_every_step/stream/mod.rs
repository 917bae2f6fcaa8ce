//! Streams of bytes.

mod bytes;
mod ends;
mod forks;
mod late;
mod line;
mod play;
mod readers;
mod writers;

use std::io::{ErrorKind, Read, Write};

use ringpipe::stream::{Fifo, Options, PIPE_BUF, Reader, Writer};
use ringpipe::{Error, Name, Strategy};

use crate::scene::{LONG, Stage};

/// How many bytes a stream holds.
const CAPACITY: usize = PIPE_BUF;
/// How many can have an end of it.
const LIMIT: usize = 5;

fn made() -> Fifo {
    let options = Options::new().capacity(CAPACITY).participants(LIMIT);
    options.create(Name::Private).unwrap()
}

/// Another end to read from, which does not wait.
fn reader(fifo: &Fifo) -> Reader {
    let mut rx = fifo.reader_nonblocking().expect("there is a number");
    rx.set_strategy(Strategy::Sleep);
    rx.set_read_timeout(Some(LONG));
    rx
}

/// Another end to write to, which does not wait; whether there is a reader or not.
fn writer(fifo: &Fifo) -> Writer {
    let mut tx = match fifo.writer_nonblocking() {
        Err(Error::NoReader { .. }) => fifo.both().expect("there are numbers").0,
        tx => tx.expect("there is a number"),
    };
    tx.set_nonblocking(true);
    tx.set_strategy(Strategy::Sleep);
    tx.set_write_timeout(Some(LONG));
    tx
}

/// What a victim has at hand: ends that wait, for as long as it takes.
struct Hands<'a> {
    fifo: &'a Fifo,
    stage: Stage,
}

impl Hands<'_> {
    fn writer(&self) -> Writer {
        let tx = writer(self.fifo);
        tx.set_nonblocking(false);
        tx.set_write_timeout(None);
        tx
    }

    fn reader(&self) -> Reader {
        let rx = reader(self.fifo);
        rx.set_nonblocking(false);
        rx.set_read_timeout(None);
        rx
    }

    /// Says what was taken, once it is over: not much.
    fn tell(&self, bytes: &[u8]) {
        for some in bytes.chunks(size_of::<u64>() - 1) {
            let mut word = [0; size_of::<u64>()];
            word[0] = some.len() as u8;
            word[1..=some.len()].copy_from_slice(some);
            self.stage.tell(u64::from_le_bytes(word));
        }
    }
}

fn told(stage: Stage) -> Vec<u8> {
    let words = stage.told().into_iter().map(u64::to_le_bytes);
    let some = words.map(|word| word[1..=usize::from(word[0])].to_vec());
    some.flatten().collect()
}

/// Writes all or nothing; whether it did.
fn write(tx: &mut Writer, bytes: &[u8]) -> bool {
    match tx.write(bytes) {
        Ok(written) => {
            assert_eq!(written, bytes.len(), "a short write is in one piece");
            true
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// What there is now; besides, whether that is all.
fn drain(rx: &mut Reader) -> (Vec<u8>, bool) {
    let (mut got, mut some) = (Vec::new(), [0; CAPACITY]);
    loop {
        match rx.read(&mut some) {
            Ok(0) => return (got, true),
            Ok(n) => got.extend(&some[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return (got, false),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Nobody has an end of the stream: whatever was left in it is not seen again, and it can be had by as many, and holds as many
/// bytes, as ever.
///
/// Returns how many writers, and how many readers, are known to have died.
fn as_good_as_new(fifo: &Fifo) -> (u32, u32) {
    let mut rx = reader(fifo);
    let mut txs: Vec<_> = (1..LIMIT).map(|_| writer(fifo)).collect();
    assert_eq!(drain(&mut rx), (vec![], false), "old bytes");
    let bytes: Vec<u8> = (0..CAPACITY).map(|n| (n % 251) as u8).collect();
    assert!(write(&mut txs[0], &bytes), "room was lost");
    assert!(!write(&mut txs[1], b"x"), "room was won");
    assert_eq!(drain(&mut rx), (bytes, false));
    let deaths = (
        rx.writers().unwrap().deaths,
        txs[0].readers().unwrap().deaths,
    );
    let mut last = txs.pop().expect("there are some");
    drop(txs);
    assert_eq!(drain(&mut rx), (vec![], false), "an early end");
    drop(rx);
    let error = last.write(b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    let mut rx = reader(fifo);
    drop(last);
    assert_eq!(drain(&mut rx), (vec![], true), "no end");
    deaths
}
