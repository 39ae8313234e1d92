/** `retrain quarantine`: rows that broke the schema. */
import { plural } from "../../core/index.ts";
import { formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export async function list(model: string, options: RemoteOptions): Promise<void> {
  const page = await connect(options).quarantine(model, { state: "waiting", limit: 100 });
  printData(options, page, () => {
    if (page.items.length === 0) return "No row waits.";
    const rows = page.items.map(({ id, receivedAt, rowNumber, reasons }) => [
      id,
      formatInstant(receivedAt),
      rowNumber,
      reasons.map(({ message }) => message).join(" "),
    ]);
    return table(["id", "received", "row", "why"], rows);
  });
}

export async function replay(model: string, ids: readonly string[], options: RemoteOptions): Promise<void> {
  const answer = await connect(options).replayQuarantine(model, ids.length === 0 ? undefined : ids);
  printData(
    options,
    answer,
    () =>
      `${plural(answer.replayed, "row")} accepted now; ${plural(answer.stillWaiting, "row still waits", "rows still wait")}.`,
  );
}

export async function drop(model: string, ids: readonly string[], options: RemoteOptions): Promise<void> {
  const answer = await connect(options).dropQuarantine(model, ids.length === 0 ? undefined : ids);
  printData(options, answer, () => `${plural(answer.dropped, "row")} dropped.`);
}
