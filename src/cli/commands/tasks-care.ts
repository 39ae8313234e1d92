/** `retrain tasks adjudicate|gold|relabel`: what those do who care for the labeling queue. */
import { fail, plural } from "../../core/index.ts";
import { parseInstant } from "../../data/index.ts";
import { labelReaderOf } from "../label-text.ts";
import { printData } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export async function adjudicate(
  model: string,
  task: string,
  value: string | undefined,
  options: RemoteOptions & { readonly discard?: boolean; readonly comment?: string },
): Promise<void> {
  const { discard = false, comment } = options;
  if (discard !== (value === undefined)) {
    throw fail("USAGE", {
      message: "A verdict is a value, or --discard for an example that has none.",
      remedy: "Give exactly one of them.",
    });
  }
  const said = comment === undefined ? {} : { comment };
  if (value === undefined) {
    const answer = await connect(options).discardTask(model, task, said);
    printData(options, answer, () => "Given up; nobody is asked about this example again.");
    return;
  }
  const client = connect(options);
  const read = await labelReaderOf(client, model);
  const answer = await client.adjudicateTask(model, task, { value: read(value), ...said });
  printData(options, answer, () => `Decided; the task is ${answer.state}.`);
}

export async function gold(model: string, example: string, value: string, options: RemoteOptions): Promise<void> {
  const client = connect(options);
  const read = await labelReaderOf(client, model);
  const { added } = await client.addGoldTasks(model, [{ exampleId: example, value: read(value) }]);
  printData(options, { added }, () =>
    added === 0 ? `${example} is a gold question already.` : `Everybody is asked about ${example} once.`,
  );
}

export interface RelabelOptions extends RemoteOptions {
  readonly reason: string;
  readonly labeler?: string;
  readonly batch?: string;
  readonly value?: string;
  readonly since?: string;
  readonly yes?: boolean;
}

export async function relabel(model: string, to: string, options: RelabelOptions): Promise<void> {
  const { reason, labeler, batch, value, since, yes = false } = options;
  const from = since === undefined ? undefined : parseInstant(since);
  if (since !== undefined && from === undefined) {
    throw fail("USAGE", {
      message: `"${since}" is no time.`,
      remedy: "Write an ISO 8601 time, such as 2026-03-01T12:00:00Z.",
    });
  }
  const client = connect(options);
  const read = await labelReaderOf(client, model);
  const found = await client.relabel(model, {
    to: to === "null" ? null : read(to),
    reason,
    dryRun: !yes,
    ...(labeler === undefined ? {} : { labeler }),
    ...(batch === undefined ? {} : { batchId: batch }),
    ...(value === undefined ? {} : { value: read(value) }),
    ...(from === undefined ? {} : { since: from }),
  });
  printData(options, found, () =>
    yes
      ? `${found.changed} of ${plural(found.matched, "answer")} changed.`
      : `${plural(found.matched, "answer matches", "answers match")}; nothing is changed without --yes.`,
  );
}
