//! Just enough of PostgreSQL's protocol (version 3) to ask a server whether it is ready and to run a statement of
//! administration as a trusted user over a Unix socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::SUPERUSER;
use crate::error::Error;
use crate::socket::Address;

/// How long to wait for one answer. `CREATE DATABASE` on a slow disk is the slowest thing asked here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message longer than this is not one this module asked for, in bytes.
const LONGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// One row of a result, each value as text; `None` is NULL.
pub(crate) type Row = Vec<Option<String>>;

/// An open session.
pub(crate) struct Session {
    stream: UnixStream,
}

impl Session {
    pub(crate) fn open(address: &Address, database: &str) -> Result<Self, Error> {
        let stream = UnixStream::connect(address.socket()).map_err(|error| broken(&error))?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(|error| broken(&error))?;
        let mut session = Self { stream };
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        for text in [
            "user",
            SUPERUSER,
            "database",
            database,
            "application_name",
            "belay-private-pg",
        ] {
            push_text(&mut body, text);
        }
        body.push(0);
        session.send(None, &body)?;
        session.until_ready(|_| ())?;
        Ok(session)
    }

    /// Runs `sql` and returns the rows of its last result.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<Row>, Error> {
        let mut body = Vec::new();
        push_text(&mut body, sql);
        self.send(Some(b'Q'), &body)?;
        let mut rows = Vec::new();
        self.until_ready(|message| match message.kind {
            b'T' => rows.clear(),
            b'D' => rows.extend(read_row(&message.body)),
            _ => {}
        })?;
        Ok(rows)
    }

    /// Reads up to "ready for query". An error message on the way is the answer, but the session stays usable after it.
    fn until_ready(&mut self, mut each: impl FnMut(&Message)) -> Result<(), Error> {
        let mut refused = None;
        loop {
            let message = match self.receive() {
                Ok(message) => message,
                // A refused start ends the connection without "ready".
                Err(error) => return Err(refused.unwrap_or(error)),
            };
            match message.kind {
                b'Z' => return refused.map_or(Ok(()), Err),
                b'E' => {
                    refused.get_or_insert(read_error(&message.body));
                }
                b'R' if message.body != [0, 0, 0, 0] => {
                    return Err(statement(
                        "28000",
                        "it asks for a password; its pg_hba.conf must trust the local user",
                    ));
                }
                _ => each(&message),
            }
        }
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(body.len() + 4)
            .map_err(|_| statement("54000", "the statement is longer than the protocol allows"))?;
        let mut bytes: Vec<u8> = kind.into_iter().collect();
        bytes.extend(length.to_be_bytes());
        bytes.extend(body);
        self.stream
            .write_all(&bytes)
            .map_err(|error| broken(&error))
    }

    fn receive(&mut self) -> Result<Message, Error> {
        let mut head = [0_u8; 5];
        self.stream
            .read_exact(&mut head)
            .map_err(|error| broken(&error))?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length))
            .ok()
            .and_then(|length| length.checked_sub(4))
            .filter(|length| *length <= LONGEST_MESSAGE)
            .ok_or_else(|| statement("08P01", "it does not speak the PostgreSQL protocol"))?;
        let mut body = vec![0; length];
        self.stream
            .read_exact(&mut body)
            .map_err(|error| broken(&error))?;
        Ok(Message { kind, body })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A polite goodbye keeps "unexpected EOF" out of the server's log.
        let _ = self.send(Some(b'X'), &[]);
    }
}

struct Message {
    kind: u8,
    body: Vec<u8>,
}

fn push_text(body: &mut Vec<u8>, text: &str) {
    // A NUL would end the text early; no name or statement of this crate has one.
    body.extend(text.bytes().filter(|byte| *byte != 0));
    body.push(0);
}

fn read_row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_at_checked(2)?;
    let count = u16::from_be_bytes(count.try_into().ok()?);
    let mut row = Row::new();
    for _ in 0..count {
        let (length, tail) = rest.split_at_checked(4)?;
        let length = i32::from_be_bytes(length.try_into().ok()?);
        rest = tail;
        row.push(match usize::try_from(length) {
            Err(_) => None,
            Ok(length) => {
                let (value, tail) = rest.split_at_checked(length)?;
                rest = tail;
                Some(String::from_utf8_lossy(value).into_owned())
            }
        });
    }
    Some(row)
}

/// Fields are a letter and a text each: `C` the SQLSTATE, `M` the message.
fn read_error(body: &[u8]) -> Error {
    let field = |letter: u8| {
        body.split(|byte| *byte == 0)
            .find_map(|field| field.strip_prefix(&[letter]))
            .map(|text| String::from_utf8_lossy(text).into_owned())
    };
    Error::Statement {
        code: field(b'C').unwrap_or_default(),
        message: field(b'M').unwrap_or_default(),
    }
}

fn statement(code: &str, message: &str) -> Error {
    Error::Statement {
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

fn broken(error: &std::io::Error) -> Error {
    statement("08006", &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_cut_ones_are_not() {
        let body = [
            0, 2, 0, 0, 0, 2, b'h', b'i', 0xff, 0xff, 0xff, 0xff, // "hi", NULL
        ];
        assert_eq!(read_row(&body), Some(vec![Some("hi".to_owned()), None]));
        for length in 0..body.len() {
            assert_eq!(read_row(&body[..length]), None, "{length}");
        }
    }

    #[test]
    fn errors_keep_state_and_message() {
        let body = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
        assert_eq!(
            read_error(body).to_string(),
            "the private PostgreSQL server refused a statement: the database system is starting up (SQLSTATE 57P03)"
        );
    }
}
