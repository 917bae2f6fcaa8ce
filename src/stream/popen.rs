//! Commands whose input or output is a stream.

use std::io::{self, BufRead, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use super::{Options, Reader, Writer};

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
    pump: JoinHandle<io::Result<()>>,
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
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().expect("it is piped");
        Self::pumped(child, move || drain(&output, &mut writer))
    }

    /// Runs a command whose input comes out of a stream, until its end.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`]; those of [`Builder::spawn`](thread::Builder::spawn), when the command is killed.
    pub fn feeding(command: &mut Command, mut reader: Reader) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let input = child.stdin.take().expect("it is piped");
        Self::pumped(child, move || feed(&mut reader, &input))
    }

    fn pumped(
        mut child: Child,
        pump: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        match thread::Builder::new().spawn(pump) {
            Ok(pump) => Ok(Self {
                end: (),
                child,
                pump,
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
        pump.join()
            .unwrap_or_else(|_| Err(io::Error::other("the pump's thread panicked")))?;
        Ok(status)
    }
}

/// What is there comes from a file until its end, or that of the readers.
fn drain(output: &impl AsFd, writer: &mut Writer) -> io::Result<()> {
    pump(|| writer.copy_from_fd(output, CHUNK))
}

fn feed(reader: &mut Reader, input: &impl AsFd) -> io::Result<()> {
    pump(|| reader.copy_to_fd(input, CHUNK))
}

fn pump(mut step: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    loop {
        match step() {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(error),
        }
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
