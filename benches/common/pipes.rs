//! The rival from the kernel: pipe(2) between two processes.

use std::io::{PipeWriter, Read, Write, pipe};

use nix::fcntl::{FcntlArg, fcntl};

use super::duel::{Between, Ends, start};
use super::payload::{CHUNK, Chunk, Numbered, check, check_chunk};

/// What a pipe holds unless told otherwise.
pub(crate) const DEFAULT: usize = 64 << 10;

/// One write(2) and one read(2) per item.
pub(crate) fn single<T: Numbered>() -> Ends {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    Ends {
        source: start(move || {
            move |numbers| {
                for n in numbers {
                    writer.write_all(T::of(n).as_bytes()).expect("a reader");
                }
            }
        }),
        sink: start(move || {
            let mut item = T::new_zeroed();
            move |numbers| {
                for n in numbers {
                    reader.read_exact(item.as_mut_bytes()).expect("a writer");
                    check(&item, n);
                }
            }
        }),
        between: Between::Processes,
    }
}

/// Chunks of bytes.
pub(crate) fn stream(capacity: usize) -> Ends {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    resize(&writer, capacity);
    Ends {
        source: start(move || {
            let mut chunk = Chunk::new();
            move |numbers| {
                numbers.for_each(|n| writer.write_all(chunk.numbered(n)).expect("a reader"));
            }
        }),
        sink: start(move || {
            let mut bytes = vec![0; CHUNK];
            move |numbers| {
                for n in numbers {
                    reader.read_exact(&mut bytes).expect("a writer");
                    check_chunk(&bytes, n);
                }
            }
        }),
        between: Between::Processes,
    }
}

pub(crate) fn resize(pipe: &PipeWriter, capacity: usize) {
    let wanted = i32::try_from(capacity).expect("a pipe's capacity");
    let got = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(wanted)).expect("a pipe of that size");
    assert_eq!(got, wanted, "the kernel gave another size");
}
