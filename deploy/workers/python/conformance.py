"""The worker of the conformance suite (crates/belay/tests/remote_workers): kinds that behave as badly as real ones do."""

import logging
import os
import time

from belay_worker import Cancelled, Fail, Snooze, Worker

logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(name)s %(message)s")
env = os.environ.get
worker = Worker(
    env("BELAY_URL"),
    env("BELAY_KEY"),
    "conformance",
    slots=int(env("CONF_SLOTS", "4")),
    lease_s=int(env("CONF_LEASE_S", "15")),
    drain_s=float(env("CONF_DRAIN_S", "30")),
    events=env("CONF_EVENTS", "1") == "1",
)


@worker.kind("conf.echo")
def echo(job):
    told = f"attempt {job.attempt} under fence {job.fence}"
    logging.info(told)
    job.log(told)


@worker.kind("conf.fail", max_attempts=3)
def fail(job):
    raise Fail(job.payload["error"], retry=job.payload.get("retry", True), delay_s=job.payload.get("delay_s"))


@worker.kind("conf.wait")
def wait(job):
    """Until it is told to stop."""
    job.progress(1, 2, "waiting")
    job.cancelled.wait()
    told = f"told to stop: {job.why} {job.reason or ''}"
    logging.info(told)
    job.log(told)
    raise Cancelled


@worker.kind("conf.stubborn", can_suspend=True)
def stubborn(job):
    """Does not care what it is told."""
    job.progress(1, 2, "not listening")
    time.sleep(job.payload["seconds"])


@worker.kind("conf.snooze")
def snooze(job):
    """Comes back once."""
    if job.fence == 1:
        raise Snooze(job.payload["delay_s"])


@worker.kind("conf.panic")
def panic(job):
    raise ZeroDivisionError("something nobody thought of")


@worker.kind("conf.output")
def output(job):
    """More than anybody keeps, and what is no text."""
    for n in range(4000):
        job.log(f"{n:06} " + "x" * 60)
    job.output(stdout=b"bytes \xff\xfe|", stderr="nul \0, half a pair \ud800|")
    job.log("the end")


@worker.kind("conf.suspend", can_suspend=True)
def count(job):
    """Counts while it may."""
    n = 0
    while True:
        job.progress(n := n + 1)
        job.sleep(0.02)


worker.run()
