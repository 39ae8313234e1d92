/** Every job the training process does, by type. */
import type { JobHandler } from "../core/job-child.ts";
import { assess } from "./assess.ts";
import { choose } from "./best.ts";
import { evaluate } from "./evaluate.ts";
import { importOnnx } from "./import-onnx.ts";
import { learningCurve } from "./learning-curve.ts";
import { open } from "./open.ts";
import { prepare } from "./prepare.ts";
import { queue } from "./queue.ts";
import { regate } from "./regate.ts";
import { reproduce } from "./reproduce.ts";
import { train } from "./train.ts";

export const JOB_HANDLERS: Readonly<Record<string, JobHandler>> = {
  open,
  assess,
  prepare,
  train,
  choose,
  evaluate,
  regate,
  reproduce,
  queue,
  "import-onnx": importOnnx,
  "learning-curve": learningCurve,
};
