/** A replay's target over HTTP: the same requests a user's program would make. */
import type { RetrainClient, Row } from "../client/index.ts";
import type { ReplayTarget } from "../replay/index.ts";

const MAX_RUNS = 500;

/** @param connected the server's client, or a promise of it: a first request is put into words while the server starts */
export function httpTarget(connected: RetrainClient | Promise<RetrainClient>, model: string): ReplayTarget {
  const versions = async () => (await (await connected).versions(model)).items;
  return {
    champion: async () => (await versions()).find(({ role }) => role === "champion")?.name ?? null,
    async observe(rows, options = {}) {
      const query = { origin: "replay", ...(options.historical === true ? { knownAt: "at+labelDelay" } : {}) };
      const contentType = "application/x-ndjson";
      const body = rows.map((row) => JSON.stringify(row)).join("\n");
      const client = await connected;
      const answer = await client.upload(model, body, { contentType, ...query });
      if (answer.quarantined > 0) throw new Error(`Recorded rows were refused: ${JSON.stringify(answer.problems)}`);
    },
    async predict(rows, options = {}) {
      const pinned = options.version === undefined ? {} : { version: options.version, log: false };
      const client = await connected;
      const answer = await client.predictMany(model, rows as readonly Row[], pinned);
      return answer.predictions.map(({ score }) => score as number);
    },
    async label(labels) {
      const client = await connected;
      const answer = await client.label(model, labels);
      if (answer.quarantined > 0) throw new Error(`Recorded labels were refused: ${JSON.stringify(answer.problems)}`);
    },
    advance: async (to) => (await (await connected).advance(to)).runs,
    run: async (id) => (await connected).run(id),
    runs: async () => (await (await connected).runs(model, { limit: MAX_RUNS })).items.toReversed(),
    versions: async () => (await versions()).toReversed(),
  };
}
