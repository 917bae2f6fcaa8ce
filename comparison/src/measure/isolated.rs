//! Work in a process of its own, so that whoever fails or hangs, or leaves threads behind, does so alone.

use std::io::{PipeReader, Read, pipe};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::alarm;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::common::duel;
use crate::ways::place;

/// How long nothing may take. Nothing comes near unless it hangs; then SIGALRM ends it.
const PATIENCE_SECONDS: u32 = 60;

/// What came of it, or why nothing did.
pub(crate) fn isolated<R: Serialize + DeserializeOwned>(
    work: impl FnOnce() -> R,
) -> Result<R, String> {
    let (hears, says) = pipe().expect("a pipe");
    let (child, (hears, says)) = duel::fork((hears, says.try_clone().expect("a pipe")), || {
        alarm::set(PATIENCE_SECONDS);
        let result = catch_unwind(AssertUnwindSafe(work));
        let failed = result.is_err();
        let told = result.map_err(|why| said(why.as_ref()));
        serde_json::to_writer(says, &told).expect("somebody who listens");
        std::process::exit(i32::from(failed));
    });
    drop(says);
    let result = hear(hears);
    let end = waitpid(child, None).expect("the child is ours");
    if end != WaitStatus::Exited(child, 0) {
        place::sweep(child);
    }
    result.unwrap_or_else(|| Err(described(end)))
}

/// What a panic said.
fn said(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| why.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".into())
}

fn hear<R: DeserializeOwned>(mut from: PipeReader) -> Option<R> {
    let mut text = String::new();
    from.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn described(end: WaitStatus) -> String {
    match end {
        WaitStatus::Signaled(_, Signal::SIGALRM, _) => {
            format!("it got stuck for {PATIENCE_SECONDS} s")
        }
        WaitStatus::Signaled(_, signal, _) => format!("it was ended by {signal}"),
        other => format!("it ended without a result: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_goes_wrong_is_told_and_leaves_nothing() {
        assert_eq!(isolated(|| 7), Ok(7));
        let failed = isolated(|| -> u8 { panic!("message {} is lost", 3) });
        assert_eq!(failed, Err("message 3 is lost".into()));
        let left = isolated(|| -> u8 {
            let path = std::env::temp_dir().join(format!("ringpipe-{}-x", std::process::id()));
            fs::write(path, "").expect("a file");
            let _ = nix::sys::signal::raise(Signal::SIGKILL);
            0
        });
        assert_eq!(left, Err("it was ended by SIGKILL".into()));
        let names = fs::read_dir(std::env::temp_dir())
            .expect("a folder")
            .flatten();
        let mine = |name: String| name.starts_with("ringpipe-") && name.ends_with("-x");
        assert!(
            !names
                .into_iter()
                .any(|entry| mine(entry.file_name().to_string_lossy().into()))
        );
    }
}
