"""The worker of the contract suite over all executors: kinds that do what `subject.rs` says."""

import os
import time

from belay_worker import Fail, Worker

worker = Worker(
    os.environ["BELAY_URL"],
    os.environ["BELAY_KEY"],
    os.environ["NODE_NAME"],
    slots=int(os.environ["NODE_SLOTS"]),
    lease_s=int(os.environ["NODE_LEASE_S"]),
    drain_s=float(os.environ["NODE_DRAIN_S"]),
)


@worker.kind("succeeds", max_attempts=2)
def succeeds(job):
    pass


@worker.kind("fails", max_attempts=2)
def fails(job):
    raise Fail("no luck", delay_s=0)


@worker.kind("waits", max_attempts=2, can_suspend=True)
def waits(job):
    job.log("begun")
    while True:
        job.sleep(3600)


@worker.kind("deaf", max_attempts=2)
def deaf(job):
    job.log("begun")
    while True:
        time.sleep(3600)


@worker.kind("floods", max_attempts=2)
def floods(job):
    job.output("x" * 1_000_000)
    job.output("the end")


@worker.kind("garbles", max_attempts=2)
def garbles(job):
    job.output(b"a\xff\0b")


worker.run()
