//! Where ringpipe's streams differ from the kernel's pipes, and why. There are no others.

use crate::subject::Subject;

/// One point in which a case expects something else of ours.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The rule, as the suite's table has it.
    rule: &'static str,
    what: &'static str,
    why: &'static str,
}

impl Difference {
    /// What is to be expected of a subject.
    pub(crate) fn expected<S: Subject, T>(&self, of_kernel: T, of_ours: T) -> T {
        if S::OURS { of_ours } else { of_kernel }
    }
}

pub(crate) const BAD_BUFFER: Difference = Difference {
    rule: "R11",
    what: "there is no EFAULT",
    why: "a slice is always memory",
};

pub(crate) const SIGPIPE: Difference = Difference {
    rule: "W4",
    what: "SIGPIPE comes to those who ask for it",
    why: "Rust programs ignore it, and a library that kills C's would be a surprise",
};

pub(crate) const DEFAULT_CAPACITY: Difference = Difference {
    rule: "C1",
    what: "a stream holds 256 KiB unless told otherwise, a pipe 64 KiB",
    why: "measured: it is faster so, and its memory is had once and not for each write",
};

pub(crate) const DIRECTIONS: Difference = Difference {
    rule: "W10",
    what: "there is no EBADF for the wrong direction",
    why: "a reader has no write, and a writer no read: it does not compile",
};

pub(crate) const NONBLOCKING_IN_CHILD: Difference = Difference {
    rule: "C8",
    what: "a forked child's nonblocking flag is its own",
    why: "settings live in the process, not in the shared segment",
};

pub(crate) const TWO_HANDLES: Difference = Difference {
    rule: "F4",
    what: "the two ends of a FIFO opened for both close one by one",
    why: "they are two handles, where the kernel has one descriptor for both",
};

pub(crate) const PERMISSIONS: Difference = Difference {
    rule: "F6",
    what: "a reader needs permission to write, and a writer to read",
    why: "either changes positions in the segment, and reads the other's",
};

pub(crate) const FOREIGN: Difference = Difference {
    rule: "F6",
    what: "what another user made is opened only by who says so",
    why: "who made a ring can write into it whatever its mode, and it may lie where others look for their own",
};

pub(crate) const UMASK: Difference = Difference {
    rule: "F6",
    what: "the mode asked for is the mode, whatever the umask",
    why: "System V objects know no umask, and the name must not say something else",
};

pub(crate) const TRUNCATION: Difference = Difference {
    rule: "F8",
    what: "there is no O_TRUNC that could be without effect",
    why: "the interface has no flags",
};

pub(crate) const OPEN_GOES_ON: Difference = Difference {
    rule: "F5",
    what: "opening goes on after any signal",
    why: "nobody can ask for less before there is an end to ask it of",
};

pub(crate) const WAIT_GOES_ON: Difference = Difference {
    rule: "I1",
    what: "a wait goes on after a signal, unless told otherwise; SA_RESTART does not matter",
    why: "semop(2) does not say whether a handler was to restart the call, or whether there was one at all",
};

pub(crate) const FIFO_IN_CHILD: Difference = Difference {
    rule: "D2",
    what: "a forked child does not have the ends of FIFOs, unless told otherwise",
    why: "it opens the FIFO by its name, and nobody waits for an end that was inherited by accident",
};

pub(crate) const EXEC: Difference = Difference {
    rule: "D3",
    what: "an end is open until the process ends, whatever it executes",
    why: "execve(2) keeps the undo of semaphores, which is how an end closes by itself",
};

const ALL: [Difference; 14] = [
    BAD_BUFFER,
    SIGPIPE,
    DEFAULT_CAPACITY,
    DIRECTIONS,
    NONBLOCKING_IN_CHILD,
    TWO_HANDLES,
    PERMISSIONS,
    FOREIGN,
    UMASK,
    TRUNCATION,
    OPEN_GOES_ON,
    WAIT_GOES_ON,
    FIFO_IN_CHILD,
    EXEC,
];

/// Shows the list: `cargo test --test stream_conformance differences -- --nocapture`.
#[test]
fn differences_are_listed_with_reasons() {
    for Difference { rule, what, why } in ALL {
        println!("{rule}: {what}, because {why}");
        assert!(!rule.is_empty() && !what.is_empty() && !why.is_empty());
    }
}
