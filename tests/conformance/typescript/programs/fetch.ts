// fetch.ts ID FOLDER: the first output of a job, in every way that there is.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { argument, connect, report } from "./say.js";

const job = await connect().jobs.get(argument(0));
const output = job.outputs[0];
if (output === undefined) throw new Error("the job has no output");
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

await report(async () => text(await output.toBytes()));
await report(async () => text(await output.toBytes({ range: [0, 4] })));
await report(async () => {
  const path = await output.toFile(join(argument(1), output.name), { range: [2, 1000] });
  return await readFile(path, "utf-8");
});
await report(async () => text(await output.toBytes({ range: [1_000, 2_000] })));
await report(async () => await output.getDownloadUrl());
