//! A stage for one test: processes that are ended whatever happens, and rings that are gone afterwards.
//!
//! Where it is allowed to (as root), each test gets an IPC namespace of its own: then it can count what stays behind, and
//! neither sees nor disturbs others. A namespace belongs to a thread, and what the thread starts inherits it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, PipeReader, PipeWriter, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{Winsize, openpty};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ringpipe");
/// When a test is taken to hang. Its processes are killed, and what it finds then fails it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Whoever this is, it is not root.
const NOBODY: u32 = 65_534;

type Running = Arc<Mutex<Vec<u32>>>;

pub(crate) struct Case {
    folder: tempfile::TempDir,
    isolated: bool,
    running: Running,
    _done: Sender<()>,
}

/// How a process ended and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Case {
    pub(crate) fn new() -> Self {
        let running = Running::default();
        let (done, watched) = mpsc::channel();
        let doomed = Arc::clone(&running);
        thread::spawn(move || {
            if watched.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                kill_all(&doomed);
            }
        });
        Self {
            folder: tempfile::tempdir().unwrap(),
            isolated: unshare(CloneFlags::CLONE_NEWIPC).is_ok(),
            running,
            _done: done,
        }
    }

    /// A test that cannot be polite to others, or needs root, runs only where it is alone.
    pub(crate) fn isolated() -> Option<Self> {
        let case = Self::new();
        if !case.isolated {
            eprintln!("skipped: it takes root to have an IPC namespace of one's own");
        }
        case.isolated.then_some(case)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(crate) fn ring(&self) -> String {
        self.path("ring")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Whether the program can be run as somebody who is not root; lets such a one see the test's folder.
    pub(crate) fn others_may_come(&self) -> bool {
        fs::set_permissions(self.folder(), Permissions::from_mode(0o755)).unwrap();
        let mut probe = self.command(&["--version"]);
        let probe = probe.uid(NOBODY).gid(NOBODY).stdout(Stdio::null()).status();
        let may = probe.is_ok_and(|status| status.success());
        if !may {
            eprintln!("skipped: others may not run the program where it is");
        }
        may
    }

    /// Starts it as somebody who is not root.
    pub(crate) fn as_nobody(&self, args: &[&str]) -> Process {
        let mut command = self.command(args);
        command.uid(NOBODY).gid(NOBODY);
        self.start_with(command)
    }

    /// A file with that content, open for reading.
    pub(crate) fn input(&self, bytes: &[u8]) -> Stdio {
        let mut file = tempfile::tempfile_in(self.folder.path()).unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file.into()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Process {
        self.start_with(self.command(args))
    }

    pub(crate) fn start_fed(&self, args: &[&str], input: Stdio) -> Process {
        let mut command = self.command(args);
        command.stdin(input);
        self.start_with(command)
    }

    /// Starts it with its output in files.
    pub(crate) fn start_with(&self, mut command: Command) -> Process {
        let file = |kind: &str| {
            let (file, path) = tempfile::Builder::new()
                .prefix(kind)
                .tempfile_in(self.folder.path())
                .unwrap()
                .keep()
                .unwrap();
            (Stdio::from(file), path)
        };
        let ((out, out_path), (err, err_path)) = (file("out"), file("err"));
        command.stdout(out).stderr(err);
        self.spawn(&mut command, out_path, err_path)
    }

    /// Starts a long soak where this test can see it, whose folder is in the test's.
    pub(crate) fn start_soak(&self, more: &[&str]) -> Process {
        let scratch = self.path("scratch");
        fs::create_dir(&scratch).unwrap();
        let args = ["soak", "--shared", "--deaths", "1000000", "--seed", "4"];
        let mut command = self.command(&[args.as_slice(), more].concat());
        command.env("TMPDIR", scratch);
        self.start_with(command)
    }

    /// Starts it with its standard output in a file, and its standard error elsewhere.
    pub(crate) fn start_telling(&self, mut command: Command, told: Stdio) -> Process {
        let (out, out_path) = tempfile::NamedTempFile::new_in(self.folder.path())
            .and_then(|file| Ok(file.keep()?))
            .unwrap();
        command.stdout(out).stderr(told);
        self.spawn(&mut command, out_path, "/dev/null".into())
    }

    /// Starts it with its standard output in a pipe, for the test to read.
    pub(crate) fn start_piped(&self, args: &[&str]) -> (Process, PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        (self.start_into(args, writer.into()), reader)
    }

    /// Starts it with its standard output elsewhere.
    pub(crate) fn start_into(&self, args: &[&str], output: Stdio) -> Process {
        self.start_at(self.command(args), output)
    }

    /// The same for a command that has its input already.
    pub(crate) fn start_at(&self, mut command: Command, output: Stdio) -> Process {
        let (err, err_path) = tempfile::Builder::new()
            .prefix("err-elsewhere")
            .tempfile_in(self.folder.path())
            .unwrap()
            .keep()
            .unwrap();
        command.stdout(output).stderr(err);
        self.spawn(&mut command, "/dev/null".into(), err_path)
    }

    fn spawn(&self, command: &mut Command, out: PathBuf, err: PathBuf) -> Process {
        let mut running = lock(&self.running);
        let child = command.spawn().unwrap();
        running.push(child.id());
        Process {
            child,
            running: Arc::clone(&self.running),
            out,
            err,
        }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        self.start(args).wait()
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let outcome = self.run(args);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        serde_json::from_slice(&outcome.out).unwrap()
    }

    /// What `ringpipe stat` says of the test's ring; `Null` while there is none.
    pub(crate) fn stat(&self) -> Value {
        let outcome = self.run(&["stat", "--json", &self.ring()]);
        serde_json::from_slice(&outcome.out).unwrap_or_default()
    }

    pub(crate) fn has_ring(&self) -> bool {
        fs::exists(self.ring()).unwrap()
    }

    /// What is left in this test's namespace: lines of the kernel's lists, without their headings.
    fn leftovers(&self) -> Vec<String> {
        ["/proc/sysvipc/shm", "/proc/sysvipc/sem"]
            .iter()
            .flat_map(|list| {
                let text = fs::read_to_string(list).unwrap();
                let lines: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
                lines
            })
            .collect()
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        kill_all(&self.running);
        let entries = fs::read_dir(self.folder.path()).unwrap();
        for entry in entries.filter_map(Result::ok) {
            // What is no ring is refused.
            let rm = Command::new(PROGRAM).arg("rm").arg(entry.path()).output();
            drop(rm);
        }
        if self.isolated && !thread::panicking() {
            assert_eq!(self.leftovers(), [""; 0], "something stays behind");
        }
    }
}

fn lock(running: &Running) -> MutexGuard<'_, Vec<u32>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill_all(running: &Running) {
    for pid in lock(running).iter() {
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
    }
}

/// A process of a test. It is on the list of those running from its start until it is reaped, so that no number is
/// ever used after the process it meant.
pub(crate) struct Process {
    child: Child,
    running: Running,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Gives it back what [`Process::stdin`] took, to be closed with the process.
    pub(crate) fn give_back(&mut self, stdin: ChildStdin) {
        self.child.stdin = Some(stdin);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Whether it sleeps in the kernel.
    pub(crate) fn sleeps(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        status.contains("State:\tS")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.reap().is_none()
    }

    /// What it has written so far.
    pub(crate) fn output(&self) -> Vec<u8> {
        fs::read(&self.out).unwrap()
    }

    /// What it has told so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    /// How much it has written so far.
    pub(crate) fn written(&self) -> u64 {
        fs::metadata(&self.out).unwrap().len()
    }

    pub(crate) fn wait(mut self) -> Outcome {
        let code = loop {
            if let Some(status) = self.reap() {
                break status.code();
            }
            thread::sleep(Duration::from_millis(2));
        };
        Outcome {
            code,
            out: fs::read(&self.out).unwrap(),
            err: fs::read_to_string(&self.err).unwrap(),
        }
    }

    fn reap(&mut self) -> Option<std::process::ExitStatus> {
        let mut running = lock(&self.running);
        let status = self.child.try_wait().unwrap()?;
        running.retain(|pid| *pid != self.child.id());
        Some(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.reap().is_none() {
            let _ = self.child.kill();
            while self.reap().is_none() {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// Waits until something is so.
pub(crate) fn until(mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "it does not come about");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Bytes without a pattern, the same each time.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(len).collect()
}

/// Fills a pipe to the brim. By a description of its own, since not to block is a property of that.
pub(crate) fn fill(pipe: &PipeWriter) {
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let mut filler = OpenOptions::new();
    let filler = filler.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let mut filler = filler.open(path).unwrap();
    while filler.write(&[0; 4096]).is_ok() {}
}

/// A terminal of 80 columns, as seen by whoever sits at it.
pub(crate) struct Terminal {
    master: File,
    seen: String,
}

impl Terminal {
    /// The terminal, and the end for a process.
    pub(crate) fn new() -> (Self, OwnedFd) {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let ends = openpty(&size, None).unwrap();
        for end in [&ends.master, &ends.slave] {
            // Else processes of other tests hold it open.
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        let terminal = Self {
            master: File::from(ends.master),
            seen: String::new(),
        };
        (terminal, ends.slave)
    }

    /// Reads until that was shown; all that was so far.
    pub(crate) fn until(&mut self, words: &str) -> String {
        let start = Instant::now();
        let mut buffer = [0; 4096];
        while !self.seen.contains(words) {
            assert!(
                start.elapsed() < PATIENCE,
                "no {words:?} in {:?}",
                self.seen
            );
            let mut ready = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, 100_u8).unwrap() == 0 {
                continue;
            }
            // EIO: nobody has the other end any more.
            let count = self.master.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "no {words:?} in {:?}", self.seen);
            self.seen += &String::from_utf8_lossy(&buffer[..count]);
        }
        self.seen.clone()
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }
}
