import { describe, expect, it } from "vitest";
import type { Annotation, AnnotationKind, LabelingTask, LabelValue } from "../../src/core/index.ts";
import { consensusOf, settleTask } from "../../src/feedback/consensus.ts";

const task = (change: Partial<LabelingTask> = {}) =>
  ({ id: "t", origin: "strategy", needed: 1, state: "open", ...change }) as LabelingTask;
const said = (...words: readonly (readonly [AnnotationKind, LabelValue?])[]) =>
  words.map(
    ([kind, value], i) => ({ kind, labeler: `p${i}`, ...(value === undefined ? {} : { value }) }) as Annotation,
  );

describe("settleTask", () => {
  it.each([
    ["one answer where one is asked", {}, said(["answer", "a"]), { state: "done", answer: "a", label: "a" }],
    ["one of two", { needed: 2 }, said(["answer", "a"]), { state: "open", needed: 2 }],
    ["two that agree", { needed: 2 }, said(["answer", "a"], ["answer", "a"]), { state: "done", label: "a" }],
    ["two that differ", { needed: 2 }, said(["answer", "a"], ["answer", "b"]), { state: "open", needed: 3 }],
    [
      "two of three",
      { needed: 3 },
      said(["answer", "a"], ["answer", "b"], ["answer", "b"]),
      { state: "done", label: "b" },
    ],
    ["three ways", { needed: 3 }, said(["answer", "a"], ["answer", "b"], ["answer", "c"]), { state: "adjudicate" }],
    ["a skip", {}, said(["skip"]), { state: "open" }],
    ["three skips", {}, said(["skip"], ["skip"], ["skip"]), { state: "adjudicate" }],
    ["a flag", { needed: 2 }, said(["answer", "a"], ["flag"]), { state: "adjudicate" }],
    [
      "an adjudicator against all",
      { needed: 2 },
      said(["answer", "a"], ["answer", "a"], ["adjudication", "b"]),
      { state: "done", answer: "b", closedBy: "adjudication", label: "b" },
    ],
    ["an answer taken back", { state: "done", answer: "a" }, [], { state: "open", label: null }],
    ["gold", { origin: "gold", answer: "a" }, said(["answer", "b"]), { state: "open", answer: "a" }],
  ] as const)("%s", (_, change, annotations, expected) => {
    const settled = settleTask(task(change as Partial<LabelingTask>), annotations);
    expect(settled).toMatchObject(expected);
    if (!("label" in expected)) expect(settled).not.toHaveProperty("label");
  });

  it("states nothing again when the answer stays the same", () => {
    const settled = settleTask(task({ state: "done", answer: true }), said(["answer", true]));
    expect(settled).not.toHaveProperty("label");
  });
});

describe("consensusOf", () => {
  it("takes the median of numbers that are near each other, and none of numbers that are not", () => {
    expect(consensusOf([10, 10.4, 10.2])).toBe(10.2);
    expect(consensusOf([10, 11])).toBe(10.5);
    expect(consensusOf([10, 20])).toBeUndefined();
    expect(consensusOf([])).toBeUndefined();
    expect(consensusOf(["a", "b"])).toBeUndefined();
  });
});
