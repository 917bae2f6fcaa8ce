//! Memory between two processes and two indices, and nothing else: what two processors can hand over at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringpipe::sysv::{Key, Mapping, ShmAtFlags, ShmGetFlags, shmat, shmctl_rmid, shmget};

use crate::common::duel::{Between, Ends, start};
use crate::common::machine::relax;

/// Bytes that are handed over at a time.
pub(crate) const PIECE: usize = 16 << 10;

/// Where each lies in the segment: the indices on pages of their own.
const SENT: usize = 0;
const TAKEN: usize = 4096;
const BYTES: usize = 8192;

/// One that holds so many bytes, which must be a multiple of a piece.
pub(crate) fn open(size: usize) -> Ends {
    let band = Arc::new(Band::new(size));
    let other = Arc::clone(&band);
    Ends {
        source: start(move || {
            let mut piece = [0; PIECE];
            move |numbers| numbers.for_each(|n| band.send(numbered(&mut piece, n), n))
        }),
        sink: start(move || {
            let mut piece = [0; PIECE];
            move |numbers| {
                for n in numbers {
                    other.take(&mut piece, n);
                    assert!(is_numbered(&piece, n), "piece {n} did not come whole");
                }
            }
        }),
        between: Between::Processes,
    }
}

/// With its number at both ends.
fn numbered(piece: &mut [u8; PIECE], n: u64) -> &[u8; PIECE] {
    piece[..8].copy_from_slice(&n.to_ne_bytes());
    piece[PIECE - 8..].copy_from_slice(&n.to_ne_bytes());
    piece
}

fn is_numbered(piece: &[u8; PIECE], n: u64) -> bool {
    piece[..8] == n.to_ne_bytes() && piece[PIECE - 8..] == n.to_ne_bytes()
}

struct Band {
    memory: Mapping,
    pieces: u64,
}

impl Band {
    fn new(size: usize) -> Self {
        assert!(size.is_multiple_of(PIECE));
        let flags = ShmGetFlags::CREATE;
        let segment = shmget(Key::PRIVATE, BYTES + size, flags, 0o600).expect("a segment");
        let memory = shmat(segment, ShmAtFlags::empty());
        // It goes with the last process that has it.
        shmctl_rmid(segment).expect("our own segment");
        Self {
            memory: memory.expect("room for the segment"),
            pieces: (size / PIECE) as u64,
        }
    }

    #[allow(unsafe_code, reason = "shared memory has an address and no type")]
    fn index(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at == SENT || at == TAKEN);
        let bytes = self.memory.as_ptr().as_ptr().cast::<u8>().wrapping_add(at);
        // SAFETY: there the page-aligned segment has a word that was filled with zeros, is used by atomics alone, and is
        // mapped for as long as `self` lives.
        unsafe { AtomicU64::from_ptr(bytes.cast()) }
    }

    /// Where the piece with that number is put.
    fn place(&self, n: u64) -> *mut u8 {
        let at = BYTES + (n % self.pieces) as usize * PIECE;
        self.memory.as_ptr().as_ptr().cast::<u8>().wrapping_add(at)
    }

    #[allow(unsafe_code, reason = "shared memory has an address and no type")]
    fn send(&self, piece: &[u8; PIECE], n: u64) {
        while n - self.index(TAKEN).load(Ordering::Acquire) == self.pieces {
            relax();
        }
        // SAFETY: the place lies within the mapped segment, and nobody else uses it: what was there is taken, and what
        // will be there is not yet said to be sent.
        unsafe {
            self.place(n)
                .copy_from_nonoverlapping(piece.as_ptr(), PIECE)
        };
        self.index(SENT).store(n + 1, Ordering::Release);
    }

    #[allow(unsafe_code, reason = "shared memory has an address and no type")]
    fn take(&self, piece: &mut [u8; PIECE], n: u64) {
        while self.index(SENT).load(Ordering::Acquire) <= n {
            relax();
        }
        // SAFETY: the place lies within the mapped segment, and nobody writes to it: it is sent, and not yet said to be
        // taken.
        unsafe {
            self.place(n)
                .copy_to_nonoverlapping(piece.as_mut_ptr(), PIECE)
        };
        self.index(TAKEN).store(n + 1, Ordering::Release);
    }
}
