/** `retrain run`: retrain now, and wait for the outcome. Exit code 3 when the gate refused the candidate. */
import { systemClock } from "../../core/index.ts";
import type { RetrainClient } from "../../client/index.ts";
import type { RunRecord, TracePoint, TrainingStrategy } from "../../server/contract.ts";
import { EXIT, note, printData } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";
import { runText } from "./runs.ts";

export interface RunOptions extends RemoteOptions {
  readonly strategy?: string;
  readonly reason?: string;
  /** False by --no-wait. */
  readonly wait: boolean;
}

/** A run of a thousand rows takes about this long; asking more often tells nothing more. */
const POLL_MS = 250;
const OPEN: readonly RunRecord["state"][] = ["queued", "running"];

export async function run(model: string, options: RunOptions): Promise<number> {
  const client = connect(options);
  const started = await client.startRun(model, {
    ...(options.reason === undefined ? {} : { reason: options.reason }),
    ...(options.strategy === undefined ? {} : { strategy: options.strategy as TrainingStrategy }),
  });
  if (started.coalesced) note(options, "A run was under way already; this request joined it.");
  if (!options.wait) {
    printData(options, started, () => started.run.id);
    return EXIT.ok;
  }
  const { run: ended, points, exitCode } = await followRun(client, started.run.id, options);
  printData(options, { run: ended, trace: points }, () => runText(ended, points));
  return exitCode;
}

/** Waits for the end of a run, and says on the way which step it is at. */
export async function followRun(
  client: RetrainClient,
  id: string,
  options: RemoteOptions,
): Promise<{ readonly run: RunRecord; readonly points: readonly TracePoint[]; readonly exitCode: number }> {
  let current = await client.run(id);
  let step = "";
  while (OPEN.includes(current.state)) {
    await systemClock.sleep(POLL_MS);
    current = await client.run(id);
    const running = current.steps.find(({ state }) => state === "running")?.step ?? step;
    if (running !== step) note(options, `${running} …`);
    step = running;
  }
  const { points } = await client.trace(id);
  const isRefused = current.state === "rejected" || current.state === "held";
  const exitCode = isRefused ? EXIT.rejected : current.state === "promoted" ? EXIT.ok : EXIT.failure;
  return { run: current, points, exitCode };
}
