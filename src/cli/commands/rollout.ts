/** Rollouts: where one stands, what there were, and moving the open one by hand. */
import type {
  PhaseEvidence,
  PowerEstimate,
  RolloutAction,
  RolloutDetail,
  RolloutPlan,
  StageSpec,
} from "../../server/contract.ts";
import { DAY_MS, HOUR_MS, plural } from "../../core/index.ts";
import { formatInstant, formatNumber, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface ReasonOptions extends RemoteOptions {
  readonly reason: string;
}
export interface StartOptions extends RemoteOptions {
  readonly replay?: string;
}
export interface ListOptions extends RemoteOptions {
  readonly limit: number;
}

const none = (model: string) => `${model} has had no rollout; its first version went live directly.`;

export async function status(model: string, options: RemoteOptions): Promise<void> {
  const client = connect(options);
  const [newest] = (await client.rollouts(model, { limit: 1 })).items;
  const detail = newest === undefined ? undefined : await client.experiment(newest.id);
  printData(options, detail ?? null, () => (detail === undefined ? none(model) : describe(detail)));
}

export async function list(model: string, options: ListOptions): Promise<void> {
  const found = await connect(options).rollouts(model, { limit: options.limit });
  printData(options, found, () =>
    found.items.length === 0
      ? none(model)
      : table(
          ["id", "challenger", "champion", "state", "begun", "ended", "where it stands"],
          found.items.map(({ id, challenger, champion, state, createdAt, endedAt, verdict }) => [
            id,
            challenger,
            champion,
            state,
            formatInstant(createdAt),
            endedAt === undefined ? "–" : formatInstant(endedAt),
            verdict,
          ]),
        ),
  );
}

export async function show(id: string, options: RemoteOptions): Promise<void> {
  const detail = await connect(options).experiment(id);
  printData(options, detail, () => describe(detail));
}

function splitWord(found: PhaseEvidence | undefined): string {
  const ratios = [found?.sampleRatio, found?.labelledRatio];
  if (ratios.some((one) => one?.mismatch === true)) return "broken";
  return ratios.every((one) => one === null || one === undefined) ? "none" : "ok";
}

function powerText({ effect, rows, expectedMs }: PowerEstimate): string {
  const days = expectedMs === null ? "" : `, ${plural(Math.ceil(expectedMs / DAY_MS), "day")} at the present rate`;
  return `To find a difference of ${formatNumber(effect)} the A/B needs about ${plural(rows, "labelled row")}${days}.`;
}

export async function plan(model: string, options: RemoteOptions): Promise<void> {
  const found = await connect(options).rolloutPlan(model);
  printData(options, found, () => planText(found));
}

/** What a person should know before starting. */
export function planText({ model, champion, stages, labelDelayMs, power, reason }: RolloutPlan): string {
  const rows = stages.map((one) => [one.kind, shareOf(one), lengthOf(one)]);
  const delay =
    labelDelayMs === 0 ? "" : ` Each goes on for the label delay, ${lasts(labelDelayMs)}, before it is judged.`;
  const ab = stages.find((one) => one.kind === "ab");
  const isTooSlow = power?.expectedMs != null && ab !== undefined && power.expectedMs > ab.maxMs + labelDelayMs;
  return [
    `The next version of ${model}${champion === null ? "" : ` is compared with ${champion}`}:`,
    table(["stage", "share", "lasts"], rows),
    `${power === null ? (reason ?? "") : powerText(power)}${delay}`,
    ...(isTooSlow
      ? [
          "At this rate it ends without evidence for a difference that small: more traffic, a larger margin or a longer maximum would change that.",
        ]
      : []),
  ].join("\n");
}

const percent = (share: number) => `${Number((share * 100).toFixed(2))} %`;
const lasts = (ms: number) =>
  ms % DAY_MS === 0
    ? `${ms / DAY_MS} d`
    : ms >= HOUR_MS
      ? `${Number((ms / HOUR_MS).toFixed(1))} h`
      : `${Math.round(ms / 1000)} s`;

function shareOf(stage: StageSpec): string {
  if (stage.kind === "full") return "100 %";
  if (stage.kind === "ramp") return stage.shares.map(percent).join(", ");
  return stage.kind === "shadow" ? `${percent(stage.share)} mirrored` : percent(stage.share);
}

function lengthOf(stage: StageSpec): string {
  switch (stage.kind) {
    case "ramp":
      return `${lasts(stage.eachMs)} each`;
    case "ab":
      return `${stage.minMs === undefined ? "" : `at least ${lasts(stage.minMs)}, `}at most ${lasts(stage.maxMs)}`;
    case "full":
      return `watched for ${lasts(stage.watchMs)}`;
    default:
      return `${lasts(stage.durationMs)}, at most ${lasts(stage.maxMs)}`;
  }
}

function describe({ rollout, evidence, power }: RolloutDetail): string {
  const phases = rollout.phases.map((phase, i) => {
    const found = evidence[i];
    const comparison = found?.comparison;
    const interval = comparison?.interval;
    return [
      phase.kind,
      `${Number((phase.share * 100).toFixed(2))} %`,
      formatInstant(phase.enteredAt),
      found === undefined ? 0 : found.exposures.challenger + found.exposures.mirrored,
      comparison === undefined || comparison === null ? 0 : comparison.challengerRows,
      formatNumber(comparison?.difference),
      interval === undefined || interval === null
        ? "–"
        : `${formatNumber(interval[0])} to ${formatNumber(interval[1])}`,
      comparison?.p === undefined || comparison.p === null ? "–" : comparison.p.toPrecision(2),
      splitWord(found),
      phase.outcome ?? "under way",
    ];
  });
  const guardrails = (evidence.at(-1)?.guardrails ?? []).map((one) => [
    one.guardrail,
    one.harm === "yes" ? "harm" : one.harm === "no" ? "holds" : "cannot tell",
    one.reason,
  ]);
  const plan = power === null ? "" : `\n${powerText(power)}\n`;
  return [
    `${rollout.model}: ${rollout.challenger} against ${rollout.champion}, ${rollout.state}. ${rollout.verdict}`,
    rollout.waiting === undefined ? "" : `${rollout.waiting.version} waits for its turn.\n`,
    table(
      ["stage", "share", "since", "answers", "labelled", "difference", "interval", "p", "split", "outcome"],
      phases,
    ),
    plan,
    guardrails.length === 0 ? "" : table(["guardrail", "state", "why"], guardrails),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

export async function start(model: string, version: string, options: StartOptions): Promise<void> {
  const { replay } = options;
  const client = connect(options);
  const before = options.json ? undefined : await client.rolloutPlan(model);
  const routing = await client.startRollout(model, version, replay === undefined ? {} : { replay });
  printData(options, routing, () =>
    [
      `${version} is in its first stage (routing ${routing.number}).`,
      ...(before === undefined ? [] : [planText(before)]),
    ].join("\n"),
  );
}

export async function change(model: string, action: RolloutAction, options: ReasonOptions): Promise<void> {
  const rollout = await connect(options).changeRollout(model, action, options.reason);
  printData(options, rollout, () => `${rollout.challenger}: ${rollout.state}. ${rollout.verdict}`);
}
