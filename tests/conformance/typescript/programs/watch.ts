// watch.ts ID: every event of a job, as it comes.

import { argument, connect, say } from "./say.js";

const job = await connect().jobs.get(argument(0));
for await (const event of job.events()) {
  switch (event.kind) {
    case "outputReady": {
      const { id, name, type } = event.output;
      say({ kind: event.kind, id, name, type, bytes: (await event.output.toBytes()).length });
      break;
    }
    case "preview":
      say({ ...event, data: event.data.length });
      break;
    default:
      say(event);
  }
}
