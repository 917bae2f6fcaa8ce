//! What cat(1) does with FIFOs, and mkfifo(1).

use ringpipe::Error;
use ringpipe::stream::{Fifo, Options};

use super::Step;
use super::inlet::{self, Inlet};
use super::meter::Meter;
use super::outlet::{self, Outlet};
use super::standard::{Sink, Source};
use crate::args::{Cat, Mkfifo, Stay};
use crate::exit::{Exit, Failure};

/// Runs `ringpipe cat`.
pub(crate) fn cat(order: &Cat) -> Result<(), Failure> {
    if order.to { write(order) } else { read(order) }
}

fn read(order: &Cat) -> Result<(), Failure> {
    let sink = Sink::open(Meter::new(&order.name, "writer", order.progress))?;
    let fifo = find(order)?;
    let opened = outlet::open(&fifo)?;
    let mut outlet = Outlet::new(fifo, opened, sink)?;
    copy_out(&mut outlet, order.stay).map_err(|failure| outlet.signals.or(failure))
}

fn copy_out(outlet: &mut Outlet, stay: Stay) -> Result<(), Failure> {
    while outlet.step()? != Step::End || !outlet.is_over(stay)? {}
    Ok(())
}

fn find(order: &Cat) -> Result<Fifo, Error> {
    order.trust.put(Options::new()).open(&order.name)
}

fn write(order: &Cat) -> Result<(), Failure> {
    let mut source = Source::open(Meter::new(&order.name, "reader", order.progress))?;
    let fifo = find(order)?;
    let Some(writer) = inlet::open(&fifo, &mut source, || false)? else {
        return Err(Error::NotFound {
            name: order.name.clone(),
        }
        .into());
    };
    let mut inlet = Inlet::new(fifo, writer, source);
    let end = copy_in(&mut inlet);
    if end.is_err() {
        inlet.writer.abandon();
    }
    end.map_err(|failure| inlet.signals.or(failure))
}

fn copy_in(inlet: &mut Inlet) -> Result<(), Failure> {
    // As with a FIFO, a lost reader shows at the next write. Typing does not wait for that.
    let are_lost = |inlet: &Inlet| Ok(inlet.typing.goes_on() && inlet.is_alone()?);
    loop {
        match inlet.step(are_lost)? {
            Step::Moved | Step::Idle => {}
            Step::End => return Ok(()),
            Step::Gone => return Err(Failure::new(Exit::NoReader, "")),
        }
    }
}

/// Runs `ringpipe mkfifo`: tries every name, and ends as the first failure says.
pub(crate) fn mkfifo(order: &Mkfifo) -> Result<(), Failure> {
    let options = Options::new().capacity(order.capacity).mode(order.mode);
    let options = options.allow_rmid_forced(order.allow_rmid_forced);
    let options = options.replace_other_namespace(order.replace_other_namespace);
    crate::exit::all(order.names.iter().map(|name| options.create(name)))
}
