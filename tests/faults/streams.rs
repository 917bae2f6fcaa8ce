//! Streams: opening both ways, pipes, clones, forks, commands, files.

use std::io::{self, ErrorKind, PipeReader, Read, Write, pipe};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use ringpipe::stream::{self, Duplex, Fifo, Popen, Reader, Readiness, Writer};
use ringpipe::{Error, Name};

use crate::common::single::mark;
use crate::common::{Child, Shared, forked};
use crate::inject::{Machine, USUAL};
use crate::judge::Trouble;
use crate::names::or_again;
use crate::stage::Stage;
use crate::sweep::{World, sweep, sweep_on};

const SOON: Duration = Duration::from_millis(1);
const HELLO: &[u8; 5] = b"hello";

/// As [`or_again`], for what reads and writes.
#[track_caller]
fn io_or_again<R>(stage: Stage, mut result: io::Result<R>, again: impl Fn() -> io::Result<R>) -> R {
    loop {
        match result {
            Ok(done) => return done,
            Err(error) => Trouble::from(error).judge(stage),
        }
        result = again();
    }
}

#[track_caller]
fn passes(mut writer: impl Write, mut reader: impl Read) {
    let mut bytes = [0; 5];
    writer.write_all(HELLO).expect("there is room");
    reader.read_exact(&mut bytes).expect("it was written");
    assert_eq!(&bytes, HELLO);
}

fn fifo(world: &World) -> (Fifo, Name) {
    let made = stream::Options::new()
        .capacity(stream::PIPE_BUF)
        .create(world.path());
    (
        made.expect("nothing is disturbed yet"),
        Name::from(world.path()),
    )
}

/// Opens the other end over and over, until told that all is well: what was written between two readers is gone.
fn counterpart(name: &Name, done: Shared, open: impl Fn(&Name) -> Result<bool, Error>) -> Child {
    forked(move || {
        while done.get(0) == 0 {
            thread::sleep(SOON);
            if open(name).expect("nothing is disturbed here") {
                done.set(0, 1);
            }
        }
    })
}

#[test]
fn opening_to_read() {
    sweep("open to read", |world| {
        let (fifo, name) = fifo(world);
        let done = Shared::new();
        let peer = counterpart(&name, done, |name| {
            let opened = Fifo::open(name)?.writer_timeout(SOON);
            if let Ok(mut writer) = opened {
                let _ = writer.write(HELLO); // the reader may have gone again
                thread::sleep(2 * SOON);
            }
            Ok(false)
        });
        let mut reader = world.stage.attempt(|| {
            let opened = fifo.reader();
            or_again(world.stage, opened, || fifo.reader())
        });
        let mut bytes = [0; 5];
        while !matches!(reader.read(&mut bytes), Ok(5)) {
            thread::sleep(SOON);
        }
        assert_eq!(&bytes, HELLO);
        done.set(0, 1);
        peer.join();
        drop((reader, fifo));
        ringpipe::remove(name).expect("it is there");
    });
}

#[test]
fn opening_to_write() {
    sweep("open to write", |world| {
        let (fifo, name) = fifo(world);
        let done = Shared::new();
        let peer = counterpart(&name, done, |name| {
            let mut bytes = [0; 5];
            let mut reader = Fifo::open(name)?.reader_nonblocking()?;
            reader.set_nonblocking(false);
            let readable = reader.wait_readable(Some(5 * SOON));
            if readable.is_ok_and(|bits| bits.contains(Readiness::IN)) {
                reader.read_exact(&mut bytes).expect("it is there");
                assert_eq!(&bytes, HELLO);
                return Ok(true);
            }
            Ok(false)
        });
        let mut writer = world.stage.attempt(|| {
            let opened = fifo.writer();
            or_again(world.stage, opened, || fifo.writer())
        });
        while done.get(0) == 0 {
            // There may be no reader just now.
            let written = writer.write(HELLO);
            assert!(
                !matches!(&written, Err(error) if error.kind() != ErrorKind::BrokenPipe),
                "{written:?}"
            );
            thread::sleep(SOON);
        }
        peer.join();
        drop((writer, fifo));
        ringpipe::remove(name).expect("it is there");
    });
}

#[test]
fn opening_in_vain() {
    sweep("open in vain", |world| {
        let (fifo, name) = fifo(world);
        match world.stage.attempt(|| fifo.reader_timeout(2 * SOON)) {
            Err(Error::TimedOut { .. }) => {}
            Err(error) => Trouble::from(error).judge(world.stage),
            Ok(_) => panic!("nobody writes"),
        }
        match fifo.writer_nonblocking() {
            Err(Error::NoReader { .. }) => {}
            // What could not leave is there until the process ends.
            Ok(_) if world.stage.fault().is_some_and(|hit| hit.is_of_ipc()) => {}
            other => panic!("the reader has not gone: {other:?}"),
        }
        let (writer, reader) = fifo.both().expect("nothing is disturbed any more");
        passes(writer, reader);
        drop(fifo);
        ringpipe::remove(name).expect("it is there");
    });
}

#[test]
fn making_a_pipe() {
    sweep("pipe", |world| {
        let made = world.stage.attempt(stream::pipe);
        let (writer, reader) = or_again(world.stage, made, stream::pipe);
        passes(writer, reader);
    });
    sweep("duplex", |world| {
        let made = world.stage.attempt(stream::duplex);
        let (mut here, mut there): (Duplex, Duplex) = or_again(world.stage, made, stream::duplex);
        passes(&mut here, &mut there);
        passes(&mut there, &mut here);
    });
}

fn small_pipe() -> (Writer, Reader) {
    let options = stream::Options::new().capacity(stream::PIPE_BUF);
    options.pipe().expect("nothing is disturbed yet")
}

#[test]
fn cloning() {
    sweep("clone", |world| {
        let (writer, reader) = small_pipe();
        let (second, third) = world.stage.attempt(|| {
            let second = or_again(world.stage, writer.try_clone(), || writer.try_clone());
            let third = or_again(world.stage, reader.try_clone(), || reader.try_clone());
            (second, third)
        });
        drop((writer, reader));
        passes(second, third);
    });
}

/// A child that writes, if it has the end; it must not come to anything worse than not having it.
fn writing_child(writer: &mut Writer) -> nix::Result<Pid> {
    // SAFETY: there is one thread, and the child ends by `_exit`.
    #[allow(unsafe_code)]
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let status = match writer.write(HELLO) {
                Ok(5) => 0,
                Ok(_) => 1,
                Err(error) => match Trouble::from(error) {
                    Trouble::Fault(ringpipe::Fault::Forked) => 2,
                    _ => 3,
                },
            };
            // SAFETY: always sound; it ends the process without running what the parent registered.
            #[allow(unsafe_code)]
            unsafe {
                libc::_exit(status)
            }
        }
    }
}

#[test]
fn forking() {
    sweep("fork", |world| {
        let (mut writer, mut reader) = small_pipe();
        let child = world.stage.attempt(|| writing_child(&mut writer));
        let child = child.unwrap_or_else(|errno| {
            assert_eq!(world.stage.fault().map(|hit| hit.errno), Some(errno as i32));
            writing_child(&mut writer).expect("nothing is disturbed any more")
        });
        let end = waitpid(child, None).expect("it is our child");
        let inherited = match end {
            WaitStatus::Exited(_, 0) => true,
            WaitStatus::Exited(_, 2) => false,
            other => panic!("the child came to {other:?}"),
        };
        assert!(inherited || world.stage.fault().is_some());
        if inherited {
            let mut bytes = [0; 5];
            reader.read_exact(&mut bytes).expect("it was written");
        }
        // The next one has it.
        let child = writing_child(&mut writer).expect("nothing is disturbed any more");
        let end = waitpid(child, None).expect("it is our child");
        assert_eq!(end, WaitStatus::Exited(child, 0));
        drop(writer);
        let mut rest = vec![];
        let stuck = world.stage.fault().is_some() && reader.writers().is_ok_and(|w| w.alive > 0);
        if stuck {
            // What the parent could not give up is its own until it ends.
            reader.set_nonblocking(true);
            let _ = reader.read_to_end(&mut rest);
        } else {
            reader.read_to_end(&mut rest).expect("nobody writes");
        }
        assert_eq!(rest, HELLO);
    });
}

#[test]
fn being_forked() {
    let machine = Machine {
        in_child: true,
        ..USUAL
    };
    sweep_on(machine, "fork, in the child", |world| {
        let (mut writer, mut reader) = small_pipe();
        // SAFETY: there is one thread, and the child ends by `_exit`.
        #[allow(unsafe_code)]
        let child = match unsafe { fork() }.expect("nothing is disturbed here") {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                let written = writer.write(HELLO);
                mark();
                let status = match (written, world.stage.fault()) {
                    (Ok(5), _) => 0,
                    (Err(error), Some(_)) => match Trouble::from(error) {
                        Trouble::Fault(ringpipe::Fault::Forked) => 2,
                        trouble => {
                            trouble.judge(world.stage);
                            3
                        }
                    },
                    _ => 1,
                };
                // SAFETY: always sound; it ends the process without running what the parent registered.
                #[allow(unsafe_code)]
                unsafe {
                    libc::_exit(status)
                }
            }
        };
        let end = waitpid(child, None).expect("it is our child");
        let mut bytes = vec![];
        drop(writer);
        reader.read_to_end(&mut bytes).expect("nobody writes");
        match end {
            WaitStatus::Exited(_, 0) => assert_eq!(bytes, HELLO),
            WaitStatus::Exited(_, 2 | 3) => assert_eq!(bytes, []),
            other => panic!("the child came to {other:?}"),
        }
    });
}

#[test]
fn running_a_command() {
    sweep("popen", |world| {
        let echo = || Popen::reading(Command::new("echo").args(["-n", "hello"]));
        let run = world.stage.attempt(echo);
        let mut popen = io_or_again(world.stage, run, echo);
        let mut text = String::new();
        popen.read_to_string(&mut text).expect("it speaks");
        assert_eq!(text, "hello");
        assert!(popen.close().expect("it ends").success());
    });
    sweep("close a command", |world| {
        let mut popen = Popen::writing(Command::new("cat").stdout(std::process::Stdio::null()))
            .expect("nothing is disturbed yet");
        popen.write_all(HELLO).expect("there is room");
        let pid = Pid::from_raw(popen.id().cast_signed());
        match world.stage.attempt(|| popen.close()) {
            Ok(status) => assert!(status.success()),
            Err(error) => {
                Trouble::from(error).judge(world.stage);
                let _ = waitpid(pid, None); // which is what failed
            }
        }
    });
}

/// A file with something to read, and its other end.
fn file() -> (PipeReader, io::PipeWriter) {
    let (from, mut to) = pipe().expect("files can be opened");
    to.write_all(HELLO).expect("there is room");
    (from, to)
}

#[test]
fn copying_from_and_to_files() {
    sweep("copy from a file", |world| {
        let (mut writer, mut reader) = small_pipe();
        let (from, _to) = file();
        let copied = world.stage.attempt(|| {
            loop {
                match writer.copy_from_fd(&from, 5) {
                    Ok(n) => break n,
                    Err(error) => Trouble::from(error).judge(world.stage),
                }
            }
        });
        assert_eq!(copied, 5);
        let mut bytes = [0; 5];
        reader.read_exact(&mut bytes).expect("it was copied");
        assert_eq!(&bytes, HELLO);
    });
    sweep("copy to a file", |world| {
        let (mut writer, mut reader) = small_pipe();
        let (mut from, to) = pipe().expect("files can be opened");
        writer.write_all(HELLO).expect("there is room");
        let copied = world.stage.attempt(|| {
            loop {
                match reader.copy_to_fd(&to, 5) {
                    Ok(n) => break n,
                    Err(error) => Trouble::from(error).judge(world.stage),
                }
            }
        });
        assert_eq!(copied, 5);
        let mut bytes = [0; 5];
        from.read_exact(&mut bytes).expect("it was copied");
        assert_eq!(&bytes, HELLO);
    });
}

fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

#[test]
fn a_long_write() {
    const LONG: usize = 5 * stream::PIPE_BUF;
    sweep("write at length", |world| {
        let (mut writer, mut reader) = small_pipe();
        let got = Shared::new();
        let peer = forked(|| {
            drop(writer.try_clone()); // comes to be a writer of its own, and leaves
            let mut chunk = [0; 1024];
            while got.get(0) < LONG as u64 {
                let n = reader.read(&mut chunk).expect("nothing is disturbed here");
                let at = got.more(0, n as u64) as usize;
                assert!((0..n).all(|k| chunk[k] == pattern(at + k)));
                thread::sleep(SOON / 4);
            }
        });
        let bytes: Vec<u8> = (0..LONG).map(pattern).collect();
        world.stage.attempt(|| {
            let mut at = 0;
            while at < LONG {
                match writer.write(&bytes[at..]) {
                    Ok(n) => at += n,
                    Err(error) => Trouble::from(error).judge(world.stage),
                }
            }
        });
        peer.join();
        assert_eq!(got.get(0), LONG as u64);
    });
}

#[test]
fn waiting_for_readiness() {
    sweep("wait until it is readable", |world| {
        let (mut writer, mut reader) = small_pipe();
        let peer = forked(|| {
            thread::sleep(SOON);
            writer.write_all(HELLO).expect("there is room");
        });
        let bits = world.stage.attempt(|| {
            loop {
                match reader.wait_readable(None) {
                    Ok(bits) => break bits,
                    Err(error) => Trouble::from(error).judge(world.stage),
                }
            }
        });
        assert_eq!(bits, Readiness::IN);
        let mut bytes = [0; 5];
        reader.read_exact(&mut bytes).expect("it was written");
        peer.join();
    });
}
