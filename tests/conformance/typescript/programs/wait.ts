// wait.ts ID [TIMEOUT_MS]: wait for a job; says "waiting" first, then how it ended.

import { argument, connect, report, say } from "./say.js";

const limit = process.argv[3];
const job = await connect().jobs.get(argument(0));
say({ waiting: job.id });
const began = Date.now();
await report(async () => {
  await job.wait(limit === undefined ? undefined : Number(limit));
  return { status: job.status, outputs: job.outputs.length };
});
say({ took_s: (Date.now() - began) / 1000 });
