//! Tries the faults of a scene, one after the other.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Display;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::wait::WaitStatus;
use nix::unistd::alarm;
use ringpipe::sysv::{SemId, ShmId, semctl_rmid, shmctl_rmid};

use crate::calls::{Call, Deed};
use crate::common::Shared;
use crate::common::apart::{apart, apart_unprepared, segments, sets};
use crate::inject::{self, Fault, Machine, USUAL};
use crate::stage::Stage;

/// About how many faults of a scene are tried without [`EVERY_FAULT`].
const SOME: usize = 30;

const EVERY_FAULT: &str = "RINGPIPE_EVERY_FAULT";

/// Where a scene is played: with what the disturber tells, in a folder that is empty before.
#[derive(Debug)]
pub struct World<'a> {
    pub stage: Stage,
    pub folder: &'a Path,
}

impl World<'_> {
    pub fn path(&self) -> PathBuf {
        self.folder.join("ring")
    }
}

/// Tries the faults of a scene, each in a process of its own, in an IPC namespace of its own.
pub fn sweep(name: impl Display, scene: impl Fn(&World)) {
    sweep_on(USUAL, name, scene);
}

/// The same on a machine that is not as usual.
pub fn sweep_on(machine: Machine, name: impl Display, scene: impl Fn(&World)) {
    in_namespace(machine, &name.to_string(), &scene, |body| apart(body));
}

/// The same in processes that have not used the library before, as in this one other tests may have: it runs `test`, which
/// calls this, once more in a program of its own.
pub fn sweep_unprepared(test: &str, name: &str, scene: impl Fn(&World)) {
    if env::var_os(ALONE).is_some() {
        return in_namespace(USUAL, name, &scene, |body| apart_unprepared(body));
    }
    let mut program = Command::new(env::current_exe().expect("this program"));
    let program = program
        .env(ALONE, "1")
        .args(["--exact", test, "--nocapture"]);
    let output = program.output().expect("it can be run once more");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = told.lines().find(|line| line.contains(name));
    println!("{}", line.unwrap_or_default());
}

const ALONE: &str = "RINGPIPE_FAULTS_ALONE";

fn in_namespace(machine: Machine, name: &str, scene: &dyn Fn(&World), apart: fn(&mut dyn FnMut())) {
    let counts = Shared::new();
    apart(&mut || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sweep = Sweep {
            machine,
            name,
            scene,
            stage: Stage::new(),
            folder: folder.path(),
            counts,
        };
        sweep.run();
    });
    println!(
        "{name}: {} calls, {} faults, {} tried, {} errors, {} times something was left to collect",
        counts.get(CALLS),
        counts.get(FAULTS),
        counts.get(TRIED),
        counts.get(ERRORS),
        counts.get(LEFT),
    );
}

const CALLS: usize = 0;
const FAULTS: usize = 1;
const TRIED: usize = 2;
const ERRORS: usize = 3;
const LEFT: usize = 4;

struct Sweep<'a> {
    machine: Machine,
    name: &'a str,
    scene: &'a dyn Fn(&World),
    stage: Stage,
    folder: &'a Path,
    counts: Shared,
}

impl Sweep<'_> {
    fn run(&self) {
        let faults = self.list();
        let mut failed = vec![];
        for fault in self.chosen(faults) {
            if let Err(why) = self.try_fault(Some(fault)) {
                failed.push(format!("{}: {why}, after {}", self.name, self.told(fault)));
            }
        }
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }

    /// What is called when nothing is disturbed, and how each call may fail.
    fn list(&self) -> Vec<Fault> {
        let calls = match self.try_fault(None) {
            Ok(calls) => calls,
            Err(why) => panic!("{}: {why}, undisturbed", self.name),
        };
        self.counts.set(CALLS, calls.len() as u64);
        let mut by_name = BTreeMap::new();
        for call in &calls {
            *by_name.entry(call.name()).or_insert(0) += 1;
        }
        if env::var_os(EVERY_FAULT).is_some() {
            eprintln!("{}: {by_name:?}", self.name);
        }
        let mut seen = BTreeMap::new();
        let of_call = |call: &Call| {
            let number = call.number;
            let alike = seen.entry(number).or_insert(0);
            let nth = *alike;
            *alike += 1;
            let fault = move |deed: Deed| Fault { nth, number, deed };
            call.deeds().into_iter().map(fault)
        };
        let faults: Vec<_> = calls.iter().flat_map(of_call).collect();
        self.counts.set(FAULTS, faults.len() as u64);
        faults
    }

    /// All, or a part of them, that is not the same for all scenes.
    fn chosen(&self, faults: Vec<Fault>) -> impl Iterator<Item = Fault> {
        let stride = match env::var_os(EVERY_FAULT) {
            Some(_) => 1,
            None => faults.len().div_ceil(SOME).max(1),
        };
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        let first = hasher.finish() as usize % stride;
        faults.into_iter().skip(first).step_by(stride)
    }

    /// Plays the scene; what was called, or what went wrong.
    fn try_fault(&self, fault: Option<Fault>) -> Result<Vec<Call>, String> {
        alarm::set(60); // a watchdog
        self.stage.clear();
        let world = World {
            stage: self.stage,
            folder: self.folder,
        };
        let outcome = inject::run(self.stage, self.machine, fault, || {
            self.stage.play(|| (self.scene)(&world));
        });
        if outcome.hit {
            self.counts.add(TRIED);
        }
        self.counts.more(ERRORS, self.stage.failures().min(1));
        let left = self.clean();
        // What its owner may not remove stays; but only faults forbid that.
        let stays = self.stage.fault().is_some_and(|hit| hit.forbids_removal());
        match (outcome.end, left.filter(|_| !stays)) {
            (WaitStatus::Exited(_, 0), None) => Ok(outcome.calls),
            (WaitStatus::Exited(_, 0), Some(left)) => Err(left),
            (end, _) => Err(format!("the process came to {end:?}")),
        }
    }

    /// Lets the collector do its work; what it did not find is wrong, and is removed.
    fn clean(&self) -> Option<String> {
        let found = ringpipe::collect(&[self.folder.to_owned()], false).expect("lists can be read");
        if !found.is_empty() {
            self.counts.add(LEFT);
        }
        let (segments, sets) = (segments(), sets());
        let files: Vec<_> = fs::read_dir(self.folder)
            .expect("it is there")
            .map(|entry| entry.expect("a file").path())
            .collect();
        for id in &segments {
            let _ = shmctl_rmid(ShmId::from_raw(*id));
        }
        for id in &sets {
            let _ = semctl_rmid(SemId::from_raw(*id));
        }
        for file in &files {
            let _ = fs::remove_file(file);
        }
        let clean = segments.is_empty() && sets.is_empty() && files.is_empty();
        (!clean).then(|| {
            format!("segments {segments:?}, sets {sets:?} and files {files:?} were left behind")
        })
    }

    fn told(&self, fault: Fault) -> String {
        format!("{:?} with {:?}", fault, self.stage.fault())
    }
}
