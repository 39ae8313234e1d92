/** `retrain tasks`: the labeling queue. */
import type { LabelingStats, TaskState } from "../../server/contract.ts";
import type { QueueStrategy } from "../../feedback/spec.ts";
import { fail, plural } from "../../core/index.ts";
import { parseInstant } from "../../data/index.ts";
import { formatInstant, formatNumber, printData, table } from "../output.ts";
import { featureText, labelReaderOf } from "../label-text.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface ListOptions extends RemoteOptions {
  readonly state?: string;
  readonly limit?: number;
}

export async function list(model: string, options: ListOptions): Promise<void> {
  const { state, limit = 20 } = options;
  const page = await connect(options).tasks(model, {
    limit,
    ...(state === undefined ? {} : { state: state as TaskState }),
  });
  printData(options, page, () => {
    if (page.items.length === 0) return `No task. Choose some with: retrain tasks build ${model}`;
    return table(
      ["id", "example", "why", "state", "asked", "model says", "answer"],
      page.items.map((task) => [
        task.id,
        task.exampleId,
        task.origin,
        task.state,
        formatInstant(task.createdAt),
        task.decision === undefined ? null : String(task.decision),
        task.answer === undefined ? null : String(task.answer),
      ]),
    );
  });
}

export async function build(
  model: string,
  options: RemoteOptions & { readonly count?: number; readonly strategy?: string },
): Promise<void> {
  const { count, strategy } = options;
  const batch = await connect(options).buildTasks(model, {
    ...(count === undefined ? {} : { count }),
    ...(strategy === undefined ? {} : { strategy: strategy as QueueStrategy }),
  });
  printData(options, batch, () => {
    const note = batch.note === undefined ? "" : `\n${batch.note}`;
    return `${plural(batch.picked, "task")} out of ${plural(batch.poolSize, "example")} by ${batch.strategy}, ${batch.random} of them drawn evenly.${note}`;
  });
}

export async function claim(
  model: string,
  options: RemoteOptions & { readonly count?: number; readonly reviews?: boolean },
): Promise<void> {
  const only = options.reviews === true ? "reviews" : undefined;
  const session = await connect(options).claimTasks(model, options.count ?? 1, undefined, only);
  printData(options, session, () => {
    const choices = session.choices === null ? "a number" : session.choices.join(", ");
    const blocks = session.tasks.map((task) => {
      const suggestion =
        task.suggestion === undefined
          ? ""
          : `\nmodel says ${String(task.suggestion.decision)} (${task.suggestion.version})`;
      const rows = Object.entries(task.features).map(([name, value]) => [name, featureText(value)]);
      return `task ${task.id}, example ${task.exampleId}\n${table(["feature", "value"], rows)}${suggestion}`;
    });
    if (blocks.length === 0) return "No task is left for you.";
    return `${blocks.join("\n\n")}\n\nAnswer with: retrain tasks answer ${model} <task> <value>   (${choices})`;
  });
}

export async function answer(
  model: string,
  task: string,
  value: string | undefined,
  options: RemoteOptions & { readonly skip?: boolean; readonly flag?: boolean; readonly comment?: string },
): Promise<void> {
  const kind = options.skip === true ? "skip" : options.flag === true ? "flag" : "answer";
  if ((kind === "answer") !== (value !== undefined)) {
    throw fail("USAGE", { message: "An answer needs a value; a skip or a flag has none.", remedy: "Add one of them." });
  }
  const client = connect(options);
  const answered = await client.answerTask(model, task, {
    kind,
    ...(value === undefined ? {} : { value: (await labelReaderOf(client, model))(value) }),
    ...(options.comment === undefined ? {} : { comment: options.comment }),
  });
  printData(options, answered, () => `${kind} kept; the task is ${answered.state}.`);
}

export async function undo(model: string, options: RemoteOptions): Promise<void> {
  const undone = await connect(options).undoAnswer(model);
  printData(options, undone, () => `Taken back; task ${undone.task.id} is yours again.`);
}

export async function release(model: string, options: RemoteOptions): Promise<void> {
  const { released } = await connect(options).releaseTasks(model);
  printData(options, { released }, () => `${plural(released, "task")} given back.`);
}

export async function stats(model: string, options: RemoteOptions): Promise<void> {
  const found = await connect(options).labelingStats(model);
  printData(options, found, () => {
    const { states, agreement, labelers, performance, reviewed, advice } = found;
    const share = (value: number | null) => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
    const people = table(
      ["who", "answers", "skips", "agrees", "gold", "quality"],
      labelers.map((one) => [
        one.labeler,
        one.answers,
        one.skips,
        share(one.agreesWithConsensus),
        one.gold.asked === 0 ? "–" : `${one.gold.right}/${one.gold.asked}`,
        share(one.estimatedAccuracy),
      ]),
    );
    const fair = performance.map(
      (one) =>
        `${one.version}: ${one.metric} ${formatNumber(one.value)} (95 % ${one.interval?.map((end) => end.toFixed(3)).join(" to ") ?? "–"}) from ${plural(one.labels, "fair label")}, ${one.leftOut} left out`,
    );
    const checked = reviewed.map(
      (one) =>
        `${one.version}: errorRate ${formatNumber(one.value)} (95 % ${one.interval?.map((end) => end.toFixed(3)).join(" to ") ?? "–"}) of about ${plural(one.answers, "answer")}, from ${one.reviewed.labelled} of ${plural(one.reviewed.asked, "review")} and ${one.audited.labelled} of ${plural(one.audited.asked, "audit")}${one.reason === undefined ? "" : `. ${one.reason}`}`,
    );
    return [
      `${states.open} open, ${states.adjudicate} to adjudicate, ${states.done} done, ${states.discarded} discarded`,
      agreement.sentence,
      ...(agreement.overlapping === 0 ? [] : [measuresOf(agreement)]),
      ...(labelers.length === 0 ? [] : [people]),
      ...fair,
      ...checked,
      advice.reason,
    ].join("\n");
  });
}

/** Every measure of agreement that can be told, with whom it is about. */
function measuresOf({ alpha, kappa, fleiss }: LabelingStats["agreement"]): string {
  return table(
    ["agreement", "value", "between"],
    [
      ["Krippendorff's alpha", formatNumber(alpha), "everybody"],
      ["Cohen's kappa", formatNumber(kappa?.value ?? null), kappa?.between.join(" and ") ?? null],
      ["weighted kappa", formatNumber(kappa?.weighted ?? null), kappa?.between.join(" and ") ?? null],
      [
        "Fleiss' kappa",
        formatNumber(fleiss?.value ?? null),
        fleiss === null ? null : `${plural(fleiss.raters, "person", "people")} a task`,
      ],
    ],
  );
}

export async function curve(model: string, options: RemoteOptions): Promise<void> {
  const drawn = await connect(options).drawLearningCurve(model);
  printData(options, drawn, () =>
    table(
      ["labels", `${drawn.metric}, chosen by score`, `${drawn.metric}, other labels`],
      [...new Set([...drawn.strategy, ...drawn.random].map(({ labels }) => labels))]
        .sort((left, right) => left - right)
        .map((labels) => [
          labels,
          drawn.strategy.find((point) => point.labels === labels)?.value ?? null,
          drawn.random.find((point) => point.labels === labels)?.value ?? null,
        ]),
    ),
  );
}

export async function history(
  model: string,
  example: string,
  options: RemoteOptions & { readonly asOf?: string },
): Promise<void> {
  const asOf = options.asOf === undefined ? undefined : parseInstant(options.asOf);
  if (options.asOf !== undefined && asOf === undefined) {
    throw fail("USAGE", {
      message: `"${options.asOf}" is no time.`,
      remedy: "Write an ISO 8601 time, such as 2026-03-01T12:00:00Z.",
    });
  }
  const found = await connect(options).labelHistory(model, example, asOf === undefined ? {} : { asOf });
  printData(options, found, () => {
    if (found.statements.length === 0) return `Nobody has stated a label of ${example}.`;
    const rows = found.statements.map((one) => [
      one.isEffective ? "counts" : "",
      one.value === null ? "taken back" : String(one.value),
      one.source,
      formatInstant(one.at),
      formatInstant(one.receivedAt),
      one.selective ? "no" : "yes",
      one.comment,
    ]);
    return table(["", "value", "source", "true since", "known since", "may judge", "comment"], rows);
  });
}
