//! Counts instructions with callgrind(1).

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// What one call of the counted function took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// In this program.
    pub(crate) own: u64,
    /// In the libraries that it calls.
    pub(crate) libraries: u64,
}

/// Whether valgrind can be run, and which it is.
pub(crate) fn version() -> Option<String> {
    let answer = Command::new("valgrind").arg("--version").output().ok()?;
    let version = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| version.trim().to_owned())
}

/// Runs this program once more, with one argument, and counts each call of `function` in turn.
pub(crate) fn count_calls(function: &str, argument: &str) -> io::Result<Vec<Count>> {
    let program = std::env::current_exe()?;
    let folder = tempfile::tempdir()?;
    let base = folder.path().join("calls");
    let answer = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--quiet",
            "--dump-line=no",
            "--compress-strings=no",
        ])
        .arg(format!("--dump-before={function}"))
        .arg(format!("--dump-after={function}"))
        .arg(format!("--callgrind-out-file={}", base.display()))
        .args([program.as_os_str(), argument.as_ref()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()?;
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        return Err(io::Error::other(format!("{}: {said}", answer.status)));
    }
    // What comes before each call, and then the call itself, is a part of its own.
    let mut parts = Vec::new();
    while let Some(profile) = read(&base.with_extension((parts.len() + 1).to_string()))? {
        parts.push(sum(&profile, &program));
    }
    Ok(parts.into_iter().skip(1).step_by(2).collect())
}

/// What is in a file, if there is one.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        content => content.map(Some),
    }
}

/// Adds up a profile: each line that begins with a position has a cost, of the object named last; but for the line after
/// `calls=`, which repeats what others tell.
fn sum(profile: &str, program: &Path) -> Count {
    let program = program.to_string_lossy();
    let mut count = Count::default();
    let (mut own, mut repeats) = (false, false);
    for line in profile.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            own = object == program;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line
                .split(' ')
                .nth(1)
                .and_then(|cost| cost.parse::<u64>().ok());
            match cost {
                Some(cost) if !repeats && own => count.own += cost,
                Some(cost) if !repeats => count.libraries += cost,
                _ => {}
            }
        }
        repeats = line.starts_with("calls=");
    }
    count
}
