//! iceoryx2 0.10, publish and subscribe, between processes.
//!
//! With one publisher, one subscriber, and no overflow: a publisher that finds the subscriber's buffer full tries again
//! until there is room, yielding the processor 10,000 times, and then asleep for 100 µs, later for 10 ms. A subscriber cannot wait for a message, other than by an event that
//! the publisher sends beside it; so it asks again and again here, as the project's own benchmark does.

use std::sync::Arc;

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{
    BackpressureStrategy, Config, FileName, LogLevel, NodeBuilder, Path, SemanticString,
    SignalHandlingMode, ipc, set_log_level,
};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use super::place::{Gate, Objects, Place};
use crate::common::duel::Between;
use crate::common::machine::relax;
use crate::way::{Message, Rx, Tx, Waits, Way};

/// Messages are copied in and out, or else written into memory on loan and read where they are.
pub(crate) enum Iceoryx<const IN_PLACE: bool> {}

impl<const N: usize, const IN_PLACE: bool> Way<N> for Iceoryx<IN_PLACE> {
    const NAME: &'static str = if IN_PLACE {
        "iceoryx2, in place"
    } else {
        "iceoryx2"
    };
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Awake;
    type Tx = Out<N, IN_PLACE>;
    type Rx = In<N, IN_PLACE>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let home = Home::new(messages);
        let other = Arc::clone(&home);
        let (near, far) = Gate::pair();
        (move || home.publisher(near), move || other.subscriber(far))
    }
}

type Service<const N: usize> = PortFactory<ipc::Service, Message<N>, ()>;

pub(crate) struct Out<const N: usize, const IN_PLACE: bool> {
    publisher: Publisher<ipc::Service, Message<N>, ()>,
    _home: Arc<Home>,
}

pub(crate) struct In<const N: usize, const IN_PLACE: bool> {
    subscriber: Subscriber<ipc::Service, Message<N>, ()>,
    _home: Arc<Home>,
}

/// Where a service and all that belongs to it is.
struct Home {
    place: Place,
    objects: Objects,
    messages: usize,
}

impl Home {
    fn new(messages: usize) -> Arc<Self> {
        Arc::new(Self {
            place: Place::temporary(),
            objects: Objects::new(),
            messages,
        })
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        let path = self.place.path().to_str().expect("a plain path");
        config.global.prefix = FileName::new(self.objects.name().as_bytes()).expect("a name");
        config
            .global
            .set_root_path(&Path::new(path.as_bytes()).expect("a path"));
        config
    }

    fn service<const N: usize>(&self) -> Service<N> {
        set_log_level(LogLevel::Fatal);
        let node = NodeBuilder::new()
            .config(&self.config())
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<ipc::Service>()
            .expect("a node");
        node.service_builder(&"messages".try_into().expect("a name"))
            .publish_subscribe::<Message<N>>()
            .enable_safe_overflow(false)
            .history_size(0)
            .max_publishers(1)
            .max_subscribers(1)
            .subscriber_max_buffer_size(self.messages)
            .open_or_create()
            .expect("a service")
    }

    fn publisher<const N: usize, const IN_PLACE: bool>(
        self: Arc<Self>,
        mut gate: Gate,
    ) -> Out<N, IN_PLACE> {
        let service = self.service();
        let publisher = service
            .publisher_builder()
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .expect("the publisher");
        gate.open();
        gate.pass();
        Out {
            publisher,
            _home: self,
        }
    }

    fn subscriber<const N: usize, const IN_PLACE: bool>(
        self: Arc<Self>,
        mut gate: Gate,
    ) -> In<N, IN_PLACE> {
        gate.pass();
        let subscriber = self.service().subscriber_builder().create();
        gate.open();
        In {
            subscriber: subscriber.expect("the subscriber"),
            _home: self,
        }
    }
}

impl<const N: usize, const IN_PLACE: bool> Tx<N> for Out<N, IN_PLACE> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        let recipients = if IN_PLACE {
            let room = self.publisher.loan_uninit().expect("memory on loan");
            room.write_payload(*message).send()
        } else {
            self.publisher.send_copy(*message)
        };
        assert_eq!(recipients.expect("a connection"), 1);
    }
}

impl<const N: usize, const IN_PLACE: bool> Rx<N> for In<N, IN_PLACE> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        let message = loop {
            match self.subscriber.receive().expect("a connection") {
                Some(message) => break message,
                None => relax(),
            }
        };
        if IN_PLACE {
            return look(message.payload());
        }
        let copy = *message;
        drop(message);
        look(&copy)
    }
}
