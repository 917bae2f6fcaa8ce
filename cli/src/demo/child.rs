//! The sender as its parent has it: started, told to begin, and ended whatever happens.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use clap::ValueEnum;
use ringpipe::Name;

use super::{Task, own_program};
use crate::args::Way;
use crate::exit::{Exit, Failure};
use crate::signals::Signals;

/// A sender that is ready to begin.
pub(super) struct Sender {
    child: Child,
    output: ChildStdout,
}

impl Sender {
    /// Starts it, and waits until it has its content in memory.
    pub(super) fn start(way: Way, ring: Option<&Name>, task: &Task) -> Result<Self, Failure> {
        let failed = |error| Failure::io("start the sending process", &error);
        let mut child = command(way, ring, task)?.spawn().map_err(failed)?;
        let output = child.stdout.take();
        let output = output.ok_or_else(|| Failure::new(Exit::Other, "the sender has no output"))?;
        let mut sender = Self { child, output };
        sender.await_ready(task)?;
        Ok(sender)
    }

    fn await_ready(&mut self, task: &Task) -> Result<(), Failure> {
        let ready = self.output.read_exact(&mut [0]);
        ready.map_err(|_| self.lost(&task.signals))
    }

    /// Tells it to begin.
    pub(super) fn begin(&mut self, signals: &Signals) -> Result<(), Failure> {
        let go = self.child.stdin.as_mut().map(|input| input.write_all(b"g"));
        match go {
            Some(Ok(())) => Ok(()),
            _ => Err(self.lost(signals)),
        }
    }

    /// Why it is gone before everything was sent. It has ended, or is about to.
    pub(super) fn lost(&mut self, signals: &Signals) -> Failure {
        match self.child.wait() {
            Ok(end) => signals.or_of_child(end, died(end)),
            Err(error) => unknown(&error),
        }
    }

    /// The pipe that it sends along.
    pub(super) fn output(&mut self) -> &mut ChildStdout {
        &mut self.output
    }

    /// Waits for its end, which must be a good one.
    pub(super) fn finish(mut self, signals: &Signals) -> Result<(), Failure> {
        let end = self.child.wait().map_err(|error| unknown(&error))?;
        if end.success() {
            return Ok(());
        }
        Err(signals.or_of_child(end, died(end)))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // Both fail where it has ended already, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn died(end: ExitStatus) -> Failure {
    let message = format!("the sending process ended before everything was sent ({end})");
    Failure::new(Exit::PeerGone, message)
}

fn unknown(error: &io::Error) -> Failure {
    Failure::io("wait for the sending process", error)
}

fn command(way: Way, ring: Option<&Name>, task: &Task) -> Result<Command, Failure> {
    let mut command = Command::new(own_program()?);
    command.arg("demo-sender").arg("--way");
    command.args(way.to_possible_value().map(|way| way.get_name().to_owned()));
    if let Some(ring) = ring {
        command.arg("--ring").arg(ring.to_string());
    }
    command.arg("--bytes").arg(task.bytes.to_string());
    command.arg("--chunk").arg(task.chunk.to_string());
    command.arg("--").arg(&task.file);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}
