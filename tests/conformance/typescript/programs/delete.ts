// delete.ts ID...: delete each asset.

import { connect, report } from "./say.js";

const client = connect();
for (const id of process.argv.slice(2)) {
  await report(async () => {
    await client.assets.delete(id);
    return { deleted: id };
  });
}
