/** SIGINT and SIGTERM, once for the orderly end; a second one ends at once. */
export interface Interruption {
  /** Resolves at the first signal. */
  readonly done: Promise<void>;
  readonly signal: AbortSignal;
}

export function untilInterrupted(): Interruption {
  const controller = new AbortController();
  const done = new Promise<void>((resolve) => {
    let count = 0;
    const onSignal = () => {
      count++;
      if (count > 1) process.exit(130);
      controller.abort(new Error("interrupted"));
      resolve();
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
  return { done, signal: controller.signal };
}
