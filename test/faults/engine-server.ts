/**
 * A process with a durable engine, made to be killed. Settings come as JSON in the first argument; what it prints, one word and
 * one value a line, is what a client would have been told: `ack ID` after an enqueue was acknowledged, `end STATUS` for a wait.
 */
import process from "node:process";
import { type Json, silentLogger, systemClock } from "../../src/core/index.ts";
import { createDbosEngine } from "../../src/engine/index.ts";
import { openDatabase } from "../../src/storage/pool.ts";

export interface ServerSettings {
  readonly url?: string;
  readonly directory?: string;
  readonly executorId: string;
  /** Enqueue `chain` workflows for ever, with ids of this prefix. */
  readonly prefix?: string;
  /** Enqueue these first. */
  readonly requests?: readonly { workflow: string; id: string; partition: string; input: Json }[];
  /** Wait for these and print how they ended; then exit. */
  readonly waitFor?: readonly string[];
  readonly maxRecoveryAttempts?: number;
  readonly silentAfterMs?: number;
  readonly heartbeatMs?: number;
}

export const CHAIN_STEPS = 6;
/** What a chain must return for its input: each step's result needs the one before. */
export function chainResult(input: number): number {
  let value = input;
  for (let step = 0; step < CHAIN_STEPS; step++) value = nextLink(value, step);
  return value;
}
function nextLink(value: number, step: number): number {
  return (value * 31 + step) % 1_000_003;
}

const settings = JSON.parse(process.argv[2] ?? "null") as ServerSettings | null;
if (settings !== null) await serve(settings);

async function serve({ url, directory, executorId, ...rest }: ServerSettings): Promise<void> {
  const database = await openDatabase({
    systemClock,
    ...(url === undefined ? {} : { url }),
    ...(directory === undefined ? {} : { directory }),
  });
  await database.query(
    "create table if not exists fault_log (id bigserial primary key, workflow text, step int, executor text, ended boolean)",
  );
  const log = (workflow: string, step: number, ended: boolean) =>
    database.query("insert into fault_log (workflow, step, executor, ended) values ($1, $2, $3, $4)", [
      workflow,
      step,
      executorId,
      ended,
    ]);
  const { prefix, requests = [], waitFor, ...options } = rest;
  const engine = createDbosEngine({
    pool: database.pool,
    systemClock,
    logger: silentLogger,
    executorId,
    applicationVersion: "1",
    ...options,
  });
  engine.register("chain", async (context, input) => {
    let value = input as number;
    for (let step = 0; step < CHAIN_STEPS; step++) {
      value = await context.step(`step-${step}`, async () => {
        await log(context.workflowId, step, false);
        await systemClock.sleep(value % 7);
        await log(context.workflowId, step, true);
        return nextLink(value, step);
      });
    }
    return value;
  });
  /** Hangs in its third step in the worker that the input names. */
  engine.register("hang", async (context, input) => {
    for (let step = 0; step < 3; step++) {
      await context.step(`step-${step}`, async () => {
        await log(context.workflowId, step, false);
        if (step === 2 && input === executorId) {
          say("hanging", context.workflowId);
          await new Promise(() => {});
        }
        return null;
      });
    }
    return executorId;
  });
  engine.register("poison", (context) =>
    context.step("crash", async () => {
      process.kill(process.pid, "SIGKILL");
      return new Promise<null>(() => {});
    }),
  );
  await engine.start();
  say("ready", executorId);
  for (const request of requests) {
    await engine.enqueue({ ...request, queue: "runs" });
    say("ack", request.id);
  }
  if (waitFor !== undefined) {
    for (const id of waitFor) say("end", JSON.stringify(await engine.wait(id)));
    await engine.stop();
    await database.close();
    return;
  }
  if (prefix === undefined) return;
  for (let n = 0; ; n++) {
    const id = `${prefix}-${n}`;
    // Some models with several waiting runs each, and some runs that nothing holds back.
    const partition = n % 2 === 0 ? `model-${n % 3}` : id;
    await engine.enqueue({ workflow: "chain", id, queue: n % 2 === 0 ? "runs" : "free", partition, input: n });
    say("ack", id);
    await systemClock.sleep(15);
  }
}

function say(word: string, value: string): void {
  process.stdout.write(`${word} ${value}\n`);
}
