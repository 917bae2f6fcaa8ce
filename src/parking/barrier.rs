//! The two halves of edge E3: a light barrier for each publish, a heavy one for each sleep.
//!
//! `fence(SeqCst)` on both sides is right, and costs a publisher several times its throughput. With membarrier(2)
//! the waiter pays: `MEMBARRIER_CMD_GLOBAL_EXPEDITED` makes every processor that runs a registered
//! process pass a full barrier, so that a registered publisher needs to restrain the compiler only.
//! The two sides need not agree: a publisher that could not register uses the full fence, and a waiter
//! whose barrier did not reach all of them ([`Reach`]) sleeps in bounded slices.

#[cfg(loom)]
pub(crate) use modelled::{Fence, heavy_barrier};
#[cfg(not(loom))]
pub(crate) use real::{Fence, heavy_barrier};

/// Which publishers a waiter's barrier ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All: whoever publishes from now on sees the waiter.
    All,
    /// Those with a full fence. One with a compiler fence may miss the waiter, so its sleep must not last.
    #[cfg_attr(loom, allow(dead_code))]
    Fenced,
}

/// The waiter's half where all publishers use the full fence: E3 without the kernel.
#[cfg_attr(loom, track_caller)]
pub(crate) fn full_barrier() -> Reach {
    Fence::full().light();
    Reach::All
}

#[cfg(not(loom))]
mod real {
    use super::Reach;
    use crate::sync::{Ordering, compiler_fence, fence};
    use crate::sys::membarrier;

    /// What a publisher passes between its store and its look for sleepers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Fence {
        /// This process is registered: waiters see to the processor.
        Compiler,
        /// It is not: the fence does it all.
        Full,
    }

    impl Fence {
        /// Registers this process for waiters' barriers, if it can. Cheap when done before.
        pub(crate) fn of_publisher() -> Self {
            match membarrier::membarrier_register_global_expedited() {
                Ok(()) => Self::Compiler,
                Err(_) => Self::Full,
            }
        }

        /// One that needs no barrier of waiters: they pass the same, see [`full_barrier`](super::full_barrier).
        pub(crate) fn full() -> Self {
            Self::Full
        }

        /// E3, the publisher's half.
        #[inline(always)]
        pub(crate) fn light(self) {
            match self {
                Self::Compiler => compiler_fence(Ordering::SeqCst),
                Self::Full => fence(Ordering::SeqCst),
            }
        }
    }

    /// E3, the waiter's half.
    pub(crate) fn heavy_barrier() -> Reach {
        match membarrier::membarrier_global_expedited() {
            Ok(()) => Reach::All,
            Err(_) => {
                fence(Ordering::SeqCst);
                Reach::Fenced
            }
        }
    }
}

/// loom judges the protocol with the fence on both sides; that the system call is one is the kernel's promise.
#[cfg(loom)]
mod modelled {
    use super::Reach;
    use crate::sync::{Ordering, fence};

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Fence;

    impl Fence {
        pub(crate) fn of_publisher() -> Self {
            Self
        }

        pub(crate) fn full() -> Self {
            Self
        }

        /// E3, the publisher's half.
        #[track_caller]
        pub(crate) fn light(self) {
            fence(Ordering::SeqCst);
        }
    }

    /// E3, the waiter's half.
    #[track_caller]
    pub(crate) fn heavy_barrier() -> Reach {
        fence(Ordering::SeqCst);
        Reach::All
    }
}
