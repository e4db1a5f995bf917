// every_link.ts JOB: follow every link of a job by the low layer.

import { ComfyLow } from "@comfyorg/sdk/low";

import { argument, say } from "./say.js";

const low = new ComfyLow(process.env["COMFY_BASE_URL"] ?? "", process.env["COMFY_API_KEY"]);
const call = async (name: string, action: () => Promise<unknown>): Promise<void> => {
  try {
    await action();
    say({ name });
  } catch (error) {
    const { code, httpStatus, constructor } = error as { code: string; httpStatus: number } & Error;
    say({ name, error: constructor.name, code, status: httpStatus });
  }
};
const id = argument(0);
await call("self", () => low.getJob(id));
await call("events", async () => {
  for await (const _ of low.getJobEvents(id)) break;
});
await call("cancel", () => low.cancelJob(id));
await call("workflow", () => low.getJobWorkflow(id));
await call("content", () => low.getAssetContent(id));
await call("by-hash", () => low.headAssetByHash(`blake3:${"0".repeat(64)}`));
await call("from-hash", () => low.assetFromHash(`blake3:${"0".repeat(64)}`));
await call("upload", () => low.postAssets(new Blob(["x"]), "text/plain", "x.txt"));
