/** One run, step by step. The steps are in `steps/`, one file each; what is around them (records, failures) in `run-record.ts`. */
import type { Workflow } from "../core/index.ts";
import type { LoopContext } from "./context.ts";
import { finishRun, openRun, type RunInput, recordFailure, recordedStep } from "./run-record.ts";
import { assess } from "./steps/assess.ts";
import { evaluate } from "./steps/evaluate.ts";
import { gate } from "./steps/gate.ts";
import { prepare } from "./steps/prepare.ts";
import { register } from "./steps/register.ts";
import { rollout } from "./steps/rollout.ts";
import { snapshot } from "./steps/snapshot.ts";
import { train } from "./steps/train.ts";

/** In this order; a step that stops the run is the last one done. */
export const STEPS = [snapshot, assess, prepare, train, evaluate, gate, register, rollout] as const;

/** The workflow the engine runs: resumed after a crash from the last finished step. */
export function createRunWorkflow(context: LoopContext): Workflow {
  return async (workflow, input) => {
    const run = await openRun(context, workflow, input as unknown as RunInput);
    try {
      for (const step of STEPS) {
        const stopped = await recordedStep(run, step);
        if (stopped) break;
      }
      return await finishRun(run);
    } catch (error) {
      return await recordFailure(run, error);
    }
  };
}
