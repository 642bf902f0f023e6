//! What the executor and its guard say to each other over one Unix socket.
//!
//! To the guard: first one [`Program`] together with four descriptors, then [`Order`](super::order::Order)s. From the guard: [`Report`]s, a line of JSON each. The end of the stream tells either side that the other is gone.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::{Deserialize, Serialize};

use super::confinement::Confinement;

/// Raised with every change of this file: the guard may be a program installed on its own.
const VERSION: u8 = 3;
/// Version and length come before the body.
const HEAD: usize = 5;
/// Far above what Linux accepts as arguments and environment together.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// What the guard is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) argv: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) cwd: PathBuf,
    pub(super) confinement: Confinement,
}

/// The program's ends of its pipes. Progress comes first, so that it arrives in the guard under the number
/// at which the program expects it.
#[derive(Debug)]
pub(super) struct ProgramFds<T> {
    pub(super) progress: T,
    pub(super) stdin: T,
    pub(super) stdout: T,
    pub(super) stderr: T,
}

/// How far a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Force {
    Term,
    Kill,
}

/// A line from the guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// The program runs under this process id, which is also its process group and session.
    Started(i32),
    /// The program could not be started; the last line.
    CannotStart(CannotStart),
    /// These processes did not end although they were killed; repeated every few seconds.
    Stuck(Vec<i32>),
    /// Nothing is left; the last line.
    Ended(Ended),
}

/// Why the program could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CannotStart {
    /// It was the working directory rather than the program.
    pub(super) in_directory: bool,
    /// The system's error number, if it was the system that refused.
    pub(super) errno: Option<i32>,
    /// The system's words.
    pub(super) message: String,
}

/// How the program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    /// Exit code, when it ended by itself.
    pub(super) code: Option<i32>,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
    /// The strongest order that met something alive; `None` when the program had ended before any order.
    pub(super) rung: Option<Force>,
    /// How many processes the guard collected that had died of its KILL.
    pub(super) killed: u32,
}

impl Report {
    /// The report as a line with its newline.
    pub(super) fn to_line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads a line (with or without its newline).
    pub(super) fn from_line(line: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_slice(line)?)
    }
}

impl Program {
    /// The message for the guard.
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        let mut body = Vec::with_capacity(4096);
        put_number(&mut body, self.argv.len())?;
        for word in &self.argv {
            put_text(&mut body, word)?;
        }
        put_number(&mut body, self.env.len())?;
        for (name, value) in &self.env {
            put_text(&mut body, name)?;
            put_text(&mut body, value)?;
        }
        put_text(&mut body, self.cwd.as_os_str())?;
        let confinement = serde_json::to_string(&self.confinement)?;
        put_text(&mut body, confinement.as_ref())?;

        let mut message = Vec::with_capacity(HEAD + body.len());
        message.push(VERSION);
        put_number(&mut message, body.len())?;
        message.extend(body);
        Ok(message)
    }

    fn decode(body: &[u8]) -> io::Result<Self> {
        let rest = &mut &*body;
        let argv = (0..take_number(rest)?)
            .map(|_| take_text(rest))
            .collect::<io::Result<_>>()?;
        let env = (0..take_number(rest)?)
            .map(|_| Ok((take_text(rest)?, take_text(rest)?)))
            .collect::<io::Result<_>>()?;
        let cwd = take_text(rest)?.into();
        let confinement = serde_json::from_slice(take_text(rest)?.as_bytes())?;
        Ok(Self {
            argv,
            env,
            cwd,
            confinement,
        })
    }
}

fn put_number(into: &mut Vec<u8>, number: usize) -> io::Result<()> {
    let number = u32::try_from(number).map_err(|_| bad("the command is too long"))?;
    into.extend(number.to_le_bytes());
    Ok(())
}

fn put_text(into: &mut Vec<u8>, text: &OsStr) -> io::Result<()> {
    put_number(into, text.len())?;
    into.extend(text.as_bytes());
    Ok(())
}

fn take_number(from: &mut &[u8]) -> io::Result<usize> {
    let (number, rest) = from
        .split_first_chunk::<4>()
        .ok_or_else(|| bad("the message is cut short"))?;
    *from = rest;
    usize::try_from(u32::from_le_bytes(*number)).map_err(|_| bad("a length is out of range"))
}

fn take_text(from: &mut &[u8]) -> io::Result<OsString> {
    let length = take_number(from)?;
    let (text, rest) = from
        .split_at_checked(length)
        .ok_or_else(|| bad("the message is cut short"))?;
    *from = rest;
    Ok(OsString::from_vec(text.to_vec()))
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Sends the beginning of `message` with the descriptors, and returns how many bytes went out. Never
/// blocks: the socket is new, and what does not fit is left to the caller.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &[u8],
    fds: &ProgramFds<BorrowedFd<'_>>,
) -> io::Result<usize> {
    let fds = [fds.progress, fds.stdin, fds.stdout, fds.stderr];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(bad("no room for the descriptors"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut ancillary, flags)?;
    Ok(sent)
}

/// Reads one program and its descriptors, or `None` when the sender is gone. Blocks.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(Program, ProgramFds<OwnedFd>)>> {
    let mut head = [0; HEAD];
    let Some((length, fds)) = receive_first(socket, &mut head)? else {
        return Ok(None);
    };
    if !read_exact(socket, head.get_mut(length..).unwrap_or_default())? {
        return Ok(None);
    }
    let [version, length @ ..] = head;
    if version != VERSION {
        return Err(bad(
            "the guard and the daemon are of different versions: install both from one release",
        ));
    }
    let length = take_number(&mut length.as_slice())?;
    if length > MAX_BODY {
        return Err(bad("the message is too long"));
    }
    let mut body = vec![0; length];
    if !read_exact(socket, &mut body)? {
        return Ok(None);
    }
    Ok(Some((Program::decode(&body)?, fds)))
}

fn receive_first(
    socket: BorrowedFd<'_>,
    head: &mut [u8],
) -> io::Result<Option<(usize, ProgramFds<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let length = rustix::io::retry_on_intr(|| {
        let mut into = [IoSliceMut::new(head)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        rustix::net::recvmsg(socket, &mut into, &mut ancillary, flags)
    })?
    .bytes;
    if length == 0 {
        return Ok(None);
    }
    let mut fds = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let mut fds = fds.by_ref().flatten();
    let mut next = || {
        fds.next()
            .ok_or_else(|| bad("descriptors are missing from the message"))
    };
    let fds = ProgramFds {
        progress: next()?,
        stdin: next()?,
        stdout: next()?,
        stderr: next()?,
    };
    Ok(Some((length, fds)))
}

/// Fills `into`; `false` at an early end of the stream.
fn read_exact(socket: BorrowedFd<'_>, mut into: &mut [u8]) -> io::Result<bool> {
    while !into.is_empty() {
        let read = rustix::io::retry_on_intr(|| rustix::io::read(socket, &mut *into))?;
        if read == 0 {
            return Ok(false);
        }
        into = into.get_mut(read..).unwrap_or_default();
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn program(padding: usize) -> Program {
        Program {
            argv: vec!["prog".into(), OsString::from_vec(vec![0xff, b'a'])],
            env: vec![("A".into(), "x".repeat(padding).into())],
            confinement: Confinement {
                umask: Some(0o27),
                limits: super::super::limits::Limits {
                    cpu_s: Some(u64::MAX),
                    ..Default::default()
                },
                account: Some((1, 2, vec![2, 3])),
                no_new_privileges: true,
            },
            cwd: "/tmp".into(),
        }
    }

    #[test]
    fn a_program_and_its_descriptors_arrive() {
        for padding in [0, 1_000_000] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let (reader, writer) = io::pipe().unwrap();
            let message = program(padding).encode().unwrap();
            let fds = ProgramFds {
                progress: writer.as_fd(),
                stdin: reader.as_fd(),
                stdout: writer.as_fd(),
                stderr: writer.as_fd(),
            };
            let sent = send(ours.as_fd(), &message, &fds).unwrap();
            let receiver = std::thread::spawn(move || receive(theirs.as_fd()).unwrap().unwrap());
            (&ours).write_all(&message[sent..]).unwrap();
            let (received, fds) = receiver.join().unwrap();
            assert_eq!(received, program(padding));

            std::fs::File::from(fds.progress).write_all(b"x").unwrap();
            let mut byte = [0];
            std::fs::File::from(fds.stdin)
                .read_exact(&mut byte)
                .unwrap();
            assert_eq!(byte, *b"x");
        }
    }

    #[test]
    fn a_sender_that_is_gone_is_no_error() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(ours);
        assert!(receive(theirs.as_fd()).unwrap().is_none());
    }

    #[test]
    fn a_message_without_descriptors_is_refused() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(&program(0).encode().unwrap()).unwrap();
        assert!(receive(theirs.as_fd()).is_err());
    }

    #[test]
    fn a_cut_body_is_refused() {
        let message = program(0).encode().unwrap();
        for end in HEAD..message.len() {
            assert!(Program::decode(&message[HEAD..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn reports_are_readable_lines() {
        let ended = Report::Ended(Ended {
            code: None,
            signal: Some(15),
            rung: Some(Force::Term),
            killed: 2,
        });
        for (report, line) in [
            (Report::Started(12), r#"{"started":12}"#),
            (Report::Stuck(vec![3, 4]), r#"{"stuck":[3,4]}"#),
            (
                ended,
                r#"{"ended":{"code":null,"signal":15,"rung":"term","killed":2}}"#,
            ),
        ] {
            assert_eq!(report.to_line().unwrap(), format!("{line}\n").into_bytes());
            assert_eq!(Report::from_line(line.as_bytes()).unwrap(), report);
        }
    }
}
