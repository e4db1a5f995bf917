// read.ts ID...: each job as a handle shows it, and what the SDK's own schema has against it.

import { ComfyLow, schemas } from "@comfyorg/sdk/low";

import { connect, report } from "./say.js";

const client = connect();
const low = new ComfyLow(process.env["COMFY_BASE_URL"] ?? "", process.env["COMFY_API_KEY"]);
for (const id of process.argv.slice(2)) {
  await report(async () => {
    const job = await client.jobs.get(id);
    const raw = await low.getJob(id);
    const checked = schemas.zJob.safeParse(raw);
    const { workflow, format } = await job.getWorkflow();
    return {
      status: job.status,
      error: job.error,
      urls: raw.urls,
      outputs: job.outputs.map(({ type, name, nodeId, contentType, sizeBytes, jobId }) => ({
        ...{ type, name, nodeId, contentType, sizeBytes, jobId },
      })),
      format,
      workflow,
      objections: checked.success ? [] : checked.error.issues,
    };
  });
}
