//! How a ring is named.

use core::fmt;
use core::num::NonZeroU8;
use core::str::FromStr;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::sysv::{Key, ShmId, ftok};

/// The name of a ring.
///
/// A path is what to use unless something speaks against it: like a FIFO's, it names a small file, here one that
/// leads to the segment. Strings and paths convert into [`Name::Path`].
///
/// # Examples
///
/// ```
/// use ringpipe::{Name, sysv::Key};
///
/// assert_eq!(Name::from("/tmp/ticks").to_string(), "/tmp/ticks");
/// assert_eq!("key:0x2a".parse::<Name>()?, Name::Key(Key::new(42)));
/// assert_eq!("/tmp/ticks".parse::<Name>()?, Name::from("/tmp/ticks"));
/// # Ok::<(), ringpipe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Name {
    /// A rendezvous file, made when the ring is created.
    Path(PathBuf),
    /// A System V key: explicit, or from [`Name::ftok`]. Keys collide; what has the key is checked before it
    /// is believed.
    Key(Key),
    /// No name: for a parent and its forked children, or passed on by id.
    Private,
    /// The segment's id, as `ipcs -m` shows it. Opens a private ring; nothing can be created by it.
    Id(ShmId),
}

impl Name {
    /// The key that ftok(3) makes of a file and a project number.
    ///
    /// Different files often give the same key (half of the files of one machine shared theirs with another), and a
    /// file made anew gives another key. A path is the better name.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file does not exist or cannot be reached.
    pub fn ftok(path: impl AsRef<Path>, project: NonZeroU8) -> Result<Self, Error> {
        let path = path.as_ref();
        ftok(path, project)
            .map(Self::Key)
            .map_err(|errno| Error::File {
                path: path.to_owned(),
                action: "make a key of",
                source: errno.into(),
            })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Key(key) => write!(f, "key:{key}"),
            Self::Private => f.write_str("private"),
            Self::Id(id) => write!(f, "id:{}", id.raw()),
        }
    }
}

impl From<&str> for Name {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<String> for Name {
    fn from(path: String) -> Self {
        Self::Path(path.into())
    }
}

impl From<&String> for Name {
    fn from(path: &String) -> Self {
        Self::Path(path.into())
    }
}

impl From<&Path> for Name {
    fn from(path: &Path) -> Self {
        Self::Path(path.into())
    }
}

impl From<PathBuf> for Name {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&PathBuf> for Name {
    fn from(path: &PathBuf) -> Self {
        Self::Path(path.clone())
    }
}

impl From<&Name> for Name {
    fn from(name: &Name) -> Self {
        name.clone()
    }
}

impl From<Key> for Name {
    fn from(key: Key) -> Self {
        Self::Key(key)
    }
}

impl From<ShmId> for Name {
    fn from(id: ShmId) -> Self {
        Self::Id(id)
    }
}

/// Reads the forms that [`Name`] is shown in: `key:NUMBER`, `ftok:FILE:PROJECT`, `id:NUMBER`, `private`; all else
/// is a path. (A path that begins so can be written with `./` before it.) Numbers are decimal, or hexadecimal after `0x`.
impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |why| Error::BadName {
            name: text.to_owned(),
            why,
        };
        if let Some(key) = text.strip_prefix("key:") {
            let key = number(key).ok_or_else(|| bad("a key is a 32-bit number"))?;
            return Ok(Self::Key(Key::new(key.cast_signed())));
        }
        if let Some(id) = text.strip_prefix("id:") {
            let id = id.parse::<i32>().ok().filter(|id| *id >= 0);
            return id
                .map(|id| Self::Id(ShmId::from_raw(id)))
                .ok_or_else(|| bad("an id is a number from 0 up"));
        }
        if let Some(rest) = text.strip_prefix("ftok:") {
            let (path, project) = rest
                .rsplit_once(':')
                .ok_or_else(|| bad("it takes ftok:FILE:PROJECT"))?;
            let project = project
                .parse()
                .map_err(|_| bad("a project is a number from 1 to 255"))?;
            return Self::ftok(path, project);
        }
        match text {
            "" => Err(bad("it is empty")),
            "private" => Ok(Self::Private),
            path => Ok(Self::from(path)),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}
