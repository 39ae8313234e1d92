/** Versions: listing, promoting, rolling back, reproducing. */
import { fail, type Routing } from "../../core/index.ts";
import { describeError, formatInstant, formatNumber, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";
import { versionText } from "../version-text.ts";

export interface ReasonOptions extends RemoteOptions {
  readonly reason: string;
}

export async function list(model: string, options: RemoteOptions): Promise<void> {
  const answer = await connect(options).versions(model);
  printData(options, answer, () => {
    if (answer.items.length === 0) return `${model} has no version yet.`;
    const metrics = shownMetrics(Object.keys(answer.items[0]?.metrics ?? {}));
    const rows = answer.items.map((version) => [
      version.name,
      version.role ?? version.state,
      formatInstant(version.createdAt),
      version.trainer,
      version.datasetRows,
      ...metrics.map((name) => formatNumber(version.metrics[name])),
      version.gate.outcome,
    ]);
    return table(["version", "role", "made", "trainer", "rows", ...metrics, "gate"], rows);
  });
}

/** By which versions are judged unless a gate says otherwise, one a task: these come first. */
const JUDGED_BY: readonly string[] = ["logLoss", "mae", "wape", "ndcg"];
const SHOWN_METRICS = 4;

const shownMetrics = (names: readonly string[]): readonly string[] =>
  [...names.filter((name) => JUDGED_BY.includes(name)), ...names.filter((name) => !JUDGED_BY.includes(name))].slice(
    0,
    SHOWN_METRICS,
  );

export interface ShowOptions extends RemoteOptions {
  readonly features: number;
}

export async function show(model: string, name: string, options: ShowOptions): Promise<void> {
  const client = connect(options);
  const version = await client.version(model, name);
  // The artifact of an old version may be gone; what else is known of it is shown all the same.
  const importance = await client.importance(model, name).catch((error: unknown) => {
    if (describeError(error).code === "NOT_FOUND") return null;
    throw error;
  });
  printData(options, { version, importance }, () => versionText(version, importance, options.features));
}

const routingText = (routing: Routing) =>
  `${routing.champion ?? "no version"} answers for ${routing.model} (routing ${routing.number}).`;

export async function promote(model: string, version: string, options: ReasonOptions): Promise<void> {
  const routing = await connect(options).promote(model, version, options.reason);
  printData(options, routing, () => routingText(routing));
}

export async function rollback(model: string, options: ReasonOptions): Promise<void> {
  const routing = await connect(options).rollback(model, options.reason);
  printData(options, routing, () => routingText(routing));
}

export async function reproduce(model: string, version: string, options: RemoteOptions): Promise<void> {
  const answer = await connect(options).reproduce(model, version);
  if (!answer.equal) {
    const broken = answer.bases.find((base) => !base.equal)?.version;
    const where = broken === undefined ? "" : ` Its base ${broken} did not come out alike either.`;
    throw fail("REPRODUCTION_DIFFERS", {
      message: `Retraining ${model} ${version} gave ${answer.actual} instead of ${answer.expected}.${where}`,
      remedy: "Compare the versions of Node and of retrain in the manifest with those here.",
    });
  }
  const chain =
    answer.bases.length === 0 ? "" : `, with its bases ${answer.bases.map((base) => base.version).join(", ")}`;
  printData(options, answer, () => `${model} ${version} is reproduced bit for bit${chain}: ${answer.actual}`);
}
