//! An IPC namespace of one's own, and its limits.

use std::fs;
use std::path::Path;

use nix::sched::{CloneFlags, unshare};

use super::plan::Lack;
use crate::exit::Failure;

/// Moves this thread, and what it starts, into a namespace where nobody else is; `false` where that is not allowed.
pub(super) fn isolate() -> bool {
    unshare(CloneFlags::CLONE_NEWIPC).is_ok()
}

/// Whether the limits of this namespace can be changed.
pub(super) fn may_change_limits() -> bool {
    [Lack::Segments, Lack::SegmentSize, Lack::Sets]
        .into_iter()
        .all(|lack| {
            let path = path(lack);
            fs::read_to_string(&path).is_ok_and(|value| fs::write(&path, value).is_ok())
        })
}

/// Everything of System V that is in this namespace, as lines of the kernel's lists.
pub(super) fn objects() -> Vec<String> {
    let lists = ["shm", "sem"].map(|kind| {
        let list = fs::read_to_string(Path::new("/proc/sysvipc").join(kind)).unwrap_or_default();
        let lines = list.lines().skip(1).map(|line| format!("{kind}:{line}"));
        lines.collect::<Vec<_>>()
    });
    lists.concat()
}

/// The limit's name, as sysctl(8) has it.
pub(super) fn name(lack: Lack) -> &'static str {
    match lack {
        Lack::Segments => "kernel.shmmni",
        Lack::SegmentSize => "kernel.shmmax",
        Lack::Sets => "kernel.sem",
    }
}

fn path(lack: Lack) -> String {
    format!("/proc/sys/{}", name(lack).replace('.', "/"))
}

/// A limit that was lowered, and is restored at the end.
pub(super) struct Setting {
    path: String,
    before: String,
}

impl Setting {
    /// So that no ring more can be made.
    pub(super) fn lower(lack: Lack) -> Result<Self, Failure> {
        let path = path(lack);
        let failed = |error| Failure::io("change a limit of the kernel", &error);
        let before = fs::read_to_string(&path).map_err(failed)?;
        let count = |kind: &str| {
            objects()
                .iter()
                .filter(|line| line.starts_with(kind))
                .count()
        };
        let now = match lack {
            Lack::Segments => count("shm").to_string(),
            Lack::SegmentSize => "4096".to_owned(),
            Lack::Sets => {
                let others: Vec<&str> = before.split_whitespace().take(3).collect();
                format!("{} {}", others.join(" "), count("sem"))
            }
        };
        fs::write(&path, now).map_err(failed)?;
        Ok(Self { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = fs::write(&self.path, &self.before); // as large as it was, so nothing speaks against it
    }
}
