/** Rollouts: where one stands, what there were, and moving the open one by hand. */
import type { PhaseEvidence, RolloutAction, RolloutDetail } from "../../server/contract.ts";
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
  const plan =
    power === null
      ? ""
      : `\nTo find a difference of ${formatNumber(power.effect)} the A/B needs about ${power.rows.toLocaleString("en-US")} labelled rows${power.expectedMs === null ? "" : `, ${Math.ceil(power.expectedMs / 86_400_000)} days at the present rate`}.\n`;
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
  const routing = await connect(options).startRollout(model, version, replay === undefined ? {} : { replay });
  printData(options, routing, () => `${version} is in its first stage (routing ${routing.number}).`);
}

export async function change(model: string, action: RolloutAction, options: ReasonOptions): Promise<void> {
  const rollout = await connect(options).changeRollout(model, action, options.reason);
  printData(options, rollout, () => `${rollout.challenger}: ${rollout.state}. ${rollout.verdict}`);
}
