/** Gives the event loop a turn in the middle of training, so that a cancel arrives and trace points leave. */
import { fail } from "../core/index.ts";

export function throwIfCanceled(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw fail("TRAINER_CANCELED", { message: "The training was canceled.", remedy: "Start the run again." });
}

/** Resolves after pending messages were handled. @throws TRAINER_CANCELED */
export async function takeTurn(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  throwIfCanceled(signal);
}
