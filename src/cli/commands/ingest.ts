/** `retrain ingest`: a file of rows, streamed as it is. */
import { createReadStream, existsSync } from "node:fs";
import { basename } from "node:path";
import { Readable } from "node:stream";
import type { RequestBody } from "../../client/index.ts";
import { formatOfPath } from "../../collect/index.ts";
import { fail, plural } from "../../core/index.ts";
import type { IngestResult } from "../../server/contract.ts";
import { printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface IngestOptions extends RemoteOptions {
  readonly labels?: boolean;
  readonly knownAt?: string;
  readonly missing?: string;
}

const TYPES = {
  csv: "text/csv",
  ndjson: "application/x-ndjson",
  json: "application/json",
  parquet: "application/vnd.apache.parquet",
} as const;

export async function ingest(model: string, file: string, options: IngestOptions): Promise<void> {
  const isStdin = file === "-";
  if (!isStdin && !existsSync(file)) {
    throw fail("USAGE", { message: `There is no file ${JSON.stringify(file)}.`, remedy: "Check the path." });
  }
  const stream = isStdin ? process.stdin : createReadStream(file);
  const answer = await connect(options).upload(model, Readable.toWeb(stream) as unknown as RequestBody, {
    contentType: TYPES[isStdin ? "ndjson" : formatOfPath(basename(file))],
    idempotencyKey: null,
    origin: "cli",
    ...(options.labels === true ? { form: "label" } : {}),
    ...(options.knownAt === undefined ? {} : { knownAt: options.knownAt }),
    ...(options.missing === undefined ? {} : { missing: options.missing }),
  });
  printData(options, answer, () => ingestText(answer));
}

export function ingestText(answer: IngestResult): string {
  const lines = [
    `${plural(answer.received, "row")} received: ${answer.accepted} accepted, ${answer.quarantined} quarantined, ${answer.labelled} with a label.`,
    ...answer.anomalies.map(({ code, message }) => `${code}: ${message}`),
  ];
  if (answer.problems.length > 0) {
    const rows = answer.problems.map(({ rowNumber, reasons }) => [
      rowNumber,
      reasons.map(({ message }) => message).join(" "),
    ]);
    lines.push("", table(["row", "why it is quarantined"], rows));
  }
  return lines.join("\n");
}
