// One round of asking, as the queue asks: the rows with the most to tell, spread over the data, and a share drawn evenly.
import type { createPreparedWriter, Frame } from "../src/data/index.ts";
import { selectBatch } from "../src/feedback/select-batch.ts";

interface Round {
  readonly frame: Frame;
  readonly writer: ReturnType<typeof createPreparedWriter>;
  /** Rows of the frame that have no label yet. */
  readonly rest: ArrayLike<number>;
  /** By place in `rest`. */
  readonly acquisition: Float64Array;
  readonly count: number;
  readonly randomShare: number;
  readonly seed: number;
}

/** @returns rows of the frame */
export function nextAsked({ frame, writer, rest, acquisition, ...wanted }: Round): number[] {
  const embed = (rows: Uint32Array) => ({
    dimension: writer.width,
    values: writer.writeFrame(
      frame,
      rows.map((row) => rest[row] as number),
    ),
  });
  const picks = selectBatch(
    { rows: rest.length, acquisition, embed },
    { ...wanted, sampling: "top", diversity: true, density: false },
  );
  return picks.map(({ row }) => rest[row] as number);
}
