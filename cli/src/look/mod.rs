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
use view::{Participant, Side, Tallies, View};

/// Runs `ringpipe ls`.
pub(crate) fn ls(order: &Ls) -> Result<(), Failure> {
    let rings = ringpipe::list()?;
    let views: Vec<View> = rings.iter().map(View::of).collect();
    if order.json {
        return print_json(&views);
    }
    let head = [
        "NAME", "ID", "KIND", "STATE", "ITEMS", "CAPACITY", "SIZE", "PRODUCER", "CONSUMER",
    ];
    let rows: Vec<_> = [head.map(str::to_owned)]
        .into_iter()
        .chain(views.iter().map(row))
        .collect();
    print(&columns(&rows))
}

fn row(ring: &View) -> [String; 9] {
    [
        printable(&ring.name),
        ring.id.to_string(),
        ring.kind.clone(),
        ring.state.to_owned(),
        ring.len.to_string(),
        ring.capacity.to_string(),
        ring.item_size.to_string(),
        in_short(&ring.producer),
        in_short(&ring.consumer),
    ]
}

fn in_short(side: &Side) -> String {
    match (side.attached, side.pid) {
        (0, _) => side.past().to_owned(),
        (1, Some(pid)) => pid.to_string(),
        (attached, _) => format!("{attached} alive"),
    }
}

/// Runs `ringpipe stat`.
pub(crate) fn stat(order: &Stat) -> Result<(), Failure> {
    let status = ringpipe::status(&order.name)?;
    let view = View::of(&status);
    if order.json {
        return print_json(&view);
    }
    print(&text_of(&status, &view))
}

/// What `ringpipe stat` shows.
pub(crate) fn all_of(status: &Status) -> String {
    text_of(status, &View::of(status))
}

fn text_of(status: &Status, view: &View) -> String {
    let mut rows = account(status, view);
    if view.participant_limit == 0 {
        return columns(&rows);
    }
    rows.extend(crew(view));
    let who = [
        "NUMBER", "ROLE", "PID", "COMMAND", "ALIVE", "MOVED", "SLEEPING",
    ];
    let table: Vec<_> = [who.map(str::to_owned)]
        .into_iter()
        .chain(view.participants.iter().map(participant))
        .collect();
    format!("{}\n{}", columns(&rows), columns(&table))
}

/// What is known besides of a ring that many share.
fn crew(view: &View) -> Vec<[String; 2]> {
    let row = |what: &str, value: String| [what.to_owned(), value];
    let (count, limit) = (view.participants.len(), view.participant_limit);
    let mut rows = vec![row("participants", format!("{count} of at most {limit}"))];
    rows.extend(fate(view).map(|fate| row("dead consumers", fate)));
    rows.push(row("cleared up", cleared_up(view)));
    rows
}

/// What becomes of what a dead consumer had in hand; of a stream's reader, that is nothing.
fn fate(view: &View) -> Option<String> {
    let Tallies {
        redelivered,
        dropped,
        ..
    } = view.tallies;
    let fate = match view.dead_consumer? {
        "drop" => "dropped with it",
        _ => "delivered again, to another",
    };
    Some(format!(
        "what one had in hand is {fate}; {redelivered} delivered again, {dropped} dropped"
    ))
}

fn cleared_up(view: &View) -> String {
    let Tallies {
        recovered, skipped, ..
    } = view.tallies;
    if view.is_stream() {
        format!("{recovered} turns of the dead")
    } else {
        format!("{recovered} claims of the dead, {skipped} slots that were reserved and not filled")
    }
}

fn participant(one: &Participant) -> [String; 7] {
    let yes = |so: bool| if so { "yes" } else { "no" }.to_owned();
    [
        one.number.to_string(),
        one.role.clone(),
        one.pid.to_string(),
        one.command.as_deref().map_or("-".into(), printable),
        yes(one.alive),
        one.moved.to_string(),
        yes(one.sleeping),
    ]
}

/// Everything that is known of a ring, a line each.
fn account(status: &Status, view: &View) -> Vec<[String; 2]> {
    let row = |what: &str, value: String| [what.to_owned(), value];
    let set = view.set.map_or("none".to_owned(), |set| set.to_string());
    let mut rows = vec![
        row("name", printable(&view.name)),
        row("state", view.state.to_owned()),
    ];
    rows.extend(traffic(view));
    rows.extend([
        row("segment", format!("{}, {}", view.id, bytes(status))),
        row("semaphores", set),
        row("attachments", view.attachments.to_string()),
        row("mode", view.mode.clone()),
        row("owner", format!("uid {}, gid {}", view.uid, view.gid)),
        row(
            "created",
            format!("by process {}, {}", view.creator, age(view.created)),
        ),
    ]);
    rows
}

/// What is in it, what went through, and whose work that is: in a stream's words, or in a ring's.
fn traffic(view: &View) -> [[String; 2]; 6] {
    let size = view.item_size;
    let (kind, [unit, put, taken, putter, taker]) = if view.is_stream() {
        let words = ["bytes", "written", "read", "writers", "readers"];
        (format!("{}, bytes", view.kind), words)
    } else {
        let words = ["items", "produced", "consumed", "producer", "consumer"];
        (format!("{}, items of {size} bytes", view.kind), words)
    };
    [
        ["kind".to_owned(), kind],
        [
            unit.to_owned(),
            format!("{} of at most {}", view.len, view.capacity),
        ],
        [put.to_owned(), format!("{} {unit}", view.produced)],
        [taken.to_owned(), format!("{} {unit}", view.consumed)],
        [putter.to_owned(), at_length(&view.producer)],
        [taker.to_owned(), at_length(&view.consumer)],
    ]
}

fn bytes(status: &Status) -> BinaryBytes {
    BinaryBytes(status.segment_size as u64)
}

fn at_length(side: &Side) -> String {
    let now = match (side.attached, side.pid, &side.command) {
        (0, ..) => format!("nobody ({})", side.past()),
        (1, Some(pid), Some(command)) => format!("process {pid} ({})", printable(command)),
        (1, Some(pid), None) => format!("process {pid}"),
        (attached, ..) => format!("{attached} of them"),
    };
    format!(
        "{now}, {} sleeping, {} in all, of which {} died",
        side.sleeping, side.holders, side.deaths
    )
}

fn age(created: u64) -> String {
    // Whoever may write to the ring may have written any number.
    let created = UNIX_EPOCH.checked_add(Duration::from_secs(created));
    match created.map(|created| SystemTime::now().duration_since(created)) {
        Some(Ok(age)) => format!("{} ago", HumanDuration(age)),
        _ => "in the future of this clock".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn any_number_may_be_a_time() {
        assert!(age(0).ends_with(" ago"));
        for never in [i64::MAX as u64, u64::MAX] {
            assert_eq!(age(never), "in the future of this clock");
        }
    }
}
