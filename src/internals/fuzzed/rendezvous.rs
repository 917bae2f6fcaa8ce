//! Any bytes as a rendezvous file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::segment::record_of;
use crate::spsc::Ring;
use crate::{Error, Name};

/// Bytes that stand for what no fuzzer can guess: the lines of a ring's own record, from the first on.
const LINES: Range<u8> = 1..6;

thread_local! {
    static DESK: Desk = Desk::new();
}

/// A ring that a file may mean, what its record says, and a file that has no name and so is gone with the process.
struct Desk {
    ring: Ring<u8>,
    record: String,
    file: File,
}

/// Takes `bytes` for what a path leads to: an opener gets the ring if they are its record, to the last byte, but for the boot; else an error.
///
/// A byte from 1 to 5 stands for that line of the record.
pub fn rendezvous(bytes: &[u8]) {
    DESK.with(|desk| desk.judge(&desk.text(bytes)));
}

impl Desk {
    fn new() -> Self {
        let ring = Ring::private(1).expect("a small ring");
        let record = match ring.id() {
            Some(Name::Id(id)) => record_of(id),
            _ => None,
        };
        Self {
            ring,
            record: record.expect("a ring can be opened by its id"),
            file: nameless().expect("a temporary file"),
        }
    }

    fn text(&self, bytes: &[u8]) -> Vec<u8> {
        let lines: Vec<_> = self.record.split_inclusive('\n').collect();
        let meant = |byte| match byte {
            &n if LINES.contains(&n) => lines[usize::from(n - LINES.start)].as_bytes(),
            byte => std::slice::from_ref(byte),
        };
        bytes.iter().flat_map(meant).copied().collect()
    }

    /// Whether that is the ring's record, of whatever boot: in its namespace, the segment decides.
    fn is_record(&self, text: &[u8]) -> bool {
        let boot = |line: &str| {
            let id = line.strip_prefix("boot ");
            let digits = id.and_then(|id| id.strip_suffix('\n'));
            digits.is_some_and(|digits| {
                digits.len() == 32
                    && digits
                        .bytes()
                        .all(|digit| b"0123456789abcdef".contains(&digit))
            })
        };
        let Ok(text) = str::from_utf8(text) else {
            return false;
        };
        let lines = text.split_inclusive('\n');
        let own = self.record.split_inclusive('\n');
        let alike = |(line, own)| line == own || boot(line) && boot(own);
        lines.clone().count() == own.clone().count() && lines.zip(own).all(alike)
    }

    fn judge(&self, text: &[u8]) {
        self.file.set_len(0).expect("it is our own");
        self.file.write_all_at(text, 0).expect("it is our own");
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        let is_record = self.is_record(text);
        match Ring::<u8>::open(&path) {
            Ok(found) => {
                assert!(is_record, "opened by what is no record of it");
                assert_eq!(found.id(), self.ring.id(), "another ring was opened");
            }
            Err(error) => {
                assert!(!is_record, "not opened by its record: {error}");
                assert!(
                    !matches!(error, Error::NotFound { .. }),
                    "the file is there"
                );
            }
        }
    }
}

fn nameless() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("ringpipe-fuzz-{}", std::process::id()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
