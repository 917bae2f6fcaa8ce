//! Ours.

use std::io::{self, BufRead};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::poll::PollFlags;
use ringpipe::stream::{self, Options, Reader, Readiness, Writer};

use crate::common::apart::{segments, sets};
use crate::subject::{End, Fifo, Outcome, Subject, WriteEnd};

#[derive(Debug)]
pub(crate) struct Ring;

impl Subject for Ring {
    const OURS: bool = true;

    type Reader = Reader;
    type Writer = Writer;
    type Fifo = stream::Fifo;

    fn pipe() -> (Writer, Reader) {
        stream::pipe().expect("there are segments and semaphores")
    }

    fn buffered(reader: Reader) -> impl BufRead {
        reader
    }

    fn write_to(_: &mut Reader) -> Option<Outcome> {
        None
    }

    fn read_from(_: &mut Writer) -> Option<Outcome> {
        None
    }

    fn read_to_nowhere(_: &mut Reader) -> Option<Outcome> {
        None
    }

    fn sweep(folder: &Path, own_namespace: bool) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in entries {
            let _ = ringpipe::remove(entry.path()); // it may be something else
        }
        if own_namespace && !thread::panicking() {
            assert_eq!(left_behind(), (vec![], vec![]), "segments and sets");
        }
    }
}

/// What is there when a collector has taken what those who were killed could not.
///
/// Those who end by themselves may be about it still.
fn left_behind() -> (Vec<i32>, Vec<i32>) {
    for _ in 0..1000 {
        ringpipe::collect(&[], false).expect("the kernel's lists can be read");
        if segments().is_empty() && sets().is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    (segments(), sets())
}

fn poll_flags(readiness: Readiness) -> PollFlags {
    PollFlags::from_bits(readiness.bits()).expect("the bits are poll's")
}

/// What both ends have, one of them with `$wait`.
macro_rules! end {
    ($end:ty, $wait:ident) => {
        impl End for $end {
            fn twin(&self) -> Self {
                self.try_clone().expect("there are fewer than can be")
            }

            fn set_nonblocking(&self, on: bool) {
                self.set_nonblocking(on);
            }

            fn is_nonblocking(&self) -> bool {
                self.is_nonblocking()
            }

            fn set_interruptible(&self, on: bool) {
                self.set_interruptible(on);
            }

            fn set_inheritable(&mut self, on: bool) {
                self.set_inheritable(on);
            }

            fn capacity(&self) -> usize {
                self.capacity()
            }

            fn unread(&self) -> usize {
                self.available()
            }

            fn wait(&mut self, timeout: Option<Duration>) -> PollFlags {
                poll_flags(self.$wait(timeout).expect("the ring is there"))
            }

            fn readiness(&self) -> PollFlags {
                poll_flags(self.readiness().expect("the ring is there"))
            }
        }
    };
}

end!(Reader, wait_readable);
end!(Writer, wait_writable);

impl WriteEnd for Writer {
    fn set_sigpipe(&self, on: bool) {
        self.set_sigpipe(on);
    }
}

/// The error that a pipe would give.
fn as_of_a_pipe(error: ringpipe::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::other(error),
    }
}

impl Fifo for stream::Fifo {
    type Reader = Reader;
    type Writer = Writer;

    fn make(path: &Path, mode: u32) -> io::Result<Self> {
        let made = Options::new().mode(mode).create(path);
        made.map_err(as_of_a_pipe)
    }

    fn find(path: &Path) -> io::Result<Self> {
        // Whoever made it: see the differences.
        let found = Options::new().trust_any_uid().open(path);
        found.map_err(as_of_a_pipe)
    }

    fn reader(&self) -> io::Result<Reader> {
        self.reader().map_err(as_of_a_pipe)
    }

    fn writer(&self) -> io::Result<Writer> {
        self.writer().map_err(as_of_a_pipe)
    }

    fn reader_nonblocking(&self) -> io::Result<Reader> {
        self.reader_nonblocking().map_err(as_of_a_pipe)
    }

    fn writer_nonblocking(&self) -> io::Result<Writer> {
        self.writer_nonblocking().map_err(as_of_a_pipe)
    }

    fn both(&self) -> io::Result<(Writer, Reader)> {
        self.both().map_err(as_of_a_pipe)
    }

    fn both_truncated(&self) -> Option<io::Result<(Writer, Reader)>> {
        None
    }

    fn remove(&self) -> io::Result<()> {
        self.remove().map_err(as_of_a_pipe)
    }
}
