// raw_submit.ts GRAPH: submit by the low layer, which checks nothing on its own.

import { ComfyLow } from "@comfyorg/sdk/low";

import { argument, say } from "./say.js";

const low = new ComfyLow(process.env["COMFY_BASE_URL"] ?? "", process.env["COMFY_API_KEY"]);
try {
  say({ id: (await low.postJobs(JSON.parse(argument(0)))).id });
} catch (error) {
  const { code, httpStatus, constructor } = error as { code: string; httpStatus: number } & Error;
  say({ error: constructor.name, code, status: httpStatus });
}
