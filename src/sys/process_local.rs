#![allow(unsafe_code)]
//! A static value that each process has for itself, behind a mutex that a fork cannot leave locked.
//!
//! fork(2) copies memory as it stands. If another thread held a mutex at that moment, the child has it locked for ever, and
//! what it guards may be half changed. So a child never touches its parent's copy: its first use makes a new value.
//! The copy is leaked, because nobody can know whether it is whole. It is a few words for each fork in a line.
//!
//! Never runs under loom. All that is shared is one pointer.
#![allow(clippy::disallowed_types)]

use core::ptr;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::fork::{self, Incarnation};

/// A value for each process, made with [`Default`] where it is first used.
#[derive(Debug)]
pub(crate) struct ProcessLocal<T: 'static> {
    /// The value of this process, or of the ancestor that used it last. Null or from [`Box::leak`].
    instance: AtomicPtr<Instance<T>>,
}

#[derive(Debug)]
struct Instance<T> {
    process: Incarnation,
    value: Mutex<T>,
}

impl<T: Default + Send> ProcessLocal<T> {
    pub(crate) const fn new() -> Self {
        Self {
            instance: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Locks the value of this process.
    pub(crate) fn lock(&self) -> MutexGuard<'static, T> {
        let mutex = &self.instance().value;
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks it unless it is locked: for whoever may have interrupted the one that has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'static, T>> {
        match self.instance().value.try_lock() {
            Ok(value) => Some(value),
            Err(TryLockError::Poisoned(value)) => Some(value.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn instance(&self) -> &'static Instance<T> {
        let mut seen = self.instance.load(Acquire);
        loop {
            // SAFETY: it is null or was leaked, so it lives as long as the process. AcqRel in `replace` and Acquire pair up, so
            // it is seen whole. `process` is never changed, and the mutex guards the rest.
            let instance = unsafe { seen.as_ref() };
            match instance {
                Some(instance) if instance.process.is_current() => return instance,
                _ => seen = self.replace(seen),
            }
        }
    }

    /// Puts a new instance in place of another process's, unless another thread is faster; which is there now.
    #[cold]
    fn replace(&self, other: *mut Instance<T>) -> *mut Instance<T> {
        let fresh = Box::into_raw(Box::new(Instance {
            process: fork::incarnation(),
            value: Mutex::default(),
        }));
        match self
            .instance
            .compare_exchange(other, fresh, AcqRel, Acquire)
        {
            Ok(_) => fresh,
            Err(theirs) => {
                // SAFETY: it came from `Box::into_raw` just now, and nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
                theirs
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::in_child;
    use std::thread;

    #[test]
    fn threads_share_a_value_and_a_child_has_its_own() {
        static COUNT: ProcessLocal<u32> = ProcessLocal::new();
        thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| *COUNT.lock() += 1)));
        });
        assert_eq!(*COUNT.lock(), 4);
        in_child(|| {
            assert_eq!(*COUNT.lock(), 0);
            *COUNT.lock() = 7;
            in_child(|| assert_eq!(*COUNT.lock(), 0));
            assert_eq!(*COUNT.lock(), 7);
        });
        assert_eq!(*COUNT.lock(), 4);
    }

    #[test]
    fn a_child_forked_while_it_is_locked_can_lock_it() {
        static LOCKED: ProcessLocal<u32> = ProcessLocal::new();
        let mut guard = LOCKED.lock();
        *guard = 1;
        in_child(|| assert_eq!(*LOCKED.lock(), 0));
        assert_eq!(*guard, 1);
    }
}
