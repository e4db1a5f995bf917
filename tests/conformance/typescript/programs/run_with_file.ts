// run_with_file.ts WORKFLOW NODE PHOTO FOLDER: the first example of the SDK's README.

import { join } from "node:path";

import { argument, connect, say } from "./say.js";

const client = connect();
const wf = await client.workflows.fromFile(argument(0));
const asset = client.assets.fromFile(argument(2)); // lazy; hashed + uploaded on first use
wf.setInput(argument(1), "image", asset);

const job = await client.run(wf); // submit, then poll to a terminal state
for (const output of job.outputs) {
  const path = await output.toFile(join(argument(3), output.name));
  say({ path, asset: asset.id, createdNew: asset.createdNew, jobId: output.jobId === job.id });
}
