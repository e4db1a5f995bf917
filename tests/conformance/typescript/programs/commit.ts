// commit.ts '[["name", "text"], ...]': make a handle of each, commit it, read it back.

import { argument, connect, report } from "./say.js";

const client = connect();
const files = JSON.parse(argument(0)) as [string, string][];
for (const [filename, text] of files) {
  await report(async () => {
    const asset = client.assets.fromBytes(new TextEncoder().encode(text), { filename });
    const id = await asset.commit();
    const found = await client.assets.get(id);
    return {
      id,
      hash: await asset.hash(),
      createdNew: asset.createdNew,
      filePath: found.filePath,
      expiresAt: asset.expiresAt ?? null,
    };
  });
}
