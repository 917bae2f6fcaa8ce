//! Two people, two terminals, and a stream each way.
//!
//! The first to come is the host, the second the guest. The guest writes to the stream at the path, from which the host reads,
//! and the other one, whose name ends in `.back`, goes back. That the other side is there is told by a first line in either direction
//! ([`HELLO`]), so that nobody takes the remains of an earlier chat for a partner: see [`seat`]. The line after that begins with the
//! same character and says who is there.

mod lines;
mod seat;
mod talk;
mod terminal;

use std::{process, thread};

use nix::unistd::{Uid, User};
use ringpipe::stream::{Reader, Writer};

use crate::args::Chat;
use crate::exit::Failure;
use crate::signals::Signals;
use seat::{AGAIN, Table};

/// Who this side is.
fn own_name(order: &Chat) -> String {
    let user = || User::from_uid(Uid::effective()).ok().flatten();
    order.name.clone().unwrap_or_else(|| {
        let user = user().map_or_else(|| Uid::effective().to_string(), |user| user.name);
        format!("{user}@{}", process::id())
    })
}

/// What each side says first: a control character that means "who is there?". A line of it is never shown.
const HELLO: &[u8; 2] = b"\x05\n";

/// Two ends, with somebody at the other end of each.
struct Line {
    writer: Writer,
    reader: Reader,
}

/// Runs `ringpipe chat`.
pub(crate) fn run(order: &Chat) -> Result<(), Failure> {
    let signals = Signals::watch()?;
    loop {
        let table = Table::open(order)?;
        if let Some(line) = table.meet(&signals)? {
            eprintln!("ringpipe: connected");
            let end = talk::talk(line, &own_name(order), &signals);
            table.clear();
            return end;
        }
        // It is being cleared away, or the host went just when this side came.
        thread::sleep(AGAIN);
    }
}
