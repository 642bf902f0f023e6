/**
 * A worker for Belay in one file, without dependencies at run time (Node 18 or newer). Copy it into your program.
 *
 *     const worker = new Worker("http://127.0.0.1:7117", key, "mailer-1", { slots: 8 });
 *     worker.kind("mail", async (job) => {
 *       for (const [n, address] of job.payload.to.entries()) {
 *         await job.check();                                    // stops here when the job was cancelled
 *         await send(address, { signal: job.signal });
 *         job.progress(n + 1, job.payload.to.length);
 *       }
 *     }, { timeout_s: 600 });
 *     await worker.run();                                       // until SIGTERM, SIGINT or worker.stop()
 *
 * When the promise of a handler is fulfilled, its job is completed. It throws Snooze to be run again later, Fail to fail with or without
 * another attempt, and Cancelled (job.check() and job.sleep() do) once it has stopped because it was told to. Anything else that it throws
 * fails the attempt, or, when it comes of the aborted signal, says that it has stopped. A handler that keeps the event loop busy keeps the
 * worker from its beats: work of that sort belongs into worker_threads.
 */
import { hostname } from "node:os";
import { hrtime, pid } from "node:process";

const BASE = "/belay/v1/worker";
const OUTPUT = 32 * 1024; // characters of each stream that are kept, the last ones
const BODY = 512 * 1024; // characters of reports or output in one request
const LONG_POLL = 20; // seconds a claim waits for work
const GRACE = 10; // seconds that what was told to stop at the end has for it

/** The handler has stopped because it was told to. */
export class Cancelled extends Error {}

/** Run the job again after so many seconds, without using up an attempt. */
export class Snooze extends Error {
  constructor(readonly delayS: number) {
    super(`again in ${delayS} s`);
  }
}

/** The attempt failed. Another one is made unless `retry` is false; after `delayS`, else after the backoff of the kind. */
export class Fail extends Error {
  constructor(message: string, readonly options: { retry?: boolean; delayS?: number } = {}) {
    super(message);
  }
}

export type Why = "cancel" | "timeout" | "lost" | "drain";
export type Handler = (job: Job) => unknown;
export interface Options {
  /** Jobs at once. */
  slots?: number;
  /** Queues it serves; all when left out. */
  queues?: string[];
  leaseS?: number;
  /** How long running jobs may go on when it is asked to stop; the second time they are told to stop at once. */
  drainS?: number;
  /** Without events it hears of cancels with its beats alone. */
  events?: boolean;
  log?: (line: string) => void;
}

type Json = Record<string, any>;
/** Seconds that nobody sets back. */
const clock = () => Number(hrtime.bigint() / 1000n) / 1e6;
const backoff = (tries: number) => Math.min(5, 0.1 * 2 ** Math.min(tries, 10)) * (0.5 + Math.random() / 2);
/** Anything as text that can be kept: what is not Unicode, and NUL, becomes U+FFFD. A request with such text is refused whole. */
const text = (value: string | Uint8Array) => Buffer.from(value as string).toString("utf8").replaceAll("\0", "\ufffd");
const keyOf = (it: Json) => `${it.id}/${it.fence}`;

/** Lets others wait for a change of what is told here. */
class Changes {
  #waiting = new Set<() => void>();

  tell() {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves when the condition is true, or after so many seconds. */
  until(condition: () => boolean, seconds = Infinity): Promise<void> {
    if (condition() || seconds <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const look = () => condition() && done();
      const timer = setTimeout(done, Math.min(seconds * 1000, 2 ** 31 - 1));
      this.#waiting.add(look);
    });
  }
}

/** One attempt. `signal` is aborted when it is to stop; `why` then says why, and `reason` what people said. */
export class Job {
  readonly id: number;
  readonly uid: string;
  readonly kind: string;
  readonly payload: any;
  readonly fence: number;
  readonly attempt: number;
  readonly maxAttempts: number;
  why: Why | undefined;
  reason: string | undefined;
  /** Used by the worker alone. */
  readonly inner = { deadline: Infinity, held: false, toldAt: 0, lost: false, version: 0, shown: 0, progress: undefined as Json | undefined, out: {} as Record<string, string> };
  #stop = new AbortController();
  #changes = new Changes();

  constructor(readonly given: Json) {
    ({ id: this.id, uid: this.uid, kind: this.kind, payload: this.payload, fence: this.fence, attempt: this.attempt, max_attempts: this.maxAttempts } = given as any);
    this.inner.deadline = clock() + Math.min(given.timeout_s ?? Infinity, given.left_s ?? Infinity);
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Waits while the job is suspended; throws Cancelled when it is to stop. Call it often. */
  async check(): Promise<void> {
    await this.waitIfSuspended();
    if (this.signal.aborted) throw new Cancelled(this.why);
  }

  waitIfSuspended(): Promise<void> {
    return this.#changes.until(() => !this.inner.held);
  }

  /** A pause that a cancel ends, by throwing Cancelled. */
  async sleep(seconds: number): Promise<void> {
    await this.#changes.until(() => this.signal.aborted, seconds);
    await this.check();
  }

  progress(done: number, total?: number, message?: string) {
    this.inner.progress = { done: Math.trunc(done), total: total === undefined ? null : Math.trunc(total), message: message === undefined ? null : text(message) };
    this.inner.version += 1;
  }

  /** Adds a line to the output that people can read while the job runs. */
  log(line: string) {
    this.output({ stdout: text(line) + "\n" });
  }

  /** Adds to the output. The end of each stream is kept. */
  output(more: { stdout?: string | Uint8Array; stderr?: string | Uint8Array }) {
    for (const [name, added] of Object.entries(more)) this.inner.out[name] = text(((this.inner.out[name] ?? "") + text(added)).slice(-OUTPUT));
    this.inner.version += 1;
  }

  stop(why: Why, reason?: string) {
    this.inner.held = false;
    if (!this.signal.aborted) {
      this.why = why;
      this.reason = reason;
      this.#stop.abort(new Cancelled(why));
    }
    this.#changes.tell();
  }

  hold(still: boolean) {
    this.inner.toldAt = clock();
    this.inner.held = still && !this.signal.aborted;
    this.#changes.tell();
  }
}

export class Worker {
  readonly kinds: Json[] = [];
  readonly handlers = new Map<string, Handler>();
  readonly changes = new Changes();
  readonly options: Required<Omit<Options, "queues">> & { queues?: string[] };
  /** Handlers that run, also those of registrations that are over. */
  running = 0;
  stopping = false;

  constructor(readonly url: string, readonly key: string, readonly name: string = hostname(), options: Options = {}) {
    this.options = { slots: 8, leaseS: 15, drainS: 30, events: true, log: (line) => console.error(line), ...options };
  }

  /** This function runs jobs of that kind. The defaults (max_attempts, timeout_s, can_suspend, ..) count when the kind is new. */
  kind(name: string, handler: Handler, defaults: Json = {}) {
    this.kinds.push({ name, ...defaults });
    this.handlers.set(name, handler);
  }

  /** Drains: claims nothing more, lets what runs end, then gives back the rest. Again: does not wait. */
  stop() {
    if (this.stopping) this.options.drainS = 0;
    this.stopping = true;
    this.changes.tell();
  }

  /** Works until it is stopped. Throws when the server refuses it. */
  async run(): Promise<void> {
    const stop = () => this.stop();
    for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, stop);
    try {
      for (let session = await this.#register(); session; session = await this.#register()) await session.work();
    } finally {
      for (const name of ["SIGTERM", "SIGINT"] as const) process.off(name, stop);
    }
  }

  async #register(): Promise<Session | undefined> {
    const { slots, queues, leaseS, log } = this.options;
    const body = { name: this.name, kinds: this.kinds, slots, lease_s: leaseS, host: hostname(), pid, ...(queues && { queues }) };
    for (let tries = 1; !this.stopping; tries += 1) {
      const sent = clock();
      const [status, answer] = await this.send("POST", "/register", body);
      if (status === 201) {
        log(`registered as worker ${answer.worker}`);
        return new Session(this, answer, sent);
      }
      if (status >= 400 && status < 500 && status !== 429) throw new Error(`cannot register: ${status} ${answer.detail ?? JSON.stringify(answer)}`);
      await this.changes.until(() => this.stopping, backoff(tries));
    }
    return undefined;
  }

  open(method: string, path: string, body: Json | undefined, signal: AbortSignal) {
    const headers: Record<string, string> = { authorization: `Bearer ${this.key}` };
    if (body) headers["content-type"] = "application/json";
    return fetch(this.url.replace(/\/+$/, "") + BASE + path, { method, headers, body: body ? JSON.stringify(body) : null, signal });
  }

  /** Status 0 when it is not known what became of the request. */
  async send(method: string, path: string, body?: Json, seconds = 15, hangUp?: AbortSignal): Promise<[number, Json]> {
    const ended = new AbortController();
    const end = () => ended.abort();
    const timer = setTimeout(end, seconds * 1000);
    hangUp?.addEventListener("abort", end);
    if (hangUp?.aborted) end();
    try {
      const answer = await this.open(method, path, body, ended.signal);
      const raw = await answer.text();
      return [answer.status, raw ? JSON.parse(raw) : {}];
    } catch (error) {
      this.options.log(`${method} ${path}: ${(error as Error & { cause?: unknown }).cause ?? error}`);
      return [0, {}];
    } finally {
      clearTimeout(timer);
      hangUp?.removeEventListener("abort", end);
    }
  }
}

class Lost extends Error {}

/** One registration, until its lease is over or the worker ends. */
class Session {
  readonly path: string;
  readonly beatS: number;
  readonly held = new Map<string, Job>(); // until its report was taken
  readonly early = new Map<string, (job: Job) => void>(); // wishes about jobs whose claim has not been answered yet
  readonly gone = new AbortController(); // aborted when it is over
  readonly noClaims = new AbortController(); // aborted when it drains
  reports: Json[] = [];
  parked: Json[] = [];
  over = false;
  idleWanted = false;
  check = false;
  beatNow = false;
  claimsEnded = false;

  constructor(readonly worker: Worker, answer: Json, sent: number) {
    this.path = `/${answer.worker}`;
    this.beatS = answer.beat_s;
    this.leaseS = answer.lease_s;
    this.leaseUntil = sent + answer.lease_s;
  }
  leaseS: number;
  leaseUntil: number;

  async work(): Promise<void> {
    const { changes } = this.worker;
    const loops = [this.claims, this.beats, this.finishes, this.watch, ...(this.worker.options.events ? [this.listen] : [])];
    const ends = loops.map((loop) => this.keep(loop));
    await changes.until(() => this.over || this.worker.stopping);
    if (!this.over) await this.drain();
    this.end();
    await Promise.all(ends);
  }

  async keep(loop: () => Promise<void>): Promise<void> {
    for (let tries = 1; !this.over; tries += 1) {
      try {
        return await loop.call(this);
      } catch (error) {
        if (error instanceof Lost) return this.lose();
        // A defect must not leave a worker that beats but does nothing else.
        this.worker.options.log(`a defect in ${loop.name}: ${(error as Error).stack}`);
        await this.pause(backoff(tries));
      }
    }
  }

  end() {
    this.over = true;
    this.gone.abort();
    this.worker.changes.tell();
  }

  pause(seconds: number): Promise<void> {
    return this.worker.changes.until(() => this.over, seconds);
  }

  async post(verb: string, body: Json, seconds = 15, hangUp = this.gone.signal): Promise<[number, Json]> {
    const [status, answer] = await this.worker.send("POST", `${this.path}/${verb}`, body, seconds, hangUp);
    if (status === 404 || (status === 409 && answer.outcome === "worker_lost")) throw new Lost();
    if (status >= 400 && !answer.results) this.worker.options.log(`${verb}: ${status} ${answer.detail}`);
    return [status, answer];
  }

  lose() {
    if (this.over) return;
    this.worker.options.log(`the lease of worker ${this.path.slice(1)} is over`);
    for (const job of this.held.values()) {
      job.inner.lost = true;
      job.stop("lost");
    }
    this.end();
  }

  /** Seconds until jobs must not go on, because others may have them: one beat before the lease is over. */
  fencedIn(): number {
    return this.leaseUntil - this.beatS - clock();
  }

  free(): number {
    const may = !(this.idleWanted || this.check || this.worker.stopping) && this.fencedIn() > 0 && this.reports.length < 1000;
    return may ? Math.min(this.worker.options.slots - this.worker.running, 1000) : 0;
  }

  async claims(): Promise<void> {
    for (let tries = 0; ; ) {
      await this.worker.changes.until(() => this.over || this.worker.stopping || this.free() > 0);
      if (this.over || this.worker.stopping) break;
      const [status, answer] = await this.post("claim", { slots: this.free(), wait_s: LONG_POLL }, LONG_POLL + 10, this.noClaims.signal);
      if (status === 200) {
        tries = 0;
        for (const given of answer.jobs) this.start(new Job(given));
        continue;
      }
      if (!this.worker.stopping) await this.pause(backoff((tries += 1)));
      // What the server gave is not known. A beat settles that, and no claim is made before it.
      if (status !== 429) this.check = this.beatNow = true;
      this.worker.changes.tell();
    }
    this.claimsEnded = true;
    this.worker.changes.tell();
  }

  start(job: Job) {
    this.held.set(keyOf(job), job);
    this.early.get(keyOf(job))?.(job);
    this.early.delete(keyOf(job));
    this.worker.running += 1;
    // When it stops, or the answer was read late, perhaps by a process that was frozen: nothing begins.
    const begins = !this.over && !this.worker.stopping && this.fencedIn() > 0;
    if (begins) void this.attempt(job).then((result) => this.ended(job, result));
    else this.ended(job, { outcome: "cancelled" });
    this.worker.changes.tell(); // its time runs
  }

  ended(job: Job, result: Json) {
    Object.assign(result, { id: job.id, fence: job.fence });
    if (Object.keys(job.inner.out).length > 0) result.output = job.inner.out;
    this.worker.running -= 1;
    if (!job.inner.lost) this.reports.push(result);
    this.worker.changes.tell();
  }

  async attempt(job: Job): Promise<Json> {
    const timed_out = () => job.why === "timeout";
    try {
      await this.worker.handlers.get(job.kind)!(job);
      return { outcome: "completed" };
    } catch (error) {
      if (error instanceof Snooze) return { outcome: "snoozed", delay_s: error.delayS };
      if (error instanceof Fail) {
        const { retry = true, delayS } = error.options;
        return { outcome: "failed", error: text(error.message), retry, timed_out: timed_out(), ...(delayS !== undefined && { delay_s: delayS }) };
      }
      const obeyed = error instanceof Cancelled || (job.signal.aborted && (error as Error | undefined)?.name === "AbortError");
      if (obeyed) return timed_out() ? { outcome: "failed", error: "stopped when its time was over", timed_out: true } : { outcome: "cancelled" };
      job.output({ stderr: String((error as Error | undefined)?.stack ?? error) });
      return { outcome: "failed", error: text(String(error)), timed_out: timed_out() };
    }
  }

  async beats(): Promise<void> {
    for (let due = clock(), bare = false; ; ) {
      await this.worker.changes.until(() => this.over || this.beatNow, due - clock());
      if (this.over) return;
      this.beatNow = false;
      const check = this.check || this.claimsEnded;
      let size = 0;
      const shown: [Job, number][] = [];
      const jobs = [...this.held.values()].map((job) => {
        const { version, progress, out } = job.inner;
        const entry: Json = { id: job.id, fence: job.fence };
        if (version > job.inner.shown && size < BODY && !bare) {
          if (progress) entry.progress = progress;
          if (Object.keys(out).length > 0) entry.output = { ...out };
          shown.push([job, version]);
        }
        size += JSON.stringify(entry).length;
        return entry;
      });
      const sent = clock();
      const [status, answer] = await this.post("beat", { jobs, draining: this.worker.stopping, check }, Math.max(1, this.leaseS / 3));
      due = status === 200 ? sent + this.beatS : clock() + Math.min(1, this.beatS);
      bare = [400, 413, 422].includes(status); // what it showed cannot be taken, and the lease does not wait for that
      if (status !== 200) continue;
      for (const [job, version] of shown) job.inner.shown = version;
      this.obey(answer, sent, check);
    }
  }

  obey(answer: Json, sent: number, checked: boolean) {
    this.leaseS = answer.lease_s;
    this.leaseUntil = sent + answer.lease_s;
    this.idleWanted = answer.drain;
    if (checked) this.check = false;
    const still = new Set(answer.suspend.map(keyOf));
    // What an event said after the question is newer.
    for (const [key, job] of this.held) if (job.inner.toldAt < sent) job.hold(still.has(key));
    for (const it of answer.cancel) this.wish("cancel", it);
    for (const it of answer.lost) this.wish("lost", it);
    this.unpark();
  }

  /** Does what the server wants of one job. */
  wish(name: string, it: Json) {
    const act = (job: Job) => {
      if (name === "cancel") job.stop("cancel", it.reason);
      else if (name !== "lost") job.hold(name === "suspend");
      else {
        job.inner.lost = true;
        job.stop("lost");
        this.held.delete(keyOf(it));
      }
    };
    const job = this.held.get(keyOf(it));
    if (job) act(job);
    else if (name === "cancel" || name === "suspend") {
      this.early.set(keyOf(it), act);
      for (const key of this.early.keys()) if (this.early.size > 1000) this.early.delete(key);
    }
    this.unpark();
  }

  /** Reports on jobs that were suspended are made again when those go on. */
  unpark() {
    const still = (report: Json) => this.held.get(keyOf(report))?.inner.held === true;
    this.reports.push(...this.parked.filter((report) => !still(report)));
    this.parked = this.parked.filter(still);
    this.worker.changes.tell();
  }

  async finishes(): Promise<void> {
    for (let tries = 0, most = 1000; ; ) {
      await this.worker.changes.until(() => this.over || this.reports.length > 0);
      if (this.over) return;
      let batch: Json[] = [];
      for (let size = 0; this.reports.length > 0 && batch.length < most && size < BODY; ) {
        const result = this.reports.shift()!;
        if (!this.held.has(keyOf(result))) continue;
        batch.push(result);
        size += JSON.stringify(result).length;
      }
      if (batch.length === 0) continue;
      const [status, answer] = await this.post("finish", { results: batch });
      if (answer.results) {
        if (this.settled(batch, answer.results)) {
          [tries, most] = [0, 1000];
          continue;
        }
        batch = [];
      }
      const unreadable = [400, 413, 422].includes(status);
      if (unreadable && batch.length === 1) {
        // Nobody can take it as it is.
        this.worker.options.log(`a report was refused: ${JSON.stringify(answer)}`);
        const { id, fence, error = "" } = batch[0]!;
        batch = error.startsWith("report refused") ? [] : [{ id, fence, outcome: "failed", error: `report refused: ${answer.detail}` }];
      }
      if (unreadable) most = 1;
      this.reports.unshift(...batch);
      await this.pause(backoff((tries += 1)));
    }
  }

  /** Whether all of them were decided, or wait for their job. */
  settled(batch: Json[], answers: Json[]): boolean {
    let decided = true;
    batch.forEach((result, n) => {
      const answer = answers[n]!;
      if (!answer.accepted && answer.reason === "suspended") {
        this.parked.push(result);
        return;
      }
      if (!answer.accepted && answer.reason !== "fenced_out") {
        this.reports.push(result); // busy: again
        decided = false;
        return;
      }
      if (!answer.accepted) this.worker.options.log(`the report on job ${result.id} was refused: somebody else has the job`);
      this.held.delete(keyOf(result));
    });
    this.worker.changes.tell();
    return decided;
  }

  /** Looks at the clock: tells jobs to stop whose time is over, and all of them when no beat has been answered for too long. */
  async watch(): Promise<void> {
    while (!this.over) {
      const left = this.fencedIn();
      let next = left > 0 ? left : 1;
      for (const job of this.held.values()) {
        const { deadline, held } = job.inner;
        if (left <= 0) job.stop("lost");
        else if (clock() >= deadline && !held) job.stop("timeout");
        if (!job.signal.aborted) next = Math.min(next, Math.max(0.1, deadline - clock()));
      }
      const known = this.held.size;
      await this.worker.changes.until(() => this.over || this.held.size > known, next);
    }
  }

  /** What the beats say, sooner. */
  async listen(): Promise<void> {
    for (let tries = 1; !this.over; tries += 1) {
      const quiet = new AbortController();
      const end = () => quiet.abort();
      this.gone.signal.addEventListener("abort", end);
      let timer = setTimeout(end, 30_000);
      try {
        const answer = await this.worker.open("GET", `${this.path}/events`, undefined, quiet.signal);
        let [rest, name] = ["", ""];
        if (answer.status === 200) tries = 0;
        for await (const chunk of (answer.status === 200 ? answer.body!.pipeThrough(new TextDecoderStream()) : []) as AsyncIterable<string>) {
          clearTimeout(timer);
          timer = setTimeout(end, 30_000);
          const lines = (rest + chunk).split(/\r?\n/);
          rest = lines.pop()!;
          for (const line of lines) {
            if (line.startsWith("event: ")) name = line.slice(7);
            else if (line.startsWith("data: ")) this.heard(name, JSON.parse(line.slice(6)));
          }
        }
      } catch (error) {
        if (error instanceof Lost) throw error;
      } finally {
        clearTimeout(timer);
        this.gone.signal.removeEventListener("abort", end);
        end();
      }
      await this.pause(backoff(tries));
    }
  }

  heard(name: string, data: Json) {
    if (["cancel", "suspend", "resume", "lost"].includes(name)) this.wish(name, data);
    else if (name === "worker_lost") throw new Lost();
    else if (name === "drain") {
      this.beatNow = true; // whose answer says what is wanted
      this.worker.changes.tell();
    }
  }

  /** Whether nothing runs or waits to be told. What only waits to be let go on is for others. */
  idle(): boolean {
    return this.over || this.held.size === this.parked.length;
  }

  async drain(): Promise<void> {
    const { changes, options } = this.worker;
    this.beatNow = true;
    changes.tell();
    this.noClaims.abort();
    await changes.until(() => this.idle() || options.drainS === 0, options.drainS);
    for (const job of this.held.values()) job.stop("drain");
    await changes.until(() => this.idle(), GRACE);
    // A claim that was cut off may have been given jobs; a beat gives them back.
    await changes.until(() => this.over || (this.claimsEnded && !this.check), 5);
    // Somebody else may have what goes on here only when it has ended, or when the lease is over.
    if (!this.idle()) options.log(`jobs that do not stop: ${[...this.held.keys()]}`);
    if (this.over || !this.idle()) return;
    this.end();
    await this.worker.send("DELETE", this.path, undefined, 5);
  }
}
