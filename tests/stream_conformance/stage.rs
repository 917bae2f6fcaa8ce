//! Where a case is played: in a process of its own, so that its signals, ends and objects are nobody else's.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::thread::JoinHandleExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{Pid, gettid};

use crate::common::apart::alone_unprepared;
use crate::subject::{End, Fifo, PIPE_BUF, Subject, WriteEnd, Writes};

/// In the environment of the process that is to play a case: the folder for it.
const FOLDER: &str = "RINGPIPE_CONFORMANCE_FOLDER";

/// Of the process that plays a case: its folder, and whether it has an IPC namespace of its own.
static SCENE: OnceLock<(PathBuf, bool)> = OnceLock::new();

/// Plays a case, and looks whether it leaves anything behind. `test`: where the test is, with the crate.
///
/// The process is this program once more, as it cannot just be forked: if another test's thread is about to start then,
/// the child waits for ever for a lock of the standard library's when it starts one.
pub(crate) fn perform<S: Subject>(test: &str, case: fn()) {
    if let Some(folder) = env::var_os(FOLDER) {
        return play::<S>(Path::new(&folder), case);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open_to_all = PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open_to_all).expect("the folder is ours");
    let (_, name) = test.split_once("::").expect("it begins with the crate");
    let player = Command::new(env::current_exe().expect("it is there"))
        .args([name, "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .status();
    assert!(player.expect("it can be run").success(), "see above");
    assert!(folder.path().join("played").exists(), "{name} is not it");
}

/// In a process that does nothing else.
fn play<S: Subject>(folder: &Path, case: fn()) {
    alone_unprepared(|own_namespace| {
        let scene = (folder.to_owned(), own_namespace);
        SCENE.set(scene).expect("one case is played");
        let _swept = Swept(|| S::sweep(folder, own_namespace));
        case();
    });
    fs::write(folder.join("played"), b"").expect("the folder is ours");
}

/// Calls that in the end, whatever happens.
struct Swept<F: Fn()>(F);

impl<F: Fn()> Drop for Swept<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Where the case keeps things.
pub(crate) fn folder() -> &'static Path {
    let (folder, _) = SCENE.get().expect("a case is played");
    folder
}

/// Whether nobody else's System V objects can be seen.
pub(crate) fn is_apart() -> bool {
    SCENE.get().is_some_and(|(_, own_namespace)| *own_namespace)
}

/// A path for a FIFO.
pub(crate) fn path() -> PathBuf {
    folder().join("fifo")
}

/// A new FIFO, which [`path`] leads to.
pub(crate) fn fifo<S: Subject>() -> S::Fifo {
    S::Fifo::make(&path(), 0o600).expect("nothing is there yet")
}

/// A new FIFO with both ends open and blocking.
pub(crate) fn open_fifo<S: Subject>() -> (S::Fifo, S::Writer, S::Reader) {
    let fifo = fifo::<S>();
    let rx = fifo.reader_nonblocking().expect("readers need nobody");
    let tx = fifo.writer().expect("a reader is there");
    rx.set_nonblocking(false);
    (fifo, tx, rx)
}

/// The two ways to have a writer and a reader. The name of an earlier FIFO is given to the new one.
pub(crate) fn pipe_and_fifo<S: Subject>() -> [(S::Writer, S::Reader); 2] {
    if let Ok(earlier) = S::Fifo::find(&path()) {
        earlier.remove().expect("it is ours");
    }
    let (_, tx, rx) = open_fifo::<S>();
    [S::pipe(), (tx, rx)]
}

/// `n` bytes from a place in a stream where each byte follows from its place.
pub(crate) fn stream(from: usize, n: usize) -> Vec<u8> {
    let byte = |at: usize| (at ^ at >> 8).wrapping_mul(31) as u8;
    (from..from + n).map(byte).collect()
}

/// Writes the stream until not one byte more fits; returns how many did.
pub(crate) fn fill<W: WriteEnd>(tx: &mut W) -> usize {
    let was = tx.is_nonblocking();
    tx.set_nonblocking(true);
    let mut n = 0;
    for piece in [PIPE_BUF, 1] {
        while let Ok(more) = tx.writes(&stream(n, piece)) {
            n += more;
        }
    }
    tx.set_nonblocking(was);
    n
}

/// Writes the stream into an empty pipe until so much room is left; returns how much that took.
pub(crate) fn fill_but<W: WriteEnd>(tx: &mut W, room: usize) -> usize {
    let n = tx.capacity() - room;
    assert_eq!(tx.writes(&stream(0, n)), Ok(n));
    n
}

/// A call that may take its time, in a thread of its own.
#[derive(Debug)]
pub(crate) struct Call<T> {
    thread: JoinHandle<T>,
    id: Pid,
}

/// Makes a call in another thread.
pub(crate) fn call<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Call<T> {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        tell.send(gettid()).expect("somebody waits for it");
        work()
    });
    let id = told.recv().expect("it tells");
    Call { thread, id }
}

impl<T> Call<T> {
    /// Waits until it sleeps, as far as the kernel says; it must not come back.
    pub(crate) fn until_asleep(&self) {
        let mut seen = 0;
        while seen < 3 {
            thread::sleep(Duration::from_micros(200));
            seen = if self.is_asleep() { seen + 1 } else { 0 };
            assert!(!self.thread.is_finished(), "it did not wait");
        }
    }

    fn is_asleep(&self) -> bool {
        let path = format!("/proc/self/task/{}/stat", self.id);
        let stat = fs::read_to_string(path).unwrap_or_default();
        let mut parts = stat.rsplit(") ");
        parts.next().is_some_and(|rest| rest.starts_with('S'))
    }

    /// Interrupts the thread, wherever it is.
    #[allow(unsafe_code)]
    pub(crate) fn interrupt(&self, signal: Signal) {
        // SAFETY: the thread is not joined yet, so that this names it and no other.
        unsafe { libc::pthread_kill(self.thread.as_pthread_t(), signal as i32) };
    }

    /// Interrupts it until it comes back: a signal that comes before it waits is of no use.
    pub(crate) fn interrupted(self, signal: Signal) -> T {
        while !self.thread.is_finished() {
            self.interrupt(signal);
            thread::sleep(Duration::from_millis(1));
        }
        self.join()
    }

    /// Interrupts it some times while it sleeps, which is to have no effect.
    pub(crate) fn disturb(&self, signal: Signal) {
        for _ in 0..3 {
            let before = signals();
            self.until_asleep();
            self.interrupt(signal);
            crate::common::until(|| signals() > before);
        }
        self.until_asleep();
    }

    pub(crate) fn join(self) -> T {
        self.thread.join().expect("it does not panic")
    }
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);
/// Who had the last one.
static THREAD: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: i32) {
    THREAD.store(gettid().as_raw() as usize, Ordering::SeqCst);
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

/// Counts signals of a kind from now on.
pub(crate) fn count_signals(signal: Signal, flags: SaFlags) {
    handle(signal, SigHandler::Handler(count), flags);
}

/// Sets what is done about a signal in this process.
pub(crate) fn handle(signal: Signal, handler: SigHandler, flags: SaFlags) {
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: the handler, if it is one of ours, does nothing but system calls and stores.
    #[allow(unsafe_code)]
    unsafe { sigaction(signal, &action) }.expect("it can be handled");
}

/// How many were counted.
pub(crate) fn signals() -> usize {
    SIGNALS.load(Ordering::SeqCst)
}

/// The thread that had the last of them.
pub(crate) fn signalled() -> i32 {
    THREAD.load(Ordering::SeqCst) as i32
}
