"""A worker for Belay in one file, with Python's standard library alone (3.9 or newer). Copy it into your program.

    worker = Worker("http://127.0.0.1:7117", key, "mailer-1", slots=8)

    @worker.kind("mail", timeout_s=600)
    def mail(job):
        for n, address in enumerate(job.payload["to"]):
            job.check()                              # stops here when the job was cancelled
            send(address)
            job.progress(n + 1, len(job.payload["to"]))

    worker.run()                                     # until SIGTERM, SIGINT or worker.stop()

A handler runs in a thread of its own. When it returns, its job is completed. It raises Snooze to be run again later, Fail to fail with
or without another attempt, and Cancelled (job.check() and job.sleep() do) once it has stopped because it was told to. Anything else that
it raises fails the attempt. A thread cannot be stopped from outside: a handler that never looks at its job goes on to its end.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import random
import select
import signal
import socket
import threading
import time
import traceback
from collections import deque
from urllib.parse import urlsplit

log = logging.getLogger("belay.worker")
BASE = "/belay/v1/worker"
OUTPUT = 32 * 1024  # characters of each stream that are kept, the last ones
BODY = 512 * 1024  # bytes of reports or output in one request
LONG_POLL = 20  # seconds a claim waits for work
GRACE = 10  # seconds that what was told to stop at the end has for it


class Cancelled(Exception):
    """The handler has stopped because it was told to."""


class Snooze(Exception):
    """Run the job again after so many seconds, without using up an attempt."""

    def __init__(self, delay_s: float):
        super().__init__(f"again in {delay_s} s")
        self.delay_s = delay_s


class Fail(Exception):
    """The attempt failed. Another one is made unless `retry` is false; after `delay_s`, else after the backoff of the kind."""

    def __init__(self, error="failed", retry=True, delay_s=None):
        super().__init__(error)
        self.retry, self.delay_s = retry, delay_s


def clock() -> float:
    """Seconds that nobody sets back, and that also pass while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def text(value) -> str:
    """Anything as text that can be kept: what is not Unicode, and NUL, becomes U+FFFD. A request with such text is refused whole."""
    if isinstance(value, (bytes, bytearray)):
        found = value.decode("utf-8", "replace")
    else:
        found = str(value).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return found.replace("\0", "\ufffd")


class Job:
    """One attempt. `cancelled` is an Event; `why` then says "cancel", "timeout", "lost" or "drain", and `reason` what people said."""

    def __init__(self, given: dict):
        self.given = given
        self.id, self.uid, self.kind, self.payload = given["id"], given["uid"], given["kind"], given["payload"]
        self.fence, self.attempt, self.max_attempts = given["fence"], given["attempt"], given["max_attempts"]
        limits = [s for s in (given.get("timeout_s"), given.get("left_s")) if s is not None]
        self.deadline = clock() + min(limits) if limits else None
        self.cancelled = threading.Event()
        self.why = self.reason = None
        self._going = threading.Event()  # not set while it is suspended
        self._going.set()
        self._told_at = 0.0
        self._lost = False
        self._mutex = threading.Lock()
        self._progress, self._out, self._version, self._shown = None, {}, 0, 0

    @property
    def key(self):
        return self.id, self.fence

    def check(self):
        """Waits while the job is suspended; raises Cancelled when it is to stop. Call it often."""
        self.wait_if_suspended()
        if self.cancelled.is_set():
            raise Cancelled(self.why)

    def wait_if_suspended(self):
        self._going.wait()

    def sleep(self, seconds: float):
        """time.sleep that a cancel ends, by raising Cancelled."""
        self.cancelled.wait(seconds)
        self.check()

    def progress(self, done: int, total: int | None = None, message: str | None = None):
        with self._mutex:
            self._progress = {"done": int(done), "total": None if total is None else int(total), "message": message and text(message)}
            self._version += 1

    def log(self, line):
        """Adds a line to the output that people can read while the job runs."""
        self.output(stdout=text(line) + "\n")

    def output(self, stdout: str | bytes = "", stderr: str | bytes = ""):
        """Adds to the output. The end of each stream is kept."""
        with self._mutex:
            for name, more in (("stdout", stdout), ("stderr", stderr)):
                if more:
                    self._out[name] = (self._out.get(name, "") + text(more))[-OUTPUT:]
            self._version += 1

    def _stop(self, why: str, reason: str | None = None):
        if not self.cancelled.is_set():
            self.why, self.reason = why, reason
            self.cancelled.set()
        self._going.set()

    def _hold(self, still: bool):
        self._told_at = clock()
        if still and not self.cancelled.is_set():
            self._going.clear()
        else:
            self._going.set()

    def _entry(self, seen: int) -> dict:
        """What a beat says of it; with what it shows when that is newer than what was seen."""
        entry = {"id": self.id, "fence": self.fence}
        if self._version > seen:
            if self._progress:
                entry["progress"] = self._progress
            if self._out:
                entry["output"] = dict(self._out)
        return entry


class Lost(Exception):
    """The registration is over."""


class Line:
    """One connection that is kept open. Answers (status, JSON); status 0 when it is not known what became of the request."""

    def __init__(self, worker: Worker):
        self.url, self.key, self.conn = urlsplit(worker.url), worker.key, None

    def open(self, timeout: float):
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        if self.conn and self.conn.sock and select.select([self.conn.sock], [], [], 0)[0]:
            self.conn.close()  # the other side has closed it, or it is in disorder
        if not self.conn:
            self.conn = kind(self.url.hostname, self.url.port)
        self.conn.timeout = timeout
        if self.conn.sock:
            self.conn.sock.settimeout(timeout)
        return self.conn

    def send(self, method: str, path: str, body: dict | None = None, timeout: float = 15):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        try:
            conn = self.open(timeout)
            conn.request(method, self.url.path.rstrip("/") + BASE + path, data, headers)
            answer = conn.getresponse()
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.warning("%s %s: %s", method, path, error or type(error).__name__)
            if self.conn:
                self.conn.close()
            return 0, {}

    def hang_up(self):
        """Ends a request that another thread waits for."""
        try:
            self.conn.sock.shutdown(socket.SHUT_RDWR)
        except (AttributeError, OSError):
            pass


class Worker:
    """Runs jobs of the kinds that were given handlers, at most `slots` at once. `drain_s`: how long running jobs may go on when it is
    asked to stop; the second time they are told to stop at once. Without `events` it hears of cancels with its beats alone."""

    def __init__(self, url, key, name=None, *, slots=8, queues=None, lease_s=15, drain_s=30, events=True):
        self.url, self.key, self.name = url, key, name or socket.gethostname()
        self.slots, self.queues, self.lease_s, self.drain_s, self.events = slots, queues, lease_s, drain_s, events
        self.kinds, self.handlers = [], {}
        self.changed = threading.Condition()
        self.running = 0  # handlers, also those of registrations that are over
        self.stopping = False

    def kind(self, name: str, **defaults):
        """Decorator: this function runs jobs of that kind. The defaults (max_attempts, timeout_s, can_suspend, ..) count when the kind is new."""

        def add(handler):
            self.kinds.append({"name": name, **defaults})
            self.handlers[name] = handler
            return handler

        return add

    def stop(self):
        """Drains: claims nothing more, lets what runs end, then gives back the rest. Again: does not wait."""
        with self.changed:
            self.drain_s = 0 if self.stopping else self.drain_s
            self.stopping = True
            self.changed.notify_all()

    def run(self):
        """Works until it is stopped. Raises RuntimeError when the server refuses it."""
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGTERM, signal.SIGINT):  # in a thread, because this one may hold the lock
                signal.signal(name, lambda *_: threading.Thread(target=self.stop).start())
        while registered := self._register():
            Session(self, *registered).work()

    def _register(self):
        line, tries = Line(self), 0
        body = {"name": self.name, "kinds": self.kinds, "slots": self.slots, "lease_s": self.lease_s, "host": socket.gethostname(), "pid": os.getpid()}
        if self.queues is not None:
            body["queues"] = self.queues
        while not self.stopping:
            sent = clock()
            status, answer = line.send("POST", "/register", body)
            if status == 201:
                log.info("registered as worker %s", answer["worker"])
                return answer, sent
            if 400 <= status < 500 and status != 429:
                raise RuntimeError(f"cannot register: {status} {answer.get('detail') or answer}")
            tries += 1
            with self.changed:
                self.changed.wait_for(lambda: self.stopping, backoff(tries))
        return None


def backoff(tries: int) -> float:
    return min(5.0, 0.1 * 2 ** min(tries, 10)) * random.uniform(0.5, 1)


class Session:
    """One registration, until its lease is over or the worker ends."""

    def __init__(self, worker: Worker, answer: dict, sent: float):
        self.worker, self.changed = worker, worker.changed
        self.path, self.beat_s = f"/{answer['worker']}", answer["beat_s"]
        self.lease_s, self.lease_until = answer["lease_s"], sent + answer["lease_s"]
        self.held = {}  # (id, fence): Job, until its report was taken
        self.early = {}  # wishes about jobs whose claim has not been answered yet
        self.reports, self.parked = deque(), []
        self.over = self.idle_wanted = self.check = self.beat_now = self.claims_ended = False
        self.claim_line, self.beat_line, self.report_line = Line(worker), Line(worker), Line(worker)

    def work(self):
        loops = [self.claims, self.beats, self.finishes, self.watch] + ([self.listen] if self.worker.events else [])
        for loop in loops:
            threading.Thread(target=self.keep, args=(loop,), name=loop.__name__, daemon=True).start()
        with self.changed:
            self.changed.wait_for(lambda: self.over or self.worker.stopping)
        if not self.over:
            self.drain()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def keep(self, loop):
        tries = 0
        while not self.over:
            try:
                return loop()
            except Lost:
                return self.lose()
            except Exception:  # a defect must not leave a worker that beats but does nothing else
                log.exception("a defect in %s", loop.__name__)
                self.pause(backoff(tries := tries + 1))

    def pause(self, seconds: float):
        with self.changed:
            self.changed.wait_for(lambda: self.over, seconds)

    def post(self, line: Line, verb: str, body: dict, timeout: float = 15):
        status, answer = line.send("POST", f"{self.path}/{verb}", body, timeout)
        if status == 404 or status == 409 and answer.get("outcome") == "worker_lost":
            raise Lost
        if status >= 400 and "results" not in answer:
            log.warning("%s: %s %s", verb, status, answer.get("detail"))
        return status, answer

    def lose(self):
        with self.changed:
            if not self.over:
                log.warning("the lease of worker %s is over", self.path[1:])
            self.over = True
            for job in self.held.values():
                job._lost = True
                job._stop("lost")
            self.changed.notify_all()

    def fenced_in(self) -> float:
        """Seconds until jobs must not go on, because others may have them: one beat before the lease is over."""
        return self.lease_until - self.beat_s - clock()

    def free(self) -> int:
        may = not (self.idle_wanted or self.check or self.worker.stopping) and self.fenced_in() > 0 and len(self.reports) < 1000
        return min(self.worker.slots - self.worker.running, 1000) if may else 0

    def claims(self):
        tries = 0
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.over or self.worker.stopping or self.free() > 0)
                if self.over or self.worker.stopping:
                    self.claims_ended = True
                    return self.changed.notify_all()
                slots = self.free()
            status, answer = self.post(self.claim_line, "claim", {"slots": slots, "wait_s": LONG_POLL}, LONG_POLL + 10)
            if status == 200:
                tries = 0
                self.start([Job(given) for given in answer["jobs"]])
                continue
            if not self.worker.stopping:
                self.pause(backoff(tries := tries + 1))
            if status != 429:  # What the server gave is not known. A beat settles that, and no claim is made before it.
                with self.changed:
                    self.check = self.beat_now = True
                    self.changed.notify_all()

    def start(self, jobs: list):
        with self.changed:
            # When it stops, or the answer was read late, perhaps by a process that was frozen: nothing begins.
            begins = not self.over and not self.worker.stopping and self.fenced_in() > 0
            for job in jobs:
                self.held[job.key] = job
                if early := self.early.pop(job.key, None):
                    early(job)
            self.worker.running += len(jobs)
            self.changed.notify_all()  # their time runs
        for job in jobs:
            try:
                if not begins:
                    raise RuntimeError
                threading.Thread(target=self.perform, args=(job,), name=f"job {job.id}", daemon=True).start()
            except RuntimeError:  # also when there cannot be another thread
                self.ended(job, {"outcome": "cancelled"})

    def perform(self, job: Job):
        self.ended(job, self.attempt(job))

    def ended(self, job: Job, result: dict):
        with self.changed, job._mutex:
            result.update({"id": job.id, "fence": job.fence}, **({"output": dict(job._out)} if job._out else {}))
            self.worker.running -= 1
            if not job._lost:
                self.reports.append(result)
            self.changed.notify_all()

    def attempt(self, job: Job) -> dict:
        try:
            self.worker.handlers[job.kind](job)
            return {"outcome": "completed"}
        except Snooze as snooze:
            return {"outcome": "snoozed", "delay_s": snooze.delay_s}
        except Cancelled:
            return self.failed(job, "stopped when its time was over") if job.why == "timeout" else {"outcome": "cancelled"}
        except Fail as fail:
            delay = {} if fail.delay_s is None else {"delay_s": fail.delay_s}
            return {**self.failed(job, fail), "retry": fail.retry, **delay}
        except BaseException as error:
            job.output(stderr=traceback.format_exc())
            return self.failed(job, f"{type(error).__name__}: {error}")

    def failed(self, job: Job, error) -> dict:
        return {"outcome": "failed", "error": text(error), "timed_out": job.why == "timeout"}

    def beats(self):
        due, bare = clock(), False
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.over or self.beat_now, max(0, due - clock()))
                if self.over:
                    return
                self.beat_now, check = False, self.check or self.claims_ended
                body = {"jobs": [], "draining": self.worker.stopping, "check": check}
                shown, size = [], 0
                for job in self.held.values():
                    with job._mutex:
                        full = size < BODY and not bare
                        entry = job._entry(job._shown if full else job._version)
                        shown.append((job, job._version if full else job._shown))
                    size += len(json.dumps(entry))
                    body["jobs"].append(entry)
            sent = clock()
            status, answer = self.post(self.beat_line, "beat", body, max(1, self.lease_s / 3))
            due = sent + self.beat_s
            if status == 200:
                for job, version in shown:
                    job._shown = version
                self.obey(answer, sent, check)
            else:
                due = clock() + min(1, self.beat_s)
            bare = status in (400, 413, 422)  # what it showed cannot be taken, and the lease does not wait for that

    def obey(self, answer: dict, sent: float, checked: bool):
        with self.changed:
            self.lease_s, self.lease_until = answer["lease_s"], sent + answer["lease_s"]
            self.idle_wanted = answer["drain"]
            if checked:
                self.check = False
            held = {(it["id"], it["fence"]) for it in answer["suspend"]}
            for key, job in self.held.items():
                if job._told_at < sent:  # what an event said after the question is newer
                    job._hold(key in held)
            for name in ("cancel", "lost"):
                for it in answer[name]:
                    self.wish(name, it)
            self.unpark()

    def wish(self, name: str, it: dict):
        """Does what the server wants of one job."""
        act = {
            "cancel": lambda job: job._stop("cancel", it.get("reason")),
            "suspend": lambda job: job._hold(True),
            "resume": lambda job: job._hold(False),
            "lost": lambda job: (setattr(job, "_lost", True), job._stop("lost")),
        }[name]
        key = it["id"], it["fence"]
        with self.changed:
            if job := self.held.get(key):
                act(job)
                if name == "lost":
                    del self.held[key]
            elif name in ("cancel", "suspend"):
                self.early[key] = act
                while len(self.early) > 1000:
                    self.early.pop(next(iter(self.early)))
            self.unpark()

    def unpark(self):
        """Reports on jobs that were suspended are made again when those go on."""
        ready = [r for r in self.parked if (job := self.held.get((r["id"], r["fence"]))) is None or job._going.is_set()]
        self.parked = [r for r in self.parked if r not in ready]
        self.reports.extend(ready)
        self.changed.notify_all()

    def finishes(self):
        tries, most = 0, 1000
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.over or self.reports)
                if self.over:
                    return
                batch, size = [], 0
                while self.reports and len(batch) < most and size < BODY:
                    result = self.reports.popleft()
                    if (result["id"], result["fence"]) in self.held:
                        batch.append(result)
                        size += len(json.dumps(result))
            if not batch:
                continue
            status, answer = self.post(self.report_line, "finish", {"results": batch})
            if "results" in answer:
                if self.settled(batch, answer["results"]):
                    tries, most = 0, 1000
                    continue
                batch = []
            with self.changed:
                if status in (400, 413, 422) and len(batch) == 1:  # nobody can take it as it is
                    log.error("a report was refused: %s", answer)
                    it = batch[0]
                    batch = [] if it.get("error", "").startswith("report refused") else [
                        {"id": it["id"], "fence": it["fence"], "outcome": "failed", "error": f"report refused: {answer.get('detail')}"}]
                most = 1 if status in (400, 413, 422) else most
                self.reports.extendleft(reversed(batch))
            self.pause(backoff(tries := tries + 1))

    def settled(self, batch: list, answers: list) -> bool:
        """Whether all of them were decided, or wait for their job."""
        with self.changed:
            for result, answer in zip(batch, answers):
                if not answer["accepted"] and answer.get("reason") == "suspended":
                    self.parked.append(result)
                    continue
                if not answer["accepted"] and answer.get("reason") != "fenced_out":
                    self.reports.append(result)  # busy: again
                    continue
                if not answer["accepted"]:
                    log.warning("the report on job %s was refused: somebody else has the job", result["id"])
                self.held.pop((result["id"], result["fence"]), None)
            self.changed.notify_all()
            return all(a["accepted"] or a.get("reason") in ("fenced_out", "suspended") for a in answers)

    def watch(self):
        """Looks at the clock: tells jobs to stop whose time is over, and all of them when no beat has been answered for too long."""
        with self.changed:
            while not self.over:
                now, left = clock(), self.fenced_in()
                for job in self.held.values():
                    if left <= 0:
                        job._stop("lost")
                    elif job.deadline and now >= job.deadline and job._going.is_set():  # not one that is held still
                        job._stop("timeout")
                times = [max(0.1, job.deadline - now) for job in self.held.values() if job.deadline and not job.cancelled.is_set()]
                self.changed.wait(min(times + [left if left > 0 else 1]))

    def listen(self):
        """What the beats say, sooner."""
        line, tries = Line(self.worker), 0
        headers = {"Authorization": f"Bearer {self.worker.key}", "Accept": "text/event-stream"}
        while not self.over:
            try:
                conn = line.open(30)
                conn.request("GET", line.url.path.rstrip("/") + BASE + self.path + "/events", headers=headers)
                answer = conn.getresponse()
                if answer.status == 200:
                    name, tries = "", 0
                    for raw in answer:
                        field, _, value = raw.decode("utf-8", "replace").rstrip("\r\n").partition(": ")
                        if self.over:
                            return
                        if field == "event":
                            name = value
                        elif field == "data":
                            self.heard(name, json.loads(value))
            except (OSError, http.client.HTTPException, ValueError, AttributeError):
                pass
            if line.conn:
                line.conn.close()
            self.pause(backoff(tries := tries + 1))

    def heard(self, name: str, data: dict):
        if name in ("cancel", "suspend", "resume", "lost"):
            self.wish(name, data)
        elif name == "worker_lost":
            raise Lost
        elif name == "drain":
            with self.changed:
                self.beat_now = True  # whose answer says what is wanted
                self.changed.notify_all()

    def idle(self) -> bool:
        """Whether nothing runs or waits to be told. What only waits to be let go on is for others."""
        return self.over or len(self.held) == len(self.parked)

    def drain(self):
        until = clock() + self.worker.drain_s
        with self.changed:
            self.beat_now = True
            self.changed.notify_all()
        self.claim_line.hang_up()
        with self.changed:
            self.changed.wait_for(lambda: self.idle() or self.worker.drain_s == 0, until - clock())
            for job in self.held.values():
                job._stop("drain")
            self.changed.wait_for(self.idle, GRACE)
            # A claim that was cut off may have been given jobs; a beat gives them back.
            self.changed.wait_for(lambda: self.over or self.claims_ended and not self.check, 5)
            if not self.idle():
                # Somebody else may have these only when they have ended here, or when the lease is over.
                log.warning("jobs that do not stop: %s", sorted(job.id for job in self.held.values()))
            if self.over or not self.idle():
                return
            self.over = True
        Line(self.worker).send("DELETE", self.path, timeout=5)
