/** What people can ask of rollouts and do to them: the same functions for HTTP, command line, console and library. */
import {
  fail,
  type Instant,
  type OutcomeEvent,
  type PhaseEvidence,
  type RolloutRecord,
  type Routing,
  type StageSpec,
} from "../../core/index.ts";
import { end, promote, rollBack } from "../../deploy/advance.ts";
import type { ModelSpec } from "../../config/spec.ts";
import { type LoopContext, modelSpec } from "../context.ts";
import { requireVersion } from "../promote.ts";
import { requireRowTask } from "../row-tasks.ts";
import { applyStep, saveChange } from "./apply.ts";
import { startStages } from "./begin.ts";
import type { OutcomeInput, RolloutAction, RolloutDetail, RolloutSurface } from "./contract.ts";
import { admitWaiting, measured } from "./drive.ts";
import { gatherEvidence } from "./evidence.ts";
import { estimatePower, planRollout } from "./plan.ts";

export function createRolloutSurface(context: LoopContext): RolloutSurface {
  const { store } = context;
  return {
    async rollouts(filter) {
      modelSpec(context, filter.model);
      return store.rollouts.list(filter);
    },
    rollout: (id) => detail(context, id),
    planRollout: (model) => planRollout(context, model),
    changeRollout: (model, action, actor, reason) => change(context, { model, action, actor, reason }),
    startRollout: (model, version, actor, options) => start(context, { model, version, actor, ...options }),
    recordOutcomes: (model, outcomes) => recordOutcomes(context, model, outcomes),
  };
}

async function detail(context: LoopContext, id: string): Promise<RolloutDetail> {
  const { store } = context;
  const rollout = await store.rollouts.get(id);
  if (rollout === undefined) {
    throw fail("ROLLOUT_UNKNOWN", {
      message: `There is no rollout ${JSON.stringify(id.slice(0, 60))}.`,
      remedy: "List the rollouts of the model.",
    });
  }
  const serving = rollout.endedAt === undefined ? await measured(context, rollout.model) : [];
  const evidence: PhaseEvidence[] = [];
  for (const [phase, { exitedAt }] of rollout.phases.entries()) {
    evidence.push(
      await gatherEvidence(context, { rollout, phase, now: exitedAt ?? context.worldClock.now(), serving }),
    );
  }
  return {
    rollout,
    evidence,
    looks: await store.rollouts.looks(id),
    serving,
    power: (await estimatePower(context, { ...rollout, until: rollout.createdAt })).power,
  };
}

async function requireActive(context: LoopContext, model: string): Promise<RolloutRecord> {
  modelSpec(context, model);
  const rollout = await context.store.rollouts.active(model);
  if (rollout !== undefined) return rollout;
  throw fail("ROLLOUT_UNKNOWN", {
    message: `Model ${model} has no open rollout.`,
    remedy: "Start one with a candidate version, or use `promote` and `rollback` on versions.",
  });
}

interface Change {
  readonly model: string;
  readonly action: RolloutAction;
  readonly actor: string;
  readonly reason: string;
}

async function change(context: LoopContext, wanted: Change): Promise<RolloutRecord> {
  const rollout = await requireActive(context, wanted.model);
  const { action, actor, reason } = wanted;
  const at = context.worldClock.now();
  const refuse = (message: string, remedy: string) => fail("ROLLOUT_CONFLICT", { message, remedy });
  const isWatch = rollout.state === "watching";
  if (action === "pause" || action === "resume") {
    const from = action === "pause" ? "open" : "paused";
    if (rollout.state !== from) {
      throw refuse(
        `The rollout of ${rollout.challenger} is ${rollout.state} and cannot be ${action}d.`,
        `Only a rollout that is ${from} can.`,
      );
    }
    const state = action === "pause" ? ("paused" as const) : ("open" as const);
    const next = { ...rollout, state, verdict: `${action === "pause" ? "Paused" : "Resumed"} by ${actor}: ${reason}` };
    await done(
      await saveChange(context, { rollout: { ...next, revision: rollout.revision + 1 }, actor, action, reason, at }),
      wanted.model,
    );
    return (await context.store.rollouts.get(rollout.id)) as RolloutRecord;
  }
  if (action === "promote" && isWatch) {
    throw refuse(`${rollout.challenger} is champion already and is being watched.`, "Wait, or roll it back.");
  }
  if (action === "abort" && isWatch) {
    throw refuse(`${rollout.challenger} is champion already: there is nothing to abort.`, "Use rollback to go back.");
  }
  const said = `${actor}: ${reason.replace(/[.\s]+$/, "")}`;
  const step =
    action === "promote"
      ? promote(closePhase(rollout, at, said), at, `Promoted by ${said}.`)
      : action === "rollback"
        ? rollBack(rollout, at, `Rolled back by ${said}`)
        : end(rollout, { state: "aborted", at, outcome: "no", reason: `Aborted by ${said}`, action: "finish" });
  await done(await applyStep(context, rollout, step, actor), wanted.model);
  const after = (await context.store.rollouts.get(rollout.id)) as RolloutRecord;
  if (after.endedAt !== undefined) await admitWaiting(context, after);
  return after;
}

function closePhase(rollout: RolloutRecord, at: Instant, reason: string): RolloutRecord {
  const last = rollout.phases.at(-1);
  if (last === undefined) return rollout;
  const closed = { ...last, exitedAt: at, outcome: "skipped" as const, reason };
  return { ...rollout, phases: [...rollout.phases.slice(0, -1), closed] };
}

async function done(routing: Routing | undefined, model: string): Promise<Routing> {
  if (routing !== undefined) return routing;
  throw fail("ROLLOUT_CONFLICT", {
    message: `Another process moved the rollout of model ${model} at the same moment.`,
    remedy: "Look at its state and try again.",
    retryable: true,
  });
}

interface Start {
  readonly model: string;
  readonly version: string;
  readonly actor: string;
  readonly replayMs?: number;
}

async function start(context: LoopContext, { model, version, actor, replayMs }: Start): Promise<Routing> {
  requireRowTask(modelSpec(context, model), "a rollout in stages");
  const stages = withReplay(modelSpec(context, model), replayMs);
  await requireVersion(context, model, version);
  const champion = await context.store.registry.champion(model);
  if (champion === undefined) {
    throw fail("MODEL_NOT_READY", {
      message: `Model ${model} has no champion to compare ${version} with.`,
      remedy: "Promote the version instead.",
    });
  }
  const open = await context.store.rollouts.active(model);
  if (champion.name === version || open !== undefined) {
    throw fail("ROLLOUT_CONFLICT", {
      message:
        champion.name === version
          ? `${version} is the champion of ${model} already.`
          : `Model ${model} has a rollout of ${open?.challenger} that is ${open?.state}.`,
      remedy: open === undefined ? "Choose another version." : "Wait for it, or abort it first.",
    });
  }
  const begun = await startStages(context, { model, version, champion: champion.name, stages, actor });
  return begun.routing;
}

function withReplay({ name, rollout }: ModelSpec, replayMs: number | undefined): readonly StageSpec[] {
  if (replayMs === undefined) return rollout;
  const [first, ...rest] = rollout;
  if (first?.kind === "shadow") return [{ ...first, replayMs }, ...rest];
  throw fail("ROLLOUT_CONFLICT", {
    message: `The first stage of ${name} is ${first?.kind ?? "none"}: only a shadow stage can replay logged requests.`,
    remedy: 'Start it without a replay, or begin the model\'s `rollout` with `stage.shadow("1d")`.',
  });
}

async function recordOutcomes(context: LoopContext, model: string, outcomes: readonly OutcomeInput[]) {
  modelSpec(context, model);
  const now = context.worldClock.now();
  const events = outcomes.map((outcome, i): OutcomeEvent => {
    const { exampleId, predictionId, name, value, at } = outcome;
    if ((exampleId === undefined) === (predictionId === undefined) || !Number.isFinite(value) || name === "") {
      throw fail("BODY_INVALID", {
        message: `Outcome ${i + 1} must name either an exampleId or a predictionId, a name, and a finite value.`,
        remedy: 'Send {"predictionId": "…", "name": "complaint", "value": 1}.',
      });
    }
    const who = exampleId === undefined ? { predictionId: predictionId as string } : { exampleId };
    return { kind: "outcome", ...who, at: at ?? now, name, value };
  });
  await context.store.log.append({ model, events });
  context.ticks.dirty.add(model);
  return { accepted: events.length };
}
