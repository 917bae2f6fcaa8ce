//! Commands whose input or output is a stream.

use std::io::{self, BufRead, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use super::{Options, Reader, Writer};
use crate::sync::Mutex;
use crate::sys::{Errno, fd};

/// How many bytes a pump moves at a time.
const CHUNK: usize = 64 << 10;

/// A command that runs, with its standard input or output connected to a stream: what popen(3) gives.
///
/// A thread of this process moves the bytes between the stream and the command's own pipe, each once, by
/// [`Writer::copy_from_fd`] and [`Reader::copy_to_fd`]. So the stream may be any: one of this process
/// ([`Popen::reading`], [`Popen::writing`]), or one that others have open too ([`Popen::draining`], [`Popen::feeding`]).
///
/// What is written to a command that has ended fails with EPIPE once the thread has found out, which is with the write after the
/// first at the latest. Dropped, the end is closed, and nobody waits for the command; [`Popen::close`] does.
///
/// A command may leave processes behind that have its output or input, too. `close` does not wait
/// for them, nor does pclose(3).
///
/// # Examples
///
/// ```
/// use std::io::Read;
/// use std::process::Command;
/// use ringpipe::stream::Popen;
///
/// let mut echo = Popen::reading(Command::new("echo").arg("hello"))?;
/// let mut text = String::new();
/// echo.read_to_string(&mut text)?;
/// assert_eq!(text, "hello\n");
/// assert!(echo.close()?.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Popen<E> {
    end: E,
    child: Child,
    pump: Pump,
}

/// The thread that moves the bytes.
#[derive(Debug)]
struct Pump {
    /// What became of it. Told before it closes the command's pipe. Behind a mutex, so that the
    /// whole can be shared.
    outcome: Mutex<Receiver<io::Result<()>>>,
    /// For output: by which it is told that the command has ended.
    bell: Option<PipeWriter>,
}

impl Popen<Reader> {
    /// Runs a command whose output can be read: popen(3) with `r`.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`]; there may be no memory for the stream.
    pub fn reading(command: &mut Command) -> io::Result<Self> {
        let (writer, reader) = Options::new().in_process()?;
        Ok(Popen::draining(command, writer)?.with(reader))
    }
}

impl Popen<Writer> {
    /// Runs a command to whose input can be written: popen(3) with `w`.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`]; there may be no memory for the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    /// use std::process::Command;
    /// use ringpipe::stream::Popen;
    ///
    /// let mut grep = Popen::writing(Command::new("grep").args(["-q", "needle"]))?;
    /// grep.write_all(b"hay\nneedle\nhay\n")?;
    /// assert!(grep.close()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn writing(command: &mut Command) -> io::Result<Self> {
        let (writer, reader) = Options::new().in_process()?;
        Ok(Popen::feeding(command, reader)?.with(writer))
    }
}

impl Popen<()> {
    /// Runs a command whose output goes into a stream, until it ends or nobody reads.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`]; those of [`Builder::spawn`](thread::Builder::spawn), when the command is killed.
    pub fn draining(command: &mut Command, mut writer: Writer) -> io::Result<Self> {
        let (ended, bell) = io::pipe()?;
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().expect("it is piped");
        let drain = move |tell: Tell| tell(drain(&output, &mut writer, &ended));
        Self::pumped(child, Some(bell), drain)
    }

    /// Runs a command whose input comes out of a stream, until its end.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`]; those of [`Builder::spawn`](thread::Builder::spawn), when the command is killed.
    pub fn feeding(command: &mut Command, mut reader: Reader) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let input = child.stdin.take().expect("it is piped");
        Self::pumped(child, None, move |tell| tell(feed(&mut reader, &input)))
    }

    fn pumped(
        mut child: Child,
        bell: Option<PipeWriter>,
        work: impl FnOnce(Tell) + Send + 'static,
    ) -> io::Result<Self> {
        let (outcome, told) = sync_channel(1);
        match thread::Builder::new().spawn(move || work(telling(outcome))) {
            Ok(_) => Ok(Self {
                end: (),
                child,
                pump: Pump {
                    outcome: Mutex::new(told),
                    bell,
                },
            }),
            Err(error) => {
                // No threads to be had, and nobody would know of the command. Errors: it has ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn with<E>(self, end: E) -> Popen<E> {
        Popen {
            end,
            child: self.child,
            pump: self.pump,
        }
    }
}

impl<E> Popen<E> {
    /// The command's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process itself, for instance to kill it.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Closes the end, if there is one, and waits until the command has ended: what pclose(3) does. A command that is still
    /// writing is told by SIGPIPE or EPIPE that nobody reads.
    ///
    /// The command alone is waited for, and, with [`Popen::draining`], room in the stream for what
    /// it has written. A process that it has left behind is treated as after pclose(3): if it
    /// writes later, it gets SIGPIPE; if it still reads, it gets what was written for the command,
    /// as long as this process lives.
    ///
    /// # Errors
    ///
    /// When bytes could not be moved for another reason than that one of the two sides was done; those of [`Child::wait`].
    pub fn close(self) -> io::Result<ExitStatus> {
        let Self {
            end,
            mut child,
            pump,
        } = self;
        drop(end);
        let status = child.wait()?;
        pump.end()?;
        Ok(status)
    }
}

impl Pump {
    /// After the command's end: waits until its output is moved. Of its input, nobody waits for
    /// what others may still take.
    fn end(self) -> io::Result<()> {
        let outcome = self.outcome.into_inner();
        let outcome = outcome.expect("nobody panics with it");
        let told = match self.bell {
            Some(mut bell) => {
                let _ = bell.write(&[1]); // it may have come to its end before
                outcome.recv().map_err(|_| TryRecvError::Disconnected)
            }
            None => outcome.try_recv(),
        };
        match told {
            Ok(moved) => moved,
            Err(TryRecvError::Empty) => Ok(()),
            Err(TryRecvError::Disconnected) => Err(io::Error::other("the pump's thread panicked")),
        }
    }
}

/// What a pump calls at its end.
type Tell = Box<dyn FnOnce(io::Result<()>)>;

fn telling(outcome: SyncSender<io::Result<()>>) -> Tell {
    Box::new(move |moved| drop(outcome.send(moved))) // unless nobody wants to know
}

/// What is there comes from a file until its end, or that of the readers; or until the command has
/// ended, and all that it wrote was moved.
fn drain(output: &ChildStdout, writer: &mut Writer, ended: &PipeReader) -> io::Result<()> {
    loop {
        match fd::await_either(output.as_fd(), ended.as_fd()) {
            Ok([_, true]) => break,
            Ok(_) => {
                if moved(writer.copy_from_fd(output, CHUNK))? == Some(0) {
                    return Ok(());
                }
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let said = (&*ended).read(&mut [0]); // nothing, if the handle was dropped
    if !matches!(said, Ok(1)) {
        return pump(|| writer.copy_from_fd(output, CHUNK));
    }
    let mut left = fd::unread(output.as_fd())?;
    while left > 0 {
        match moved(writer.copy_from_fd(output, CHUNK.min(left)))? {
            Some(0) => break,
            now => left -= now.unwrap_or(0),
        }
    }
    Ok(())
}

fn feed(reader: &mut Reader, input: &impl AsFd) -> io::Result<()> {
    pump(|| reader.copy_to_fd(input, CHUNK))
}

fn pump(mut step: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    while moved(step())? != Some(0) {}
    Ok(())
}

/// What a step has moved: nothing at the end of either side; `None` if a signal came in between.
fn moved(step: io::Result<usize>) -> io::Result<Option<usize>> {
    match step {
        Ok(n) => Ok(Some(n)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Some(0)),
        Err(error) => Err(error),
    }
}

impl Read for Popen<Reader> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.end.read(into)
    }
}

impl BufRead for Popen<Reader> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.end.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.end.consume(n);
    }
}

impl Write for Popen<Writer> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.end.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.end.flush()
    }
}
