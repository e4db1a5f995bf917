// upload.ts NAME TEXT HASH TAG...: one upload by the low layer, with a hash of our choosing.

import { ComfyLow } from "@comfyorg/sdk/low";

import { argument, report, say } from "./say.js";

const low = new ComfyLow(process.env["COMFY_BASE_URL"] ?? "", process.env["COMFY_API_KEY"]);
const [name, text, expectedHash] = [argument(0), argument(1), argument(2)];
try {
  const asset = await low.postAssets(new Blob([text]), "text/plain", name, {
    expectedHash,
    tags: process.argv.slice(5),
  });
  say({ id: asset.id, filePath: asset.file_path, hash: asset.hash, size: asset.size_bytes });
} catch (error) {
  const { code, httpStatus, constructor } = error as { code: string; httpStatus: number } & Error;
  say({ error: constructor.name, code, status: httpStatus });
}
await report(async () => ({ known: await low.headAssetByHash(expectedHash) }));
