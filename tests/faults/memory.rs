//! Memory that is not there: for huge pages, and within the limit of a control group.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use ringpipe::spsc::{Options, Ring};
use ringpipe::{Error, Name};

use crate::common::apart::{apart, segments, sets, skipped};
use crate::common::{forked, until};
use crate::judge::Trouble;
use crate::rings::{How, KINDS, PLAIN};
use crate::sweep::sweep;

#[test]
fn huge_pages() {
    let how = How {
        huge: true,
        ..PLAIN
    };
    for kind in KINDS {
        sweep(format!("create on huge pages, {kind:?}"), |world| {
            let name = Name::from(world.path());
            let ring = match world.stage.attempt(|| kind.create(&name, how)) {
                Ok(ring) => ring,
                Err(error) => {
                    let text = error.to_string();
                    let missing =
                        matches!(error, Error::Limit { limit, .. } if limit == "vm.nr_hugepages");
                    if missing {
                        assert!(text.contains("sysctl -w vm.nr_hugepages="), "{text}");
                    } else {
                        Trouble::from(error).judge(world.stage);
                    }
                    kind.create(&name, PLAIN).expect("it needs no huge pages")
                }
            };
            ring.try_out();
            drop(ring);
            ringpipe::remove(name).expect("it is there");
        });
    }
}

/// A memory control group of its own, removed at the end.
struct Group(PathBuf);

impl Group {
    /// With so many bytes at most; `None` where there may be none.
    fn new(limit: usize) -> Option<Self> {
        let parents = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
        let name = format!("ringpipe-{}", process::id());
        let made = parents.iter().find_map(|parent| {
            let group = Self(Path::new(parent).join(&name));
            fs::create_dir(&group.0).ok()?;
            let mut limits = ["memory.limit_in_bytes", "memory.max"].iter();
            let limited = limits.any(|file| group.set(file, &limit.to_string()));
            limited.then_some(group)
        })?;
        Some(made)
    }

    /// Lets a process go on that has used a new page, since there is none, and that waits in vain because nobody is killed for it.
    fn relieve(&self) {
        let state = fs::read_to_string(self.0.join("memory.oom_control"));
        if state.is_ok_and(|state| state.contains("under_oom 1")) {
            self.set("memory.limit_in_bytes", &(LIMIT + MIB).to_string());
        }
    }

    /// Has no process killed where memory runs out; `false` where that cannot be said.
    fn kill_nobody(&self) -> bool {
        self.set("memory.oom_control", "1")
    }

    fn set(&self, file: &str, value: &str) -> bool {
        // Never a new file.
        let path = self.0.join(file);
        path.exists() && fs::write(path, value).is_ok()
    }

    fn enter(&self) -> bool {
        self.set("cgroup.procs", &process::id().to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

const MIB: usize = 1 << 20;
const LIMIT: usize = 16 * MIB;

/// What a process comes to that does something within a group of little memory.
fn within_a_limit(kill: bool, work: impl FnOnce()) -> Option<WaitStatus> {
    let Some(group) = Group::new(LIMIT) else {
        skipped("no permission to make a control group of little memory");
        return None;
    };
    if !kill && !group.kill_nobody() {
        skipped("no control group without a killer");
        return None;
    }
    let mut child = forked(|| {
        assert!(group.enter(), "root may enter it");
        work();
    });
    if kill {
        return Some(child.end());
    }
    until(|| {
        group.relieve();
        child.has_ended()
    });
    Some(WaitStatus::Exited(Pid::from_raw(child.pid()), 0))
}

#[test]
fn a_ring_that_exceeds_a_control_group_is_an_error_where_nobody_is_killed() {
    apart(|| {
        let end = within_a_limit(false, || {
            let made = Options::new().capacity(4 * LIMIT);
            let error = made.create::<u8>(Name::Private).expect_err("so much");
            let text = error.to_string();
            assert!(
                matches!(
                    error,
                    Error::Limit {
                        limit: "memory",
                        ..
                    }
                ) && text.contains("control group"),
                "{text}"
            );
            assert_eq!((segments(), sets()), (vec![], vec![]));
            // What was taken is given back.
            let made = Options::new().capacity(LIMIT / 2);
            drop(made.create::<u8>(Name::Private).expect("that is less"));
        });
        assert!(
            matches!(end, None | Some(WaitStatus::Exited(_, 0))),
            "{end:?}"
        );
    });
}

#[test]
fn who_is_killed_while_memory_is_had_leaves_nothing_but_what_can_be_collected() {
    apart(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ring");
        let end = within_a_limit(true, || {
            let made = Options::new().capacity(4 * LIMIT).create::<u8>(&path);
            // Where the error was faster.
            assert!(
                matches!(
                    made,
                    Err(Error::Limit {
                        limit: "memory",
                        ..
                    })
                ),
                "{made:?}"
            );
        });
        let Some(WaitStatus::Exited(_, 0) | WaitStatus::Signaled(_, Signal::SIGKILL, _)) = end
        else {
            assert_eq!(end, None);
            return;
        };
        if path.exists() {
            let opened = Ring::<u8>::open(&path);
            assert!(matches!(opened, Err(Error::NotReady { .. })), "{opened:?}");
        }
        let folders = [folder.path().to_owned()];
        let found = ringpipe::collect(&folders, false).expect("lists can be read");
        assert!(!path.exists(), "a name leads to half a ring");
        assert_eq!((segments(), sets()), (vec![], vec![]), "{found:?}");
        let ring = Ring::<u8>::create(&path, 1).expect("nothing is in the way");
        ringpipe::remove(ring.name().expect("it has one")).expect("it is there");
    });
}

#[test]
fn who_is_killed_for_the_first_use_of_a_page_leaves_a_whole_ring() {
    apart(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ring");
        let made = Options::new().capacity(4 * LIMIT / 8).prefault(false);
        let ring = made.create::<u64>(&path).expect("it takes no memory yet");
        let mut rx = ring.consumer().expect("nobody is there");
        let end = within_a_limit(true, || {
            let mut tx = ring.producer().expect("nobody is there");
            for item in 0..=ring.capacity() as u64 {
                tx.push(item).expect("it is killed before it is full");
            }
        });
        if let Some(end) = end {
            let signal = matches!(
                end,
                WaitStatus::Signaled(_, Signal::SIGKILL | Signal::SIGBUS, _)
            );
            assert!(signal, "{end:?}");
            let pushed = ring.len() as u64;
            assert!(pushed > 0);
            (0..pushed).for_each(|item| assert_eq!(rx.pop(), Ok(item)));
            assert_eq!(rx.pop(), Err(ringpipe::PopError::Disconnected));
        }
        ringpipe::remove(path).expect("it is there");
    });
}
