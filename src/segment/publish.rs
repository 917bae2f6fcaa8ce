//! Giving a ring its name: a file with its record comes under a path, unless something is there.
//!
//! By the first of these ways that the file system allows; by each but the last, nobody sees half of a file:
//!
//! 1. A file without a name is linked. Nothing is left of it if its creator is killed.
//! 2. A file with a name of its own is linked.
//! 3. The same is renamed, unless the name is taken. There are file systems without hard links.
//! 4. The file is made under the name, and written. Until then it is empty, for which openers wait a little.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::Access;
use super::rendezvous::Record;
use crate::sys::file::Folder;
use crate::sys::{Errno, proc};

/// Gives a record a name in a folder. `Ok(false)` when something has that name.
///
/// The folder is held, so that the file is made and named in one and the same.
pub(super) fn publish(
    folder: &Folder,
    name: &OsStr,
    record: &Record,
    access: &Access,
) -> io::Result<bool> {
    let file = FileToBe { record, access };
    // Some file systems have no unnamed files. What else is wrong with the folder, the next way finds out too.
    if let Ok(unnamed) = folder.open_unnamed() {
        file.write(&unnamed)?;
        if let Some(given) = unless_refused(folder.link_unnamed(&unnamed, name))? {
            return Ok(given);
        }
    }
    if let Some(given) = file.name_temporary(folder, name)? {
        return Ok(given);
    }
    is_given(file.write_under(&folder.inside(name)))
}

/// The same, or `None` if the file system, or a sandbox, does not have the call.
fn unless_refused(result: io::Result<()>) -> io::Result<Option<bool>> {
    match result {
        Err(error) if is_refused(&error) => Ok(None),
        result => is_given(result).map(Some),
    }
}

/// Whether the name was given, or something had it.
fn is_given(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_refused(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    let refusals = [
        Errno::EPERM,
        Errno::ENOTSUP,
        Errno::ENOSYS,
        Errno::EMLINK,
        Errno::EINVAL,
    ];
    errno.is_some_and(|errno| refusals.contains(&errno))
}

struct FileToBe<'a> {
    record: &'a Record,
    access: &'a Access,
}

impl FileToBe<'_> {
    /// By a file with a name of its own. A creator killed in here leaves that file, which leads to
    /// the ring as any other name would.
    fn name_temporary(&self, folder: &Folder, name: &OsStr) -> io::Result<Option<bool>> {
        let number = u128::from_ne_bytes(proc::random_bytes()?);
        let temporary = format!(".ringpipe-{number:032x}");
        let path = Temporary(folder.inside(OsStr::new(&temporary)));
        self.write(&new_file(&path.0)?)?;
        let linked = unless_refused(fs::hard_link(&path.0, folder.inside(name)))?;
        if linked.is_some() {
            return Ok(linked);
        }
        unless_refused(folder.rename_new(OsStr::new(&temporary), name))
    }

    /// Under its name from the beginning.
    fn write_under(&self, path: &Path) -> io::Result<()> {
        let file = new_file(path)?;
        self.write(&file).inspect_err(|_| {
            // It is ours: nobody makes another in its place while it is there.
            let _ = fs::remove_file(path);
        })
    }

    fn write(&self, mut file: &File) -> io::Result<()> {
        let Access { mode, uid, gid } = *self.access;
        file.write_all(self.record.render().as_bytes())?;
        if uid.is_some() || gid.is_some() {
            fchown(file, uid, gid)?;
        }
        // After the owner: a change of owner clears mode bits.
        match file.set_permissions(Permissions::from_mode(mode)) {
            // Some file systems have one mode for all files. It will do if it lets all use the file who may.
            Err(error) if !is_refused(&error) || !has_mode(file, mode)? => return Err(error),
            _ => {}
        }
        // Before it has its name: after a loss of power there is no name that leads nowhere.
        file.sync_all()
    }
}

/// Whether a file can be read and written by all who may by that mode.
fn has_mode(file: &File, mode: u32) -> io::Result<bool> {
    let wanted = mode & 0o666;
    Ok(file.metadata()?.permissions().mode() & wanted == wanted)
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// A name that is taken away at the end, if it was not changed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // A collector that is pointed to the folder takes what stays.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::rendezvous::tests::record;
    use super::super::rendezvous::{Found, read, withdraw};
    use super::*;
    use crate::sys::file::Links;
    use std::os::unix::fs::MetadataExt;

    fn access() -> Access {
        Access {
            mode: 0o640,
            uid: None,
            gid: None,
        }
    }

    #[test]
    fn a_name_is_given_once_and_taken_away_by_its_record_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let held = Folder::hold(folder.path()).unwrap();
        let publish = || publish(&held, OsStr::new("ring"), &record(), &access());
        assert!(publish().unwrap());
        assert!(!publish().unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        let other = Record {
            cookie: [0, 0],
            ..record()
        };
        let withdraw = |record| {
            let mut gone = false;
            let withdrawn = withdraw(&path, &record, Links::Follow, || gone = true).unwrap();
            assert_eq!(withdrawn, gone);
            withdrawn
        };
        assert!(!withdraw(other));
        assert!(withdraw(record()));
        assert!(!withdraw(record()));
        assert!(matches!(
            read(&path, Links::Follow).unwrap(),
            Found::Nothing
        ));
    }

    #[test]
    fn a_file_system_without_unnamed_files_does_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let held = Folder::hold(folder.path()).unwrap();
        let (record, access) = (record(), access());
        let file = FileToBe {
            record: &record,
            access: &access,
        };
        let name = OsStr::new("ring");
        assert_eq!(file.name_temporary(&held, name).unwrap(), Some(true));
        assert!(
            matches!(read(&path, Links::Follow).unwrap(), Found::Record(found) if found == record)
        );
        assert_eq!(file.name_temporary(&held, name).unwrap(), Some(false));
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }
}
