// submit.ts '{"graphs": [...], "key"?: "...", "partnerKey"?: "..."}': submit each graph in turn.

import { argument, connect, report } from "./say.js";

interface Order {
  graphs: Record<string, unknown>[];
  key?: string;
  partnerKey?: string;
}

const client = connect();
const { graphs, key, partnerKey } = JSON.parse(argument(0)) as Order;
for (const graph of graphs) {
  await report(async () => {
    const job = await client.submit(client.workflows.fromJson(graph), {
      idempotencyKey: key,
      apiKey: partnerKey,
    });
    return { id: job.id, status: job.status };
  });
}
