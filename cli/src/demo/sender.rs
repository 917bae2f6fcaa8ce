//! The demo's other process: loads the content, says that it is ready, and sends when told to.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use ringpipe::spsc::{Options, Producer};

use super::content::Content;
use super::receive::TYPE_NAME;
use crate::args::{DemoSender, Way};
use crate::exit::{Exit, Failure};

/// Runs the hidden command.
pub(crate) fn run(order: &DemoSender) -> Result<(), Failure> {
    let content = Content::load(&order.file, order.bytes, order.chunk)?;
    match order.way {
        Way::Ring => {
            let producer = join(order)?;
            await_start()?;
            by_ring(producer, &content)
        }
        Way::Pipe => {
            await_start()?;
            by_pipe(&content)
        }
    }
}

fn join(order: &DemoSender) -> Result<Producer<u8>, Failure> {
    let ring = order.ring.as_ref();
    let ring = ring.ok_or_else(|| Failure::new(Exit::Usage, "which ring?"))?;
    let ring = Options::new().type_name(TYPE_NAME).open::<u8>(ring)?;
    Ok(ring.producer()?)
}

fn await_start() -> Result<(), Failure> {
    let failed = |error| Failure::io("speak with the receiving process", &error);
    let mut out = io::stdout().lock();
    out.write_all(b"r")
        .and_then(|()| out.flush())
        .map_err(failed)?;
    io::stdin().lock().read_exact(&mut [0]).map_err(failed)
}

fn by_ring(mut producer: Producer<u8>, content: &Content) -> Result<(), Failure> {
    for chunk in content.chunks() {
        // A receiver that ends early says so itself.
        let sent = producer.push_slice(chunk);
        sent.map_err(|_| Failure::new(Exit::PeerGone, ""))?;
    }
    Ok(producer.finish()?)
}

fn by_pipe(content: &Content) -> Result<(), Failure> {
    let failed = |error: &io::Error| Failure::io("send", error);
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let mut pipe = File::from(stdout.map_err(|error| failed(&error))?);
    for chunk in content.chunks() {
        pipe.write_all(chunk).map_err(|error| failed(&error))?;
    }
    Ok(())
}
