/**
 * Our own output, kept to notice change: a model has one set of bytes on every version of Node and every processor. A change
 * here is a change of every trained model, and belongs into the changelog as "Behavior change".
 */
import { describe, expect, it } from "vitest";
import type { JsonObject, Task } from "../../../src/core/index.ts";
import { gbdt } from "../../../src/learn/gbdt/gbdt.ts";
import { bytesOf, request, scoresOf } from "./data.ts";

const RECORDED: readonly (readonly [Task, JsonObject, string])[] = [
  ["binary", { epochs: 40, rowShare: 0.8 }, "38f5fc82972cc868"],
  ["multiclass", { epochs: 15, grow: "depth" }, "488a1d77444b0203"],
  ["regression", { epochs: 30, loss: "poisson", monotone: { x0: 1 } }, "4ae13955d10e13da"],
];

describe("bytes of a model", () => {
  it.each(RECORDED)("are those recorded on Node 20, x64: %s", async (task, params, recorded) => {
    const trained = await gbdt.fit(request({ task, params, table: { task, missing: 0.1, weights: true } }));
    expect(bytesOf(trained).slice(-64, -48)).toBe(recorded);
  });

  it("answers like it did, to the last digit", async () => {
    const all = request({ params: { epochs: 40 } });
    const scores = scoresOf(await gbdt.fit(all), "binary", all.validation as never);
    expect(scores.slice(0, 4)).toEqual([
      0.06384039911785178, 0.9361596008821482, 0.17789317801449755, 0.8221068219855024,
    ]);
  });
});
