/** A replay's target over HTTP: the same requests a user's program would make. */
import type { RetrainClient, Row } from "../client/index.ts";
import type { ReplayTarget } from "../replay/index.ts";

const MAX_RUNS = 500;

export function httpTarget(client: RetrainClient, model: string): ReplayTarget {
  return {
    champion: async () => (await client.versions(model)).items.find(({ role }) => role === "champion")?.name ?? null,
    async observe(rows, options = {}) {
      const query = { origin: "replay", ...(options.historical === true ? { knownAt: "at+labelDelay" } : {}) };
      const contentType = "application/x-ndjson";
      const body = rows.map((row) => JSON.stringify(row)).join("\n");
      const answer = await client.upload(model, body, { contentType, ...query });
      if (answer.quarantined > 0) throw new Error(`Recorded rows were refused: ${JSON.stringify(answer.problems)}`);
    },
    async predict(rows, options = {}) {
      const pinned = options.version === undefined ? {} : { version: options.version, log: false };
      const answer = await client.predictMany(model, rows as readonly Row[], pinned);
      return answer.predictions.map(({ score }) => score as number);
    },
    async label(labels) {
      const answer = await client.label(model, labels);
      if (answer.quarantined > 0) throw new Error(`Recorded labels were refused: ${JSON.stringify(answer.problems)}`);
    },
    advance: async (to) => (await client.advance(to)).runs,
    run: (id) => client.run(id),
    runs: async () => (await client.runs(model, { limit: MAX_RUNS })).items.toReversed(),
    versions: async () => (await client.versions(model)).items.toReversed(),
  };
}
