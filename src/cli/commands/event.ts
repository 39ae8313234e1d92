/** `retrain event`: something happened that triggers may wait for. */
import { fail, type JsonObject } from "../../core/index.ts";
import { printData } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface EventOptions extends RemoteOptions {
  readonly model?: string;
  readonly details?: string;
}

export async function raiseEvent(name: string, options: EventOptions): Promise<void> {
  const { model } = options;
  const details = options.details === undefined ? undefined : parseDetails(options.details);
  const answer = await connect(options).raiseEvent({
    name,
    ...(model === undefined ? {} : { model }),
    ...(details === undefined ? {} : { details }),
  });
  printData(options, answer, () =>
    answer.models.length === 0 ? `No model waits for "${name}".` : `"${name}" is told to ${answer.models.join(", ")}.`,
  );
}

function parseDetails(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // Said below.
  }
  throw fail("USAGE", { message: "--details is not a JSON object.", remedy: `Write --details '{"key":"value"}'.` });
}
