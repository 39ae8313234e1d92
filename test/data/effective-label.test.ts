import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LabelEvent, LabelSource, LoggedEvent } from "../../src/core/index.ts";
import { effectiveLabel } from "../../src/data/index.ts";

type Said = readonly [LabelSource, boolean | null, number];
const statement = ([labelSource, value, receivedAt]: Said, seq = 0): LoggedEvent<LabelEvent> => ({
  kind: "label",
  exampleId: "e",
  at: 0,
  value,
  labelSource,
  receivedAt,
  transactionId: BigInt(receivedAt),
  seq: BigInt(seq),
});
const decide = (said: readonly Said[]) => effectiveLabel(said.map((one, i) => statement(one, i)))?.value;

describe("the effective label", () => {
  it.each<[string, Said[], boolean | undefined]>([
    ["nothing said", [], undefined],
    ["the only word", [["user", true, 1]], true],
    [
      "the last word of a source",
      [
        ["user", true, 1],
        ["user", false, 2],
      ],
      false,
    ],
    [
      "the last word, in whatever order it is read",
      [
        ["user", false, 2],
        ["user", true, 1],
      ],
      false,
    ],
    [
      "the stronger source, even when it spoke earlier",
      [
        ["system", true, 1],
        ["user", false, 9],
      ],
      true,
    ],
    [
      "expert over user over rule",
      [
        ["rule", false, 3],
        ["expert", true, 1],
        ["user", false, 2],
      ],
      true,
    ],
    [
      "a retraction, which lets the weaker speak",
      [
        ["system", true, 1],
        ["user", false, 2],
        ["system", null, 3],
      ],
      false,
    ],
    [
      "a retraction of the only word",
      [
        ["user", true, 1],
        ["user", null, 2],
      ],
      undefined,
    ],
    [
      "a new word after a retraction",
      [
        ["user", true, 1],
        ["user", null, 2],
        ["user", false, 3],
      ],
      false,
    ],
  ])("is decided by %s", (_title, said, value) => {
    expect(decide(said)).toBe(value);
  });

  it("does not depend on the order of reading", () => {
    const said = fc.array(
      fc.tuple(
        fc.constantFrom<LabelSource>("system", "expert", "user", "rule"),
        fc.constantFrom(true, false, null),
        fc.integer({ min: 0, max: 5 }),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(said, (all) => {
        const events = all.map((one, i) => statement(one, i));
        expect(effectiveLabel(events.toReversed())).toEqual(effectiveLabel(events));
      }),
      { seed: 1 },
    );
  });
});
