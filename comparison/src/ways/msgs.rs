//! System V message queues: a msgsnd(2) and a msgrcv(2) for each message.
//!
//! A queue holds 16 KiB unless the machine is told otherwise (kernel.msgmnb), and a message 8 KiB at most
//! (kernel.msgmax).

use std::ptr::{from_mut, from_ref};
use std::sync::Arc;
use std::{io, process};

use crate::common::duel::Between;
use crate::way::{Message, Rx, Tx, Waits, Way};

pub(crate) enum SysVQueue {}

impl<const N: usize> Way<N> for SysVQueue {
    const NAME: &'static str = "System V messages";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Arc<Queue>;
    type Rx = Arc<Queue>;

    fn open(
        _: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let queue = Arc::new(Queue::new());
        let other = Arc::clone(&queue);
        (move || queue, move || other)
    }
}

/// The queue, which is removed when the process that made it drops this, also in a panic. One that is killed leaves it to
/// ipcrm(1).
pub(crate) struct Queue {
    id: libc::c_int,
    maker: u32,
}

/// What the system wants before each message.
#[repr(C)]
struct Envelope<const N: usize> {
    kind: libc::c_long,
    message: Message<N>,
}

const KIND: libc::c_long = 1;

impl Queue {
    #[allow(unsafe_code, reason = "no crate in use wraps System V messages")]
    fn new() -> Self {
        // SAFETY: numbers alone.
        let id = unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) };
        assert!(id >= 0, "a queue: {}", io::Error::last_os_error());
        Self {
            id,
            maker: process::id(),
        }
    }
}

impl Drop for Queue {
    #[allow(unsafe_code, reason = "no crate in use wraps System V messages")]
    fn drop(&mut self) {
        if self.maker == process::id() {
            // SAFETY: the removal of a queue touches none of this process's memory.
            unsafe { libc::msgctl(self.id, libc::IPC_RMID, std::ptr::null_mut()) };
        }
    }
}

impl<const N: usize> Tx<N> for Arc<Queue> {
    #[allow(unsafe_code, reason = "no crate in use wraps System V messages")]
    fn send(&mut self, message: &Message<N>) {
        let envelope = Envelope {
            kind: KIND,
            message: *message,
        };
        // SAFETY: the envelope has a kind and, behind it, as many bytes as are said.
        let sent = unsafe {
            libc::msgsnd(
                self.id,
                from_ref(&envelope).cast(),
                size_of::<Message<N>>(),
                0,
            )
        };
        assert_eq!(sent, 0, "the queue: {}", io::Error::last_os_error());
    }
}

impl<const N: usize> Rx<N> for Arc<Queue> {
    #[allow(unsafe_code, reason = "no crate in use wraps System V messages")]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        let mut envelope = Envelope {
            kind: 0,
            message: [0; N],
        };
        let size = size_of::<Message<N>>();
        // SAFETY: the envelope has room for a kind and, behind it, for as many bytes as are said; any bytes are words.
        let came = unsafe { libc::msgrcv(self.id, from_mut(&mut envelope).cast(), size, KIND, 0) };
        assert_eq!(
            usize::try_from(came),
            Ok(size),
            "{}",
            io::Error::last_os_error()
        );
        look(&envelope.message)
    }
}
