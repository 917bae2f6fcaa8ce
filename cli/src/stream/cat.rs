//! What cat(1) does with FIFOs, and mkfifo(1).

use ringpipe::Error;
use ringpipe::stream::{Fifo, Options};

use super::Step;
use super::inlet::{self, Inlet};
use super::outlet::{self, Outlet};
use crate::args::{Cat, Mkfifo};
use crate::exit::{Exit, Failure};
use crate::signals::Signals;

/// Runs `ringpipe cat`.
pub(crate) fn cat(order: &Cat) -> Result<(), Failure> {
    if order.to { write(order) } else { read(order) }
}

fn read(order: &Cat) -> Result<(), Failure> {
    let signals = Signals::watch()?;
    let fifo = find(order)?;
    let opened = outlet::open(&fifo)?;
    let mut outlet = Outlet::new(fifo, opened, signals)?;
    while outlet.step()? != Step::End {}
    Ok(())
}

fn find(order: &Cat) -> Result<Fifo, Error> {
    order.trust.put(Options::new()).open(&order.name)
}

fn write(order: &Cat) -> Result<(), Failure> {
    let signals = Signals::watch()?;
    let fifo = find(order)?;
    let Some(writer) = inlet::open(&fifo, &signals)? else {
        return Err(Error::NotFound {
            name: order.name.clone(),
        }
        .into());
    };
    let mut inlet = Inlet::new(fifo, writer, signals)?;
    let end = copy(&mut inlet);
    if end.is_err() {
        inlet.writer.abandon();
    }
    end
}

fn copy(inlet: &mut Inlet) -> Result<(), Failure> {
    loop {
        match inlet.step()? {
            Step::Moved => {}
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
