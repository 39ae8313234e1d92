/** `retrain status`: all models in a line each, or the latest cycle of one, step by step. */
import { colors, formatInstant, printData, sparkline, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export async function status(model: string | undefined, options: RemoteOptions): Promise<void> {
  const client = connect(options);
  if (model === undefined) {
    const answer = await client.models();
    printData(options, answer, () => {
      const rows = answer.items.map((one) => [
        one.name,
        one.champion ?? "–",
        one.state,
        `${one.metric} ${sparkline(one.sparkline)}`,
        one.openAlerts,
        one.quarantined,
        formatInstant(one.nextScheduledAt),
        one.sentence,
      ]);
      return table(["model", "version", "state", "metric", "alerts", "quarantined", "next run", "in words"], rows);
    });
    return;
  }
  const answer = await client.status(model);
  printData(options, answer, () => {
    const rows = answer.rows.map(({ step, state, action, input, output, next }) => [
      step,
      state,
      action,
      input,
      output,
      next,
    ]);
    const tracker = answer.tracker.map(({ what, before, after }) => [what, before, after]);
    return [
      colors.bold(answer.sentence),
      ...(answer.run === null ? [] : [`Run ${answer.run.id} (${answer.run.state}): ${answer.run.cause}`]),
      "",
      table(["step", "state", "action", "input", "output", "next"], rows),
      ...(tracker.length === 0 ? [] : ["", table(["what", "before", "after"], tracker)]),
    ].join("\n");
  });
}
