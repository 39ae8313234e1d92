/**
 * The process of one ONNX model: it loads the file it is sent, answers feeds with numbers, and ends with its parent. Nothing else
 * is in it, so a model that hangs or crashes takes nothing along.
 */
import { asRetrainError, startWatchdog } from "../core/index.ts";
import type { TensorFeed } from "../core/index.ts";
import { loadRuntime, SESSION_OPTIONS } from "../model/onnx/runtime.ts";
import type { Runtime, RuntimeSession } from "../model/onnx/runtime.ts";

export type HostRequest =
  | { readonly kind: "open"; readonly id: number; readonly model: Uint8Array }
  | { readonly kind: "run"; readonly id: number; readonly feeds: readonly TensorFeed[]; readonly output: string };
export interface HostAnswer {
  readonly id: number;
  readonly data?: ArrayLike<number>;
  readonly error?: { readonly code: string; readonly message: string; readonly remedy: string };
}

let runtime: Runtime | undefined;
let session: RuntimeSession | undefined;

async function handle(request: HostRequest): Promise<ArrayLike<number>> {
  if (request.kind === "open") {
    runtime = await loadRuntime();
    session = await runtime.InferenceSession.create(request.model, SESSION_OPTIONS);
    return [];
  }
  const { Tensor } = runtime as Runtime;
  const feeds = Object.fromEntries(
    request.feeds.map(({ name, type, dims, data }) => [name, new Tensor(type, data, dims)]),
  );
  const found = await (session as RuntimeSession).run(feeds, [request.output]);
  return found[request.output]?.data as ArrayLike<number>;
}

process.on("message", (request: HostRequest) => {
  const answer = (rest: Omit<HostAnswer, "id">) => {
    if (process.connected) process.send?.({ id: request.id, ...rest }, undefined, undefined, () => {});
  };
  handle(request).then(
    (data) => answer({ data }),
    (error: unknown) => {
      const { code, message, remedy } = asRetrainError(error);
      const own = error instanceof Error ? error.message : String(error);
      answer({ error: { code, message: code === "INTERNAL" ? own : message, remedy } });
    },
  );
});
process.once("disconnect", () => process.exit(0));
for (const name of ["SIGINT", "SIGHUP"] as const) process.on(name, () => {});
startWatchdog();
