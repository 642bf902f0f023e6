/** The worker of the conformance suite (crates/belay/tests/remote_workers): kinds that behave as badly as real ones do. */
import { env, exit } from "node:process";

import { Cancelled, Fail, Snooze, Worker } from "./belay_worker.js";

const worker = new Worker(env.BELAY_URL ?? "", env.BELAY_KEY ?? "", "conformance", {
  slots: Number(env.CONF_SLOTS ?? 4),
  leaseS: Number(env.CONF_LEASE_S ?? 15),
  drainS: Number(env.CONF_DRAIN_S ?? 30),
  events: (env.CONF_EVENTS ?? "1") === "1",
});
const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

worker.kind("conf.echo", (job) => {
  const told = `attempt ${job.attempt} under fence ${job.fence}`;
  console.error(told);
  job.log(told);
});

worker.kind(
  "conf.fail",
  (job) => {
    const { error, retry, delay_s } = job.payload;
    throw new Fail(error, { ...(retry !== undefined && { retry }), ...(delay_s !== undefined && { delayS: delay_s }) });
  },
  { max_attempts: 3 },
);

/** Until it is told to stop. */
worker.kind("conf.wait", async (job) => {
  job.progress(1, 2, "waiting");
  if (!job.signal.aborted) await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
  const told = `told to stop: ${job.why} ${job.reason ?? ""}`;
  console.error(told);
  job.log(told);
  throw new Cancelled();
});

/** Does not care what it is told. */
worker.kind(
  "conf.stubborn",
  async (job) => {
    job.progress(1, 2, "not listening");
    await pause(job.payload.seconds);
  },
  { can_suspend: true },
);

/** Comes back once. */
worker.kind("conf.snooze", (job) => {
  if (job.fence === 1) throw new Snooze(job.payload.delay_s);
});

worker.kind("conf.panic", () => {
  throw new RangeError("something nobody thought of");
});

/** More than anybody keeps, and what is no text. */
worker.kind("conf.output", (job) => {
  for (let n = 0; n < 4000; n += 1) job.log(`${String(n).padStart(6, "0")} ${"x".repeat(60)}`);
  job.output({ stdout: Uint8Array.from([...Buffer.from("bytes "), 0xff, 0xfe, 0x7c]), stderr: "nul \0, half a pair \ud800|" });
  job.log("the end");
});

/** Counts while it may. */
worker.kind(
  "conf.suspend",
  async (job) => {
    for (let n = 1; ; n += 1) {
      job.progress(n);
      await job.sleep(0.02);
    }
  },
  { can_suspend: true },
);

await worker.run();
exit();
