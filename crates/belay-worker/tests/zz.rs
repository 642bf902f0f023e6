mod support;
use std::time::Instant;
use belay_core::JobState;
use belay_core::ops::NewJob;
use support::*;
#[test]
fn timing() {
    let t = Instant::now();
    let bench = Bench::new();
    eprintln!("bench {:?}", t.elapsed());
    let worker = bench.worker();
    eprintln!("worker {:?}", t.elapsed());
    for _ in 0..5 {
    let noop = bench.enqueue(&NewJob::new("noop"));
    eprintln!("enq {:?}", t.elapsed());
    bench.until(noop, JobState::Completed);
    eprintln!("done {:?}", t.elapsed());
    }
    end(&worker);
    eprintln!("end {:?}", t.elapsed());
    drop(bench);
    eprintln!("dropped {:?}", t.elapsed());
}
