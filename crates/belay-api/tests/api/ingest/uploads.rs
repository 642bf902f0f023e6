//! Files on their way in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use belay_testkit::eventually;
use serde_json::Value;

use super::{JOBS, fault};
use crate::support::{Reply, World, exchange};

const PATIENCE: Duration = Duration::from_secs(30);

fn head(world: &World, id: &str, more: &str) -> Vec<u8> {
    format!(
        "PUT {JOBS}/{id}/batches HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: text/csv\r\n{more}\r\n\r\n",
        world.admin
    )
    .into_bytes()
}

fn chunked(world: &World, id: &str, pieces: usize, piece: &[u8]) -> Vec<u8> {
    let mut bytes = head(world, id, "Transfer-Encoding: chunked");
    for _ in 0..pieces {
        bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn send(world: &World, bytes: &[u8]) -> Reply {
    exchange(world.address(), bytes)
}

/// What is kept of the files of the only job, in order.
fn kept(world: &World) -> Vec<Vec<u8>> {
    use diesel::prelude::*;
    use diesel::sql_types::{Binary, SmallInt};
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SmallInt)]
        ordinal: i16,
        #[diesel(sql_type = Binary)]
        content: Vec<u8>,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "select f.ordinal, u.content from belay.job_file f join belay.job_upload u on u.job = f.job and u.file = f.file order by f.ordinal, u.chunk",
    )
    .load(&mut world.test_db.conn())
    .unwrap();
    let mut files: Vec<Vec<u8>> = Vec::new();
    for row in rows {
        let place = usize::try_from(row.ordinal).unwrap();
        files.resize(place.max(files.len()), Vec::new());
        files[place - 1].extend(row.content);
    }
    files
}

#[test]
fn what_arrives_is_kept_as_it_is() {
    let world = World::new();
    let id = world.ingest();
    let large: Vec<u8> = (0..3_500_000_u32).map(|n| (n % 251) as u8).collect();
    assert_eq!(world.upload(&id, &large).status, 202);
    assert_eq!(world.upload(&id, b"small").status, 202);
    assert_eq!(send(&world, &chunked(&world, &id, 3, b"abc")).status, 202);
    let files = kept(&world);
    assert_eq!(files.len(), 3);
    assert!(files[0] == large, "the first file differs");
    assert_eq!(
        (files[1].as_slice(), files[2].as_slice()),
        (&b"small"[..], &b"abcabcabc"[..])
    );
    let biggest = world.number("select max(length(content))::bigint as n from belay.job_upload");
    // A mebibyte, and whatever the last piece from the network was, which is longer on a busy machine.
    assert!(biggest < 2_097_152, "a chunk of {biggest} bytes");
    assert_eq!(
        world.number("select max(bytes) as n from belay.job_file"),
        3_500_000
    );
    assert_eq!(world.stored().2, 0, "no upload is under way");
}

#[test]
fn a_file_that_is_too_large_leaves_nothing() {
    let world = World::with(|builder| builder.ingest_file_limit(3_000_000));
    let id = world.ingest();
    let piece = vec![b'x'; 500_000];
    assert_eq!(
        send(&world, &chunked(&world, &id, 6, &piece)).status,
        202,
        "exactly the limit"
    );
    let before = world.stored();
    for pieces in [7, 20] {
        let reply = send(&world, &chunked(&world, &id, pieces, &piece));
        fault(&reply, 413, "PAYLOAD_TOO_LARGE");
        assert_eq!(world.stored(), before);
    }
    let mut one_more = chunked(&world, &id, 6, &piece);
    one_more.truncate(one_more.len() - 5);
    one_more.extend(b"1\r\nx\r\n0\r\n\r\n");
    fault(&send(&world, &one_more), 413, "PAYLOAD_TOO_LARGE");
    let announced = head(&world, &id, "Content-Length: 3000001");
    fault(&send(&world, &announced), 413, "PAYLOAD_TOO_LARGE");
    assert_eq!(world.stored(), before);
    assert_eq!(world.word(&id), "Open");
}

#[test]
fn the_limit_is_a_hundred_and_fifty_million_bytes_unless_set() {
    let world = World::new();
    let id = world.ingest();
    let reply = send(&world, &head(&world, &id, "Content-Length: 150000001"));
    let body = fault(&reply, 413, "PAYLOAD_TOO_LARGE");
    assert!(
        body["message"].as_str().unwrap().contains("150000000"),
        "{body}"
    );
}

#[test]
fn a_file_of_that_size_is_kept_and_one_byte_more_is_not() {
    let world = World::new();
    let id = world.ingest();
    let piece = vec![b'x'; 1_000_000];
    for (more, expected) in [("0\r\n\r\n", "202"), ("1\r\nx\r\n0\r\n\r\n", "413")] {
        let mut stream = TcpStream::connect(world.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(&head(&world, &id, "Transfer-Encoding: chunked"))
            .unwrap();
        for _ in 0..150 {
            stream.write_all(b"f4240\r\n").unwrap();
            stream.write_all(&piece).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.write_all(more.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.get(9..12), Some(expected), "{answer}");
        let kept = world.number("select sum(length(content))::bigint as n from belay.job_upload");
        assert_eq!((kept, world.stored().1), (150_000_000, 1));
    }
}

#[test]
fn a_chunked_body_without_content_is_empty() {
    let world = World::new();
    let id = world.ingest();
    fault(
        &send(&world, &chunked(&world, &id, 0, b"")),
        400,
        "BAD_REQUEST",
    );
    assert_eq!(world.stored(), (0, 0, 0));
}

#[test]
fn a_job_has_a_hundred_files_and_not_one_more() {
    let world = World::new();
    let id = world.ingest();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10)
            .map(|_| {
                scope.spawn(|| {
                    (0..11)
                        .map(|_| world.upload(&id, b"x").status)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let count = |status| statuses.iter().filter(|s| **s == status).count();
    assert_eq!((count(202), count(409)), (100, 10), "{statuses:?}");
    assert_eq!(world.stored(), (100, 100, 0));
    let body = fault(&world.upload(&id, b"x"), 409, "CONFLICT");
    assert!(
        body["message"].as_str().unwrap().contains("100 files"),
        "{body}"
    );
    assert_eq!(
        world.number("select sum(ordinal)::bigint as n from belay.job_file"),
        5050
    );
}

/// Begins an upload that does not end: two chunks and a bit arrive.
fn stalled(world: &World, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(&head(world, id, "Content-Length: 9000000"))
        .unwrap();
    stream.write_all(&vec![b'x'; 2_800_000]).unwrap();
    stream
}

#[test]
fn slow_uploads_hold_up_nobody_and_an_abort_cuts_them_off() {
    let world = World::new();
    let id = world.ingest();
    let other = world.ingest();
    // Many more than there are connections to the database.
    let mut streams: Vec<TcpStream> = (0..20).map(|_| stalled(&world, &id)).collect();
    eventually(PATIENCE, || (world.stored() == (40, 0, 20)).then_some(()));
    assert_eq!(world.upload(&other, b"id\n1\n").status, 202);
    assert_eq!(world.wish(&id, "Aborted").json()["state"], "Aborted");
    assert_eq!(world.stored(), (1, 1, 0), "only the other job's file");
    for stream in &mut streams {
        // Nothing that comes now is kept, and whoever sends it is told so.
        let _ = stream.write_all(&vec![b'x'; 6_200_000]);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(
            answer.starts_with(b"HTTP/1.1 409"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        assert_eq!(world.stored(), (1, 1, 0));
    }
}

#[test]
fn a_close_cuts_off_uploads_under_way() {
    let world = World::new();
    let id = world.ingest();
    assert_eq!(world.upload(&id, b"id\n1\n").status, 202);
    let mut stream = stalled(&world, &id);
    eventually(PATIENCE, || (world.stored() == (3, 1, 1)).then_some(()));
    assert_eq!(world.wish(&id, "UploadComplete").status, 200);
    assert_eq!(world.stored(), (1, 1, 0));
    let _ = stream.write_all(&vec![b'x'; 6_200_000]);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(
        answer.starts_with(b"HTTP/1.1 409"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(world.stored(), (1, 1, 0));
}

#[test]
fn a_client_that_leaves_leaves_nothing_behind() {
    let world = World::new();
    let id = world.ingest();
    let stream = stalled(&world, &id);
    eventually(PATIENCE, || (world.stored() == (2, 0, 1)).then_some(()));
    drop(stream);
    eventually(PATIENCE, || (world.stored() == (0, 0, 0)).then_some(()));
    assert_eq!(world.word(&id), "Open");
    assert_eq!(world.upload(&id, b"id\n1\n").status, 202);
}

#[test]
fn a_closed_job_is_refused_before_the_file_is_read() {
    let world = World::new();
    let id = world.ingest();
    world.wish(&id, "UploadComplete");
    // The body never comes, so an answer shows that nobody waited for it.
    let mut stream = TcpStream::connect(world.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(&head(&world, &id, "Content-Length: 1000"))
        .unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 409");
    assert_eq!(
        world
            .send("DELETE", &format!("{JOBS}/{id}"), &Value::Null)
            .status,
        204
    );
}
