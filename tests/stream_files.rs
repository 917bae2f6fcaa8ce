//! Streams that are copied from files and to them: whoever waits for a file keeps nobody else
//! waiting.
#![allow(missing_docs)]

mod common;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{until, watched};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ringpipe::stream::{Fifo, Options, PIPE_BUF, Popen, Reader, Writer, pipe};

const CHUNK: usize = 64 << 10;

/// A pipe of the kernel's, and a FIFO of the kernel's: what can be asked without waiting, and what
/// cannot.
fn both_kinds(folder: &Path) -> [(OwnedFd, OwnedFd); 2] {
    let (from, to) = io::pipe().unwrap();
    let path = folder.join("fifo");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let both = OpenOptions::new().read(true).write(true).open(&path);
    let both = both.unwrap(); // so that neither of the next waits
    let reading = File::open(&path).unwrap();
    let writing = OpenOptions::new().write(true).open(&path).unwrap();
    drop(both);
    [(from.into(), to.into()), (reading.into(), writing.into())]
}

/// The same file, but never waited for.
fn unwaiting(file: &impl AsRawFd) -> File {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut options = OpenOptions::new();
    let options = options.write(true).custom_flags(libc::O_NONBLOCK);
    options.open(path).unwrap()
}

fn has_room(file: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
}

/// Fills it, but for one page.
fn fill(from: &OwnedFd, to: &OwnedFd) {
    let mut filler = unwaiting(to);
    while filler.write(&[0; PIPE_BUF]).is_ok() {}
    let mut from = File::from(from.try_clone().unwrap());
    from.read_exact(&mut [0; PIPE_BUF]).unwrap();
}

/// Copies until the end, or until nobody reads the file.
fn copies(mut reader: Reader, to: impl AsFd + Send + 'static) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let mut copied = 0;
        loop {
            match reader.copy_to_fd(&to, CHUNK) {
                Ok(0) => return copied,
                Ok(n) => copied += n,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                    return copied;
                }
            }
        }
    })
}

#[test]
fn a_full_output_keeps_no_other_reader_waiting() {
    let (place, _watchdog) = watched("a_full_output_keeps_no_other_reader_waiting");
    for (from, to) in both_kinds(place.folder()) {
        let (mut writer, reader) = pipe().unwrap();
        let mut other = reader.try_clone().unwrap();
        fill(&from, &to);
        let full = to.try_clone().unwrap();
        writer.write_all(&[1; CHUNK]).unwrap();
        let copying = copies(reader, to);
        until(|| !has_room(&full));
        let writing = thread::spawn(move || writer.write_all(&[2; 4 * CHUNK]).unwrap());
        let mut bytes = Vec::new();
        other.read_to_end(&mut bytes).unwrap();
        writing.join().unwrap();
        drop((from, full)); // the broken pipe, if anything is left that was not written
        let copied = copying.join().unwrap();
        assert!(copied + bytes.len() + CHUNK >= 5 * CHUNK);
    }
}

/// It was there, and when it is this one's turn to write, another has taken it.
#[test]
fn an_input_that_is_shared_keeps_no_writer_waiting() {
    let (place, _watchdog) = watched("an_input_that_is_shared_keeps_no_writer_waiting");
    for (from, to) in both_kinds(place.folder()) {
        let fifo = Fifo::create(ringpipe::Name::Private).unwrap();
        let (mut writer, mut reader) = fifo.both().unwrap();
        let room = writer.reserve(9).unwrap();
        let copier = fifo.writer().unwrap();
        let (mut to, mut another) = (File::from(to), File::from(from.try_clone().unwrap()));
        to.write_all(b"x").unwrap();
        let copying = copies_from(copier, from);
        until(|| fifo.status().unwrap().unwrap().producer.sleeping == 1);
        another.read_exact(&mut [0]).unwrap();
        drop(room);
        thread::sleep(Duration::from_millis(50)); // for the copier to have its turn
        writer.write_all(b"goes on").unwrap();
        to.write_all(b"; y").unwrap();
        drop((writer, to));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "goes on; y");
        assert_eq!(copying.join().unwrap(), 3);
    }
}

fn copies_from(mut writer: Writer, from: OwnedFd) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let mut copied = 0;
        while let n @ 1.. = writer.copy_from_fd(&from, CHUNK).unwrap() {
            copied += n;
        }
        copied
    })
}

#[test]
fn a_command_that_takes_nothing_keeps_no_reader_waiting() {
    let (_place, _watchdog) = watched("a_command_that_takes_nothing_keeps_no_reader_waiting");
    let fifo = Fifo::create(ringpipe::Name::Private).unwrap();
    let (mut writer, reader) = fifo.both().unwrap();
    let mut other = reader.try_clone().unwrap();
    let mut popen = Popen::feeding(Command::new("sleep").arg("1000"), reader).unwrap();
    // Not all of a chunk fits after it.
    writer.write_all(b"x").unwrap();
    until(|| fifo.available() == 0);
    writer.write_all(&[1; 2 * CHUNK]).unwrap();
    thread::sleep(Duration::from_millis(50)); // for the pump to fill the command's pipe
    drop(writer);
    let mut bytes = Vec::new();
    other.read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() >= CHUNK);
    popen.child().kill().unwrap();
    popen.close().unwrap();
}

#[test]
fn an_end_that_does_not_wait_does_not_wait_for_files() {
    let (place, _watchdog) = watched("an_end_that_does_not_wait_does_not_wait_for_files");
    for (from, to) in both_kinds(place.folder()) {
        let (mut writer, mut reader) = Options::new().capacity(2 * CHUNK).pipe().unwrap();
        writer.set_nonblocking(true);
        reader.set_nonblocking(true);
        let refused = |result: io::Result<usize>| result.unwrap_err().raw_os_error();
        assert_eq!(
            refused(writer.copy_from_fd(&from, 9)),
            Some(libc::EAGAIN),
            "nothing to read"
        );
        while unwaiting(&to).write(&[0; PIPE_BUF]).is_ok() {}
        assert_eq!(writer.write(&[7; 300]).unwrap(), 300);
        assert_eq!(refused(reader.copy_to_fd(&to, 9)), Some(libc::EAGAIN));
        assert_eq!(
            reader.available(),
            300,
            "what the file did not take is there"
        );
        assert_eq!(writer.copy_from_fd(&from, 100).unwrap(), 100);
        let mut kernels = File::from(from);
        kernels.read_exact(&mut [0; PIPE_BUF]).unwrap();
        assert_eq!(reader.copy_to_fd(&to, 300).unwrap(), 300);
    }
}

#[test]
fn a_timeout_ends_the_wait_for_a_file_too() {
    let (place, _watchdog) = watched("a_timeout_ends_the_wait_for_a_file_too");
    for (from, to) in both_kinds(place.folder()) {
        let (mut writer, mut reader) = pipe().unwrap();
        writer.set_write_timeout(Some(Duration::from_millis(1)));
        reader.set_read_timeout(Some(Duration::from_millis(1)));
        let late = |result: io::Result<usize>| result.unwrap_err().kind();
        assert_eq!(late(writer.copy_from_fd(&from, 9)), io::ErrorKind::TimedOut);
        while unwaiting(&to).write(&[0; PIPE_BUF]).is_ok() {}
        assert_eq!(writer.write(&[7; 300]).unwrap(), 300);
        assert_eq!(late(reader.copy_to_fd(&to, 9)), io::ErrorKind::TimedOut);
        assert_eq!(reader.available(), 300);
    }
}

/// A regular file's disk is not waited for as for a peer; so what it has no room for stays in the
/// stream.
#[test]
fn a_file_takes_bytes_and_gives_them() {
    let (place, _watchdog) = watched("a_file_takes_bytes_and_gives_them");
    let path = place.folder().join("file");
    let (mut writer, mut reader) = pipe().unwrap();
    let data: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    writer.write_all(&data).unwrap();
    let file = File::create(&path).unwrap();
    let mut left = data.len();
    while left > 0 {
        left -= reader.copy_to_fd(&file, CHUNK).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == data);
    let file = File::open(&path).unwrap();
    while writer.copy_from_fd(&file, CHUNK).unwrap() > 0 {}
    drop(writer);
    let mut back = Vec::new();
    reader.read_to_end(&mut back).unwrap();
    assert!(back == data);
    std::fs::remove_file(path).unwrap();
}
