//! Ends that a forked child has too.
//!
//! SEM_UNDO does not follow fork(2), so the child has to come to the stream by itself, and before fork(3) returns in the parent: or the
//! parent might close its end first, and for a moment nobody would be there. So, before the fork, each heritable end takes a
//! second number, in the parent's name; the child adds its own name to it, one system call for each; and then the parent takes
//! its name away. If the child is killed before, the number goes with the parent's leaving.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::end::OPENING;
use crate::halt::after;
use crate::ring::Role;
use crate::ring::turns::{Member, Place};
use crate::sys::atfork::{self, Hooks};
use crate::sys::fork::{self, Incarnation};

/// What is known of an end that is inherited.
#[derive(Debug)]
struct Record {
    place: Place,
    role: Role,
    /// The process that has it.
    owner: Incarnation,
    /// In a child, what the end is to go on as.
    successor: Option<Member>,
}

#[derive(Debug)]
struct Registry {
    records: BTreeMap<u64, Record>,
    next: u64,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    records: BTreeMap::new(),
    next: 0,
});

thread_local! {
    /// What this thread has prepared for the fork that it is in.
    static FORKING: RefCell<Option<Forking>> = const { RefCell::new(None) };
}

/// A fork that is under way. The registry is locked meanwhile, so that the child finds it in order.
struct Forking {
    registry: MutexGuard<'static, Registry>,
    given: Vec<(u64, Member)>,
    /// By which the child tells that it has come; it closes also with the child's death.
    bell: (PipeReader, PipeWriter),
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An end's entry in the registry, which goes with it.
#[derive(Debug)]
pub(super) struct Heritage(u64);

impl Heritage {
    /// From now on, forked children have the end too.
    pub(super) fn of(place: &Place, role: Role) -> Self {
        atfork::install(Hooks {
            prepare,
            parent,
            child,
        });
        let mut registry = registry();
        let number = registry.next;
        registry.next += 1;
        let record = Record {
            place: place.clone(),
            role,
            owner: fork::incarnation(),
            successor: None,
        };
        registry.records.insert(number, record);
        Self(number)
    }

    /// In a child, what the end is to go on as, if it was inherited.
    pub(super) fn claim(&self) -> Option<Member> {
        let mut registry = registry();
        let record = registry.records.get_mut(&self.0)?;
        record.successor.take()
    }
}

impl Drop for Heritage {
    fn drop(&mut self) {
        registry().records.remove(&self.0);
    }
}

/// Before a fork: takes numbers for the child. An end for which there is none is not inherited.
fn prepare() {
    let registry = registry();
    let mine = registry
        .records
        .iter()
        .filter(|(_, record)| record.owner.is_current());
    let given: Vec<_> = mine
        .filter_map(|(number, record)| {
            let joined = record.place.join(record.role, after(OPENING));
            Some((*number, joined.ok()?.0))
        })
        .collect();
    if given.is_empty() {
        return;
    }
    let Ok(bell) = pipe() else {
        return take_back(&registry, given); // as many files are open as may be: nothing is inherited
    };
    let forking = Forking {
        registry,
        given,
        bell,
    };
    FORKING.with_borrow_mut(|slot| *slot = Some(forking));
}

/// After a fork, in the parent: once the child has come, or is dead, or never was.
fn parent() {
    let Some(forking) = FORKING.take() else {
        return;
    };
    let (mut heard, told) = forking.bell;
    drop(told);
    while let Err(error) = heard.read(&mut [0]) {
        if error.kind() != std::io::ErrorKind::Interrupted {
            break;
        }
    }
    take_back(&forking.registry, forking.given);
}

fn take_back(registry: &Registry, given: Vec<(u64, Member)>) {
    for (number, member) in given {
        if let Some(record) = registry.records.get(&number) {
            // A fault: the stream was removed, and nobody counts any more.
            let _ = record.place.part_with(&member);
        }
    }
}

/// After a fork, in the child: it adds its name to the numbers that it was given.
fn child() {
    let Some(mut forking) = FORKING.take() else {
        return;
    };
    for (number, member) in forking.given.drain(..) {
        if let Some(record) = forking.registry.records.get_mut(&number)
            && record.place.adopt(&member) == Ok(true)
        {
            record.owner = fork::incarnation();
            record.successor = Some(member);
        }
    }
    let _ = forking.bell.1.write(&[1]); // the parent may be dead
}
