// cancel.ts ID: cancel a job, twice.

import { argument, connect, say } from "./say.js";

const job = await connect().jobs.get(argument(0));
for (let time = 0; time < 2; time += 1) {
  await job.cancel();
  say(job.status);
}
