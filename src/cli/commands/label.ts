/** `retrain label`: what was true of one example. */
import type { LabelBody, LabelSource } from "../../server/contract.ts";
import { fail, LABEL_PRECEDENCE } from "../../core/index.ts";
import { labelReaderOf } from "../label-text.ts";
import { printData } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";
import { ingestText } from "./ingest.ts";

export interface LabelOptions extends RemoteOptions {
  readonly prediction?: boolean;
  readonly at?: string;
  readonly source?: string;
}

export async function label(model: string, id: string, text: string, options: LabelOptions): Promise<void> {
  const { source } = options;
  if (source !== undefined && !LABEL_PRECEDENCE.includes(source as LabelSource)) {
    throw fail("USAGE", {
      message: `"${source}" is no source of labels.`,
      remedy: `Use ${LABEL_PRECEDENCE.join(", ")}.`,
    });
  }
  const client = connect(options);
  const body: LabelBody = {
    ...(options.prediction === true ? { predictionId: id } : { exampleId: id }),
    label: text === "null" ? null : (await labelReaderOf(client, model))(text),
    ...(options.at === undefined ? {} : { at: options.at }),
    ...(source === undefined ? {} : { source: source as LabelSource }),
  };
  const answer = await client.label(model, body);
  if (answer.quarantined > 0) {
    const reasons = answer.problems.flatMap((problem) => problem.reasons.map(({ message }) => message));
    throw fail("ROW_INVALID", { message: reasons.join(" "), remedy: "Correct the value or the id." });
  }
  printData(options, answer, () => ingestText(answer));
}
