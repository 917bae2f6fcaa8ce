//! Looking at the rings of this machine from outside, and tidying up.

mod list;
mod tidy;
mod view;
mod words;

pub(crate) use tidy::{gc, rm};

use indicatif::BinaryBytes;
use ringpipe::Status;

use crate::args::{Ls, Stat};
use crate::exit::Failure;
use crate::text::{account_of, columns, count, print, print_json, printable};
use view::{Participant, Side, Tallies, View};

/// Runs `ringpipe ls`.
pub(crate) fn ls(order: &Ls) -> Result<(), Failure> {
    let rings = ringpipe::list()?;
    let views: Vec<View> = rings.iter().map(View::of).collect();
    if order.json {
        return print_json(&views);
    }
    print(&list::table(&views))
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
        return account_of(&rows);
    }
    rows.extend(crew(view));
    let who = [
        "NUMBER", "ROLE", "PID", "COMMAND", "ALIVE", "MOVED", "SLEEPING",
    ];
    let table: Vec<_> = [who.map(str::to_owned)]
        .into_iter()
        .chain(view.participants.iter().map(|one| participant(view, one)))
        .collect();
    format!("{}\n{}", account_of(&rows), columns(&table))
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

fn participant(view: &View, one: &Participant) -> [String; 7] {
    let yes = |so: bool| if so { "yes" } else { "no" }.to_owned();
    let role = match (view.is_stream(), &*one.role) {
        (true, "producer") => "writer",
        (true, _) => "reader",
        (false, role) => role,
    };
    [
        one.number.to_string(),
        role.to_owned(),
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
        row("segment", view.id.to_string()),
        row("memory", bytes(status).to_string()),
        row("semaphores", set),
        row("attachments", view.attachments.to_string()),
        row("mode", view.mode.clone()),
        row("owner", owner(view)),
        row(
            "created",
            format!(
                "by process {}, {}",
                view.creator,
                words::long_age(view.created)
            ),
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
        (
            format!("{}, items of {}", view.kind, count(size, "byte")),
            words,
        )
    };
    [
        ["kind".to_owned(), kind],
        [unit.to_owned(), contents(view)],
        [put.to_owned(), format!("{} {unit}", view.produced)],
        [taken.to_owned(), format!("{} {unit}", view.consumed)],
        [putter.to_owned(), at_length(&view.producer)],
        [taker.to_owned(), at_length(&view.consumer)],
    ]
}

fn bytes(status: &Status) -> BinaryBytes {
    BinaryBytes(status.segment_size as u64)
}

/// What is in it; what a stream's last ends have left in it is not.
fn contents(view: &View) -> String {
    let held = format!("{} of at most {}", view.len, view.capacity);
    match view.discarded {
        0 => held,
        left => {
            format!("{held}; {left} were left when the last end was closed, and count as discarded")
        }
    }
}

fn owner(view: &View) -> String {
    let View { uid, gid, .. } = view;
    match &view.user {
        Some(user) => format!("{user} (uid {uid}, gid {gid})"),
        None => format!("uid {uid}, gid {gid}"),
    }
}

fn at_length(side: &Side) -> String {
    let now = match (side.attached, side.pid, &side.command) {
        (0, ..) if side.holders == 0 => return "nobody yet".to_owned(),
        (0, ..) => format!("nobody ({})", side.past()),
        (1, Some(pid), Some(command)) => format!("process {pid} ({})", printable(command)),
        (1, Some(pid), None) => format!("process {pid}"),
        (attached, ..) => format!("{attached} of them"),
    };
    let sleeping = match side.sleeping {
        0 => String::new(),
        sleeping => format!(", {sleeping} asleep"),
    };
    let lost = match side.deaths {
        0 => String::new(),
        deaths => format!(", {deaths} died or gave up"),
    };
    format!("{now}{sleeping}; {} in all{lost}", side.holders)
}
