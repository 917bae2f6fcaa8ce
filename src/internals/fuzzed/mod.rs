//! What the fuzz targets call: each is one function from bytes to a verdict, which is not to panic, to leave its memory, or to
//! go on for ever.

mod rendezvous;
mod segment;
mod spsc_ops;
mod subjects;

pub use rendezvous::rendezvous;
pub use segment::segment;
pub use spsc_ops::spsc_ops;

/// Bytes that are read from first to last, and after that as zeroes.
#[derive(Clone, Copy, Debug)]
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn is_over(self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        match self.0.split_off_first() {
            Some(byte) => *byte,
            None => 0,
        }
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes([(); 8].map(|()| self.byte()))
    }
}
