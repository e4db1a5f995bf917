// run.ts GRAPH: submit a graph, wait for its result, say how it ended.

import { JobFailed } from "@comfyorg/sdk";

import { argument, connect, say } from "./say.js";

const client = connect();
try {
  const job = await client.run(client.workflows.fromString(argument(0)));
  say({ status: job.status, outputs: job.outputs.length });
} catch (error) {
  if (!(error instanceof JobFailed)) throw error;
  say({ failed: error.error, code: error.code });
}
