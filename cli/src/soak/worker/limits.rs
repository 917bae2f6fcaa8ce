//! Too little of something, for a moment: what is asked for must be refused, and nothing else happen.

use std::fs;
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use ringpipe::Error;

use super::{Stop, failed};
use crate::soak::plan::Scarce;

/// Tries to open the ring with too little, which must be told, and restores the limit.
pub(super) fn refused(scarce: Scarce, open: impl Fn() -> Result<(), Error>) -> Result<(), Stop> {
    let (resource, enough) = match scarce {
        Scarce::Memory => (Resource::RLIMIT_AS, in_use().map_err(failed)?),
        Scarce::Files => (Resource::RLIMIT_NOFILE, 0),
    };
    let (soft, hard) = getrlimit(resource).map_err(failed)?;
    setrlimit(resource, enough, hard).map_err(failed)?;
    let outcome = open();
    setrlimit(resource, soft, hard).map_err(failed)?;
    match (scarce, outcome) {
        (Scarce::Memory, Err(error)) if error.raw_os_error() == Some(nix::Error::ENOMEM as i32) => {
            Ok(())
        }
        (Scarce::Files, Err(error)) if error.raw_os_error() == Some(nix::Error::EMFILE as i32) => {
            Ok(())
        }
        (_, Err(Error::Removed | Error::Stale { .. } | Error::NotFound { .. })) => {
            Err(Stop::Removed)
        }
        (_, Err(error)) => Err(Stop::Failed(format!(
            "the wrong error under {scarce:?}: {error}"
        ))),
        (_, Ok(())) => Err(Stop::Failed(format!("no error under {scarce:?}"))),
    }
}

/// Bytes of memory that this process has mapped.
fn in_use() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = size.and_then(|size| size.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    size.map(|size| size << 10)
        .ok_or_else(|| io::Error::other("how large is this process?"))
}
