//! Making rings, finding them, and looking at them.

use std::fs;

use ringpipe::sysv::{Key, ShmId, shmctl_rmid};
use ringpipe::{Error, Name, RingState, Role};

use crate::common::raw::Raw;
use crate::inject::{Machine, USUAL};
use crate::judge::Trouble;
use crate::rings::{How, KINDS, Kind, PLAIN, Ring};
use crate::stage::{Hit, Stage};
use crate::sweep::{World, sweep, sweep_on, sweep_unprepared};

/// What a ring is called.
#[derive(Clone, Copy, Debug)]
enum By {
    Path,
    Key,
    Nothing,
}

fn name(world: &World, by: By) -> Name {
    match by {
        By::Path => Name::from(world.path()),
        By::Key => Name::Key(Key::new(0x5eed)),
        By::Nothing => Name::Private,
    }
}

/// The result of an attempt, or of the same again if it came to an error, which must be right.
#[track_caller]
pub fn or_again<R>(
    stage: Stage,
    result: Result<R, Error>,
    again: impl FnOnce() -> Result<R, Error>,
) -> R {
    result.unwrap_or_else(|error| {
        Trouble::from(error).judge(stage);
        again().expect("nothing is disturbed any more")
    })
}

/// Tries a ring out and removes it.
fn use_up(ring: Ring, name: &Name) {
    ring.try_out();
    drop(ring);
    if *name != Name::Private {
        ringpipe::remove(name).expect("it is there");
    }
}

fn creating(world: &World, kind: Kind, by: By, how: How) {
    let name = name(world, by);
    let made = world.stage.attempt(|| kind.create(&name, how));
    let forbidden = world.stage.fault().filter(Hit::forbids_creation);
    assert!(made.is_err() || forbidden.is_none(), "{forbidden:?}");
    let ring = or_again(world.stage, made, || kind.create(&name, how));
    use_up(ring, &name);
}

/// The same over a stale name, of which it may be impossible to tell that it is stale.
fn replacing(world: &World, kind: Kind) {
    let name = name(world, By::Path);
    let ring = match world.stage.attempt(|| kind.create(&name, PLAIN)) {
        Err(Error::NameTaken { .. }) if world.stage.fault().is_some() => {
            kind.create(&name, PLAIN).expect("nothing is disturbed")
        }
        made => or_again(world.stage, made, || kind.create(&name, PLAIN)),
    };
    use_up(ring, &name);
}

#[test]
fn creating_by_path() {
    for kind in KINDS {
        sweep(format!("create by path, {kind:?}"), |world| {
            creating(world, kind, By::Path, PLAIN);
        });
    }
}

#[test]
fn creating_where_files_need_names() {
    let machine = Machine {
        lacks: |call| call.makes_unnamed().then_some(libc::EOPNOTSUPP),
        ..USUAL
    };
    sweep_on(machine, "create without unnamed files", |world| {
        creating(world, Kind::Spsc, By::Path, PLAIN);
    });
}

#[test]
fn creating_where_files_have_one_name() {
    let machine = Machine {
        lacks: |call| call.links().then_some(libc::EPERM),
        ..USUAL
    };
    sweep_on(machine, "create without hard links", |world| {
        creating(world, Kind::Spsc, By::Path, PLAIN);
    });
    let machine = Machine {
        lacks: |call| {
            let refused = call.links() || call.makes_unnamed();
            let refused = refused.then_some(libc::EOPNOTSUPP);
            refused.or(call.renames().then_some(libc::EINVAL))
        },
        ..USUAL
    };
    sweep_on(machine, "create where only names can be made", |world| {
        creating(world, Kind::Mpmc, By::Path, PLAIN);
    });
}

#[test]
fn creating_where_memory_cannot_be_populated() {
    let machine = Machine {
        lacks: |call| call.populates().then_some(libc::EINVAL),
        ..USUAL
    };
    sweep_on(machine, "create on an old kernel", |world| {
        creating(world, Kind::Mpmc, By::Key, PLAIN);
    });
}

#[test]
fn creating_by_key() {
    for kind in KINDS {
        sweep(format!("create by key, {kind:?}"), |world| {
            creating(world, kind, By::Key, PLAIN);
        });
    }
}

#[test]
fn creating_without_a_name() {
    for kind in KINDS {
        sweep(format!("create a private one, {kind:?}"), |world| {
            creating(world, kind, By::Nothing, PLAIN);
        });
    }
}

#[test]
fn creating_for_the_first_time_in_a_process() {
    let test = "names::creating_for_the_first_time_in_a_process";
    sweep_unprepared(test, "create for the first time", |world| {
        creating(world, Kind::Spsc, By::Path, PLAIN);
    });
}

#[test]
fn creating_with_all_that_can_be_asked_for() {
    let how = How {
        lock: true,
        given: true,
        ..PLAIN
    };
    sweep("create locked and given away", |world| {
        creating(world, Kind::Spsc, By::Path, how);
    });
    let how = How {
        prefault: false,
        ..PLAIN
    };
    sweep("create without memory", |world| {
        creating(world, Kind::Mpmc, By::Key, how);
    });
}

/// A ring that somebody else has made, with an item in it.
fn made_before(world: &World, kind: Kind, by: By) -> (Name, Ring) {
    let name = name(world, by);
    let ring = kind.create(&name, PLAIN).expect("nothing is disturbed yet");
    let name = if name == Name::Private {
        ring.id()
    } else {
        name
    };
    (name, ring)
}

fn opening(world: &World, kind: Kind, by: By) {
    let (name, made) = made_before(world, kind, by);
    let opened = world.stage.attempt(|| kind.open(&name));
    let ring = or_again(world.stage, opened, || kind.open(&name));
    drop(made);
    ring.try_out();
    drop(ring);
    let _ = ringpipe::remove(name); // unless it had none
}

#[test]
fn opening_by_path() {
    for kind in KINDS {
        sweep(format!("open by path, {kind:?}"), |world| {
            opening(world, kind, By::Path);
        });
    }
}

#[test]
fn opening_by_key() {
    sweep("open by key", |world| {
        opening(world, Kind::Mpmc, By::Key);
    });
}

#[test]
fn opening_by_id() {
    sweep("open by id", |world| {
        opening(world, Kind::Stream, By::Nothing);
    });
}

fn opening_or_creating(world: &World, kind: Kind, by: By) {
    let name = name(world, by);
    let ring = world.stage.attempt(|| kind.open_or_create(&name));
    let ring = or_again(world.stage, ring, || kind.open_or_create(&name));
    use_up(ring, &name);
}

#[test]
fn opening_or_creating_what_is_not_there() {
    for (kind, by) in [(Kind::Spsc, By::Path), (Kind::Mpmc, By::Key)] {
        sweep(format!("open or create, {kind:?}"), |world| {
            opening_or_creating(world, kind, by);
        });
    }
}

#[test]
fn opening_or_creating_what_is_there() {
    sweep("open or create what is there", |world| {
        let (name, made) = made_before(world, Kind::Stream, By::Path);
        opening_or_creating(world, Kind::Stream, By::Path);
        drop(made);
        assert!(matches!(
            Kind::Stream.open(&name),
            Err(Error::NotFound { .. })
        ));
    });
}

/// Takes the segment away under a path, as `ipcrm` does.
fn make_stale(world: &World, kind: Kind) {
    let (_, ring) = made_before(world, kind, By::Path);
    shmctl_rmid(segment_of(&ring)).expect("it is there");
}

fn segment_of(ring: &Ring) -> ShmId {
    match ring.id() {
        Name::Id(id) => id,
        other => panic!("{other} is no id"),
    }
}

#[test]
fn replacing_a_stale_name() {
    sweep("create over a stale name", |world| {
        make_stale(world, Kind::Spsc);
        replacing(world, Kind::Spsc);
    });
    sweep("open or create over a stale name", |world| {
        make_stale(world, Kind::Mpmc);
        opening_or_creating(world, Kind::Mpmc, By::Path);
    });
}

fn removing(world: &World, kind: Kind, by: By) {
    let (name, ring) = made_before(world, kind, by);
    drop(ring);
    let removed = world.stage.attempt(|| ringpipe::remove(&name));
    let failed = removed.is_err();
    if let Err(error) = removed {
        Trouble::from(error).judge(world.stage);
        // Either it is as before, or its name is gone.
        if let Ok(ring) = kind.open(&name) {
            assert!(!ring.is_removed());
        }
    }
    match ringpipe::remove(&name) {
        Err(Error::NotFound { .. }) => {}
        Ok(()) => assert!(
            failed || world.stage.fault().is_some_and(|hit| hit.is_false_alarm()),
            "it was not removed, and nobody said so"
        ),
        Err(other) => panic!("{other}"),
    }
    assert!(matches!(kind.open(&name), Err(Error::NotFound { .. })));
}

#[test]
fn removing_by_path() {
    for kind in KINDS {
        sweep(format!("remove by path, {kind:?}"), |world| {
            removing(world, kind, By::Path);
        });
    }
}

#[test]
fn removing_by_key() {
    sweep("remove by key", |world| {
        removing(world, Kind::Spsc, By::Key);
    });
}

fn looking(world: &World, kind: Kind) {
    let (name, ring) = made_before(world, kind, By::Path);
    let (mut tx, rx) = ring.both().expect("nobody is there");
    tx.push(1).expect("there is room");
    let seen = world.stage.attempt(|| ringpipe::status(&name));
    let status = or_again(world.stage, seen, || ringpipe::status(&name));
    let gone = world.stage.fault().is_some_and(|hit| hit.is_false_alarm());
    assert!(
        gone || status.state == RingState::Ready,
        "{:?}",
        status.state
    );
    assert!(status.len > 0 && status.capacity > 3);
    drop((tx, rx, ring));
    ringpipe::remove(name).expect("it is there");
}

#[test]
fn looking_at_one() {
    for kind in KINDS {
        sweep(format!("status, {kind:?}"), |world| looking(world, kind));
    }
}

#[test]
fn listing() {
    sweep("list", |world| {
        let rings = KINDS.map(|kind| {
            let made = kind.create(&Name::Private, PLAIN);
            made.expect("nothing is disturbed yet")
        });
        let seen = world.stage.attempt(ringpipe::list);
        let seen = or_again(world.stage, seen, ringpipe::list);
        // One that cannot be looked at is left out.
        assert!(seen.len() == 3 || world.stage.fault().is_some(), "{seen:?}");
        assert_eq!(ringpipe::list().expect("nothing is disturbed").len(), 3);
        drop(rings);
    });
}

#[test]
fn collecting() {
    sweep("collect", |world| {
        make_stale(world, Kind::Spsc);
        // As if its remover had been killed.
        let doomed = Name::from(world.folder.join("doomed"));
        let ring = Kind::Mpmc.create(&doomed, PLAIN).expect("it is new");
        Raw::attach(segment_of(&ring)).set(152, 4, 1);
        drop(ring);
        fs::remove_file(world.folder.join("doomed")).expect("it is there");
        let kept = Name::from(world.folder.join("kept"));
        let ring = Kind::Spsc.create(&kept, PLAIN).expect("it is new");
        let mut tx = ring.join(Role::Producer).expect("nobody is there");
        tx.push(7).expect("there is room");
        drop((tx, ring));

        let collect = || ringpipe::collect(&[world.folder.to_owned()], false);
        let collected = world.stage.attempt(collect);
        if let Err(error) = collected {
            Trouble::from(error).judge(world.stage);
        }
        collect().expect("nothing is disturbed any more");
        assert_eq!(collect().expect("nothing is disturbed"), []);
        if world.stage.fault().is_some_and(|hit| hit.is_false_alarm()) {
            // A segment that is gone leaves semaphores to be collected; so here it did, but for the segment.
            return drop(ringpipe::remove(kept));
        }
        let ring = Kind::Spsc.open(&kept).expect("it was kept");
        let mut rx = ring.join(Role::Consumer).expect("nobody is there");
        assert_eq!(rx.pop().expect("it was pushed"), 7);
        drop((rx, ring));
        ringpipe::remove(kept).expect("it is there");
    });
}
