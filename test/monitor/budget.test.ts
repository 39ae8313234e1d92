import { describe, expect, it } from "vitest";
import { budgetShares } from "../../src/monitor/index.ts";

describe("a model's budget of false alarms", () => {
  it.each([
    ["both are on", {}, {}, 0.5, 0.125],
    ["comparisons are off", {}, null, 1, 0],
    ["the detector is off", null, {}, 0, 0.25],
    ["nothing is on", null, null, 0, 0],
  ])(
    "is used up by the detector and four comparisons, and by no more: %s",
    (_, conceptDrift, dataDrift, concept, comparison) => {
      for (const falseAlarms of [1, 6]) {
        const shares = budgetShares({ falseAlarms, conceptDrift, dataDrift });
        expect(shares).toEqual({ conceptDrift: falseAlarms * concept, comparison: falseAlarms * comparison });
        const isOn = conceptDrift !== null || dataDrift !== null;
        expect(shares.conceptDrift + 4 * shares.comparison).toBe(isOn ? falseAlarms : 0);
      }
    },
  );
});
