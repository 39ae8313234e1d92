/** Freezes the dataset version: what was known as of the run's instant, in its own file, content-hashed. */
import { plural } from "../../core/index.ts";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { logSchemaOf } from "../context.ts";
import { type RunStep, textOf } from "../run-record.ts";
import { jobInput, jobOptions, runJob } from "./job.ts";

export const snapshot: RunStep = {
  name: "snapshot",
  async run(input) {
    const { context, run, spec, folder } = input;
    await mkdir(folder, { recursive: true });
    const { windowMs, windowRows } = spec.data;
    const file = await context.store.log.writeDataset({
      schema: logSchemaOf(spec),
      asOf: run.asOf,
      path: join(folder, "dataset.parquet"),
      ...(spec.schema.forecast === undefined && spec.schema.recommend === undefined
        ? {}
        : { featuresFrom: "observation" as const }),
      ...(windowMs === undefined ? {} : { from: run.asOf - windowMs }),
      ...(windowRows === undefined ? {} : { maxRows: windowRows }),
    });
    const columns = spec.schema.features.length;
    const read = `labelled rows as of ${new Date(run.asOf).toISOString()}`;
    if (file.rows < spec.data.minRows) {
      const rows = `${file.rows} labelled ${file.rows === 1 ? "row is" : "rows are"}`;
      const reason = `${rows} in the window; a run of ${spec.name} needs ${spec.data.minRows} (data.minRows).`;
      return {
        input: read,
        output: `${file.rows} of ${plural(spec.data.minRows, "row")} needed`,
        data: { rows: file.rows },
        stop: {
          state: "stopped",
          code: "DATASET_TOO_SMALL",
          reason,
          remedy: "Send labelled rows, widen `data.window`, or lower `data.minRows`.",
        },
      };
    }
    const opened = await runJob(input, "open", jobInput(input), jobOptions(input));
    return {
      input: read,
      output: `${file.rows.toLocaleString("en-US")} × ${columns}, ${textOf(opened, "hash").slice(0, 12)}`,
      data: { ...opened, rows: file.rows, columns, minAt: file.minAt, maxAt: file.maxAt, receivedThrough: run.asOf },
    };
  },
};
