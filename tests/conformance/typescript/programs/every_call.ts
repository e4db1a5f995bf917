// every_call.ts JOB ASSET: one call of each kind; says by name what came of it.

import { argument, connect, say, told } from "./say.js";

const client = connect();
const [jobId, assetId] = [argument(0), argument(1)];
const bytes = new TextEncoder().encode("every call");
const calls: Record<string, () => Promise<unknown>> = {
  commit: () => client.assets.fromBytes(bytes, { filename: "a.txt" }).commit(),
  asset: () => client.assets.get(assetId),
  delete: () => client.assets.delete(assetId),
  submit: () => client.submit(client.workflows.fromJson({ "1": { class_type: "X", inputs: {} } })),
  job: () => client.jobs.get(jobId),
};
for (const [name, call] of Object.entries(calls)) {
  try {
    await call();
    say({ name });
  } catch (error) {
    say({ name, ...told(error) });
  }
}
