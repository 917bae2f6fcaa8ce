//! A segment as bytes, without the library's idea of what is in it.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use ringpipe::sysv::{Mapping, ShmAtFlags, ShmId, shmat, shmctl_stat};

/// An attached segment of which any bytes may be read and written.
#[derive(Debug)]
pub struct Raw {
    mapping: Mapping,
    size: usize,
}

impl Raw {
    pub fn attach(id: ShmId) -> Self {
        let mapping = shmat(id, ShmAtFlags::empty()).expect("the segment is there, and ours");
        let size = shmctl_stat(id).expect("it is attached").size;
        Self { mapping, size }
    }

    /// Where `len` bytes at `offset` are.
    fn at(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset.is_multiple_of(len) && offset + len <= self.size);
        // SAFETY: inside the mapping, as was just checked.
        #[allow(unsafe_code)]
        unsafe {
            self.mapping.as_ptr().as_ptr().add(offset)
        }
    }

    pub fn byte(&self, offset: usize) -> &AtomicU8 {
        // SAFETY: inside the mapping, which lives as long as `self`; everybody's access is atomic.
        #[allow(unsafe_code)]
        unsafe {
            AtomicU8::from_ptr(self.at(offset, 1))
        }
    }

    pub fn word(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: as for `byte`, and aligned.
        #[allow(unsafe_code)]
        unsafe {
            AtomicU32::from_ptr(self.at(offset, 4).cast())
        }
    }

    pub fn wide(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: as for `byte`, and aligned.
        #[allow(unsafe_code)]
        unsafe {
            AtomicU64::from_ptr(self.at(offset, 8).cast())
        }
    }

    /// The first page, all of it.
    pub fn page(&self) -> Vec<u8> {
        (0..4096.min(self.size))
            .map(|offset| self.byte(offset).load(Ordering::SeqCst))
            .collect()
    }

    /// The number in 1, 4 or 8 bytes.
    pub fn number(&self, offset: usize, width: usize) -> u64 {
        match width {
            1 => self.byte(offset).load(Ordering::SeqCst).into(),
            4 => self.word(offset).load(Ordering::SeqCst).into(),
            8 => self.wide(offset).load(Ordering::SeqCst),
            _ => panic!("no field is {width} bytes wide"),
        }
    }

    /// Writes a number into 1, 4 or 8 bytes.
    pub fn set(&self, offset: usize, width: usize, value: u64) {
        match width {
            1 => self.byte(offset).store(value as u8, Ordering::SeqCst),
            4 => self.word(offset).store(value as u32, Ordering::SeqCst),
            8 => self.wide(offset).store(value, Ordering::SeqCst),
            _ => panic!("no field is {width} bytes wide"),
        }
    }
}
