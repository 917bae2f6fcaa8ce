//! Looking at the rings of this machine from outside, and tidying up.

mod tidy;
mod view;

pub(crate) use tidy::{gc, rm};

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::{BinaryBytes, HumanDuration};
use ringpipe::Status;

use crate::args::{Ls, Stat};
use crate::exit::Failure;
use crate::text::{columns, print, print_json, printable};
use view::{Side, View};

/// Runs `ringpipe ls`.
pub(crate) fn ls(order: &Ls) -> Result<(), Failure> {
    let rings = ringpipe::list()?;
    let views: Vec<View> = rings.iter().map(View::of).collect();
    if order.json {
        return print_json(&views);
    }
    let head = [
        "NAME", "ID", "STATE", "ITEMS", "CAPACITY", "SIZE", "PRODUCER", "CONSUMER",
    ];
    let rows: Vec<_> = [head.map(str::to_owned)]
        .into_iter()
        .chain(views.iter().map(row))
        .collect();
    print(&columns(&rows))
}

fn row(ring: &View) -> [String; 8] {
    [
        printable(&ring.name),
        ring.id.to_string(),
        ring.state.to_owned(),
        ring.len.to_string(),
        ring.capacity.to_string(),
        ring.item_size.to_string(),
        in_short(&ring.producer),
        in_short(&ring.consumer),
    ]
}

fn in_short(side: &Side) -> String {
    match side.pid {
        Some(pid) => pid.to_string(),
        None => side.past().to_owned(),
    }
}

/// Runs `ringpipe stat`.
pub(crate) fn stat(order: &Stat) -> Result<(), Failure> {
    let status = ringpipe::status(&order.name)?;
    let view = View::of(&status);
    if order.json {
        return print_json(&view);
    }
    print(&columns(&account(&status, &view)))
}

/// Everything that is known of a ring, a line each.
fn account(status: &Status, view: &View) -> Vec<[String; 2]> {
    let row = |what: &str, value: String| [what.to_owned(), value];
    let set = view.set.map_or("none".to_owned(), |set| set.to_string());
    let (len, capacity, size) = (view.len, view.capacity, view.item_size);
    vec![
        row("name", printable(&view.name)),
        row("state", view.state.to_owned()),
        row("kind", format!("{}, items of {size} bytes", view.kind)),
        row("items", format!("{len} of at most {capacity}")),
        row("produced", format!("{} items", view.produced)),
        row("consumed", format!("{} items", view.consumed)),
        row("producer", at_length(&view.producer)),
        row("consumer", at_length(&view.consumer)),
        row("segment", format!("{}, {}", view.id, bytes(status))),
        row("semaphores", set),
        row("attachments", view.attachments.to_string()),
        row("mode", view.mode.clone()),
        row("owner", format!("uid {}, gid {}", view.uid, view.gid)),
        row(
            "created",
            format!("by process {}, {}", view.creator, age(view.created)),
        ),
    ]
}

fn bytes(status: &Status) -> BinaryBytes {
    BinaryBytes(status.segment_size as u64)
}

fn at_length(side: &Side) -> String {
    let now = match (side.pid, &side.command) {
        (Some(pid), Some(command)) => format!("process {pid} ({})", printable(command)),
        (Some(pid), None) => format!("process {pid}"),
        (None, _) => format!("nobody ({})", side.past()),
    };
    format!(
        "{now}, {} sleeping, {} in all, of which {} died",
        side.sleeping, side.holders, side.deaths
    )
}

fn age(created: u64) -> String {
    let created = UNIX_EPOCH + Duration::from_secs(created);
    match SystemTime::now().duration_since(created) {
        Ok(age) => format!("{} ago", HumanDuration(age)),
        Err(_) => "in the future of this clock".to_owned(),
    }
}
