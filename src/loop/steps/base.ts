/** The version a training starts from: the champion, or for a transfer the version of another model. */
import { fail } from "../../core/index.ts";
import type { VersionRecord } from "../../core/index.ts";
import type { TransferSpec } from "../../train/spec.ts";
import { versionText } from "../../train/spec.ts";
import type { LoopContext } from "../context.ts";
import type { StepInput } from "../run-record.ts";
import { championFolder, materializeArtifact, usedStrategy } from "./job.ts";

export interface RunBase {
  readonly folder: string;
  /** `v3`, or `digits@v3` where it belongs to another model. */
  readonly version: string;
}

/**
 * An alias is resolved once, by `prepare`; later steps of the run use the version it stood for then.
 * @throws TRANSFER_BASE_UNFIT when a transfer names what is not there
 */
export async function runBase(input: StepInput): Promise<RunBase | undefined> {
  const strategy = usedStrategy(input);
  if (strategy === "full") return undefined;
  if (strategy !== "transfer") return await championFolder(input);
  const { context, spec, results } = input;
  const { transfer } = spec.retrain;
  if (transfer === undefined) {
    throw fail("TRANSFER_BASE_UNFIT", {
      message: `${spec.name} does not say which version a transfer starts from.`,
      remedy: 'Write `how: transfer({ from: "model@champion" })`, or choose another strategy.',
    });
  }
  const resolved = results.prepare?.base;
  const version = typeof resolved === "string" ? (resolved.split("@")[1] as string) : transfer.from.version;
  const record = await findTransferBase(context, { ...transfer.from, version });
  return {
    folder: await materializeArtifact(context, record.artifact),
    version: versionText({ model: record.model, version: record.name }),
  };
}

/** @throws TRANSFER_BASE_UNFIT */
export async function findTransferBase(context: LoopContext, from: TransferSpec["from"]): Promise<VersionRecord> {
  const { registry } = context.store;
  const { model, version } = from;
  const record = await (version === "champion" ? registry.champion(model) : registry.get(model, version));
  if (record !== undefined) return record;
  const known = (await registry.list(model)).map(({ name }) => name);
  const models = context.spec.models.map(({ name }) => name);
  const why =
    known.length > 0
      ? `${model} has ${known.slice(-10).join(", ")}${version === "champion" ? ", none of them live" : ""}`
      : models.includes(model)
        ? `${model} has no version yet`
        : `there is no model "${model}"; models are ${models.join(", ")}`;
  throw fail("TRANSFER_BASE_UNFIT", {
    message: `There is no ${versionText(from)} to start from: ${why}.`,
    remedy: `Name a version that exists in \`transfer({ from })\`, or promote one of ${model} first.`,
  });
}

/** What jobs are told of the base. */
export function baseInput(base: RunBase | undefined): { readonly baseFolder?: string; readonly baseVersion?: string } {
  return base === undefined ? {} : { baseFolder: base.folder, baseVersion: base.version };
}
