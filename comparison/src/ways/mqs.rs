//! POSIX message queues: an mq_send(3) and an mq_receive(3) for each message.
//!
//! A queue holds 10 messages for those without privileges unless the machine is told otherwise (fs.mqueue.msg_max). The
//! privileged are held to it here, too, and so are their measurements comparable with those of the others.

use std::fs;

use nix::mqueue::{MQ_OFlag, MqAttr, MqdT, mq_close, mq_open, mq_receive, mq_send, mq_unlink};
use nix::sys::stat::Mode;
use zerocopy::IntoBytes;

use super::place;
use crate::common::duel::Between;
use crate::way::{Message, Rx, Tx, Waits, Way};

pub(crate) enum PosixQueue {}

impl<const N: usize> Way<N> for PosixQueue {
    const NAME: &'static str = "POSIX messages";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Queue;
    type Rx = Queue;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = Queue::pair(messages, size_of::<Message<N>>());
        (move || tx, move || rx)
    }
}

/// A descriptor of its own of the queue, which goes with the last of them.
pub(crate) struct Queue(Option<MqdT>);

impl Queue {
    fn pair(messages: usize, size: usize) -> (Self, Self) {
        let name = format!("/{}", place::name());
        let limit = fs::read_to_string("/proc/sys/fs/mqueue/msg_max");
        let limit = limit.ok().and_then(|text| text.trim().parse().ok());
        let messages = messages.min(limit.unwrap_or(10)) as i64;
        let attributes = MqAttr::new(0, messages, size as i64, 0);
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let new = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL;
        let tx = mq_open(&*name, MQ_OFlag::O_WRONLY | new, mode, Some(&attributes));
        let rx = mq_open(&*name, MQ_OFlag::O_RDONLY, mode, None);
        let _ = mq_unlink(&*name);
        let [tx, rx] = [tx, rx].map(|end| Self(Some(end.expect("a queue"))));
        (tx, rx)
    }

    fn get(&self) -> &MqdT {
        self.0.as_ref().expect("taken by drop alone")
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let _ = self.0.take().map(mq_close);
    }
}

impl<const N: usize> Tx<N> for Queue {
    fn send(&mut self, message: &Message<N>) {
        mq_send(self.get(), message.as_bytes(), 0).expect("the queue");
    }
}

impl<const N: usize> Rx<N> for Queue {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        let mut message = [0; N];
        let bytes = message.as_mut_bytes();
        let size = bytes.len();
        assert_eq!(mq_receive(self.get(), bytes, &mut 0), Ok(size));
        look(&message)
    }
}
