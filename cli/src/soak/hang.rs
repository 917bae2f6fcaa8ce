//! What is told when nobody gets on.

use super::crew::Worker;
use super::faults::state;
use super::lane::Scene;
use crate::exit::{Exit, Failure};
use crate::look;

impl Scene<'_> {
    /// Who hangs, and all that can be seen of the ring.
    pub(super) fn hang(&self, what: &str, slot: usize) -> Failure {
        let who = self.crew.get(slot).map(Worker::called).unwrap_or_default();
        let waited = self.yard.patience.as_secs();
        let crew: String = self.crew.iter().map(line).collect();
        let ring = match self.stage.look() {
            Ok(status) => look::all_of(&status),
            Err(error) => format!("its state cannot be seen: {error}\n"),
        };
        let message = format!("{who} hangs: waited {waited} s until {what}\n{crew}{ring}");
        Failure::new(Exit::Other, message)
    }
}

fn line(worker: &Worker) -> String {
    let moved = worker.moved().unwrap_or(0);
    let state = state(worker.pid).unwrap_or('-');
    format!(
        "  worker {}: {}, state {state}, {moved} items moved\n",
        worker.slot,
        worker.called()
    )
}
