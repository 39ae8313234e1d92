import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashExampleId, type SplitInput, type SplitPolicy, splitRows, type Splits } from "../../src/data/index.ts";

const DAY = 86_400_000;

interface Row {
  readonly id: string;
  readonly at: number;
  readonly knownAt: number;
}

function inputOf(rows: readonly Row[]): SplitInput & { readonly ids: readonly string[] } {
  const sorted = [...rows].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  const idHash = new Uint32Array(sorted.length * 2);
  sorted.forEach((row, i) => idHash.set(hashExampleId(row.id), i * 2));
  return {
    rows: sorted.length,
    at: Float64Array.from(sorted, (row) => row.at),
    knownAt: Float64Array.from(sorted, (row) => row.knownAt),
    idHash,
    ids: sorted.map((row) => row.id),
  };
}

const policyOf = (change: Partial<SplitPolicy> = {}): SplitPolicy => ({
  holdout: { share: 0.25, minRows: 200, maxRows: 10_000 },
  validationShare: 0.2,
  labelDelayMs: 0,
  timeOrdered: true,
  ...change,
});

const hourly = (count: number, from = 0): Row[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `e${from + i}`,
    at: (from + i) * 3_600_000,
    knownAt: (from + i) * 3_600_000,
  }));
const delivery = (count: number, name: string, knownAt: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({ id: `${name}${i}`, at: knownAt, knownAt }));

function partOf(input: { readonly ids: readonly string[] }, splits: Splits): Map<string, number> {
  return new Map(input.ids.map((id, i) => [id, splits.assignment[i] as number]));
}

describe("splits by event time", () => {
  it("hold out the newest share and validate on the newest of the rest", () => {
    const splits = splitRows(inputOf(hourly(1000)), policyOf(), 1e12);
    expect([splits.train.length, splits.validation.length, splits.holdout.length]).toEqual([600, 150, 250]);
    expect(splits.holdoutFrom).toBe(750 * 3_600_000);
  });

  it("keep at least minRows, at most maxRows, and never more than half", () => {
    const size = (rows: number, holdout: SplitPolicy["holdout"]) =>
      splitRows(inputOf(hourly(rows)), policyOf({ holdout }), 1e12).holdout.length;
    expect(size(600, { share: 0.25, minRows: 200, maxRows: 10_000 })).toBe(200);
    expect(size(300, { share: 0.25, minRows: 200, maxRows: 10_000 })).toBe(150);
    expect(size(1000, { share: 0.5, minRows: 10, maxRows: 100 })).toBe(100);
  });

  it("leave out rows too young for the label delay, and embargo those whose label the holdout could not have known", () => {
    const now = 1000 * 3_600_000;
    const splits = splitRows(inputOf(hourly(1000)), policyOf({ labelDelayMs: 2 * DAY }), now);
    expect(splits.immatureRows).toBe(47);
    expect(splits.embargoedRows).toBe(47);
    expect(splits.holdoutTo).toBeLessThanOrEqual(now - 2 * DAY);
  });

  it("never have a row twice, future in training, or an instant cut in two", () => {
    const events = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 30, maxLength: 300 });
    fc.assert(
      fc.property(events, fc.integer({ min: 0, max: 20 }), (hours, delay) => {
        const rows = hours.map((hour, i) => ({ id: `e${i}`, at: hour, knownAt: hour }));
        const input = inputOf(rows);
        const policy = policyOf({ labelDelayMs: delay, holdout: { share: 0.25, minRows: 5, maxRows: 50 } });
        let splits: Splits;
        try {
          splits = splitRows(input, policy, 310);
        } catch (error) {
          expect(error).toMatchObject({ code: "SPLIT_EMPTY" });
          return;
        }
        const all = [...splits.train, ...splits.validation, ...splits.holdout];
        expect(new Set(all).size).toBe(all.length);
        if (new Set(hours).size === 1) return;
        const latest = (part: Uint32Array) => Math.max(...Array.from(part, (row) => input.at[row] as number));
        expect(latest(splits.train)).toBeLessThan(splits.holdoutFrom);
        expect(latest(splits.train) + delay).toBeLessThanOrEqual(splits.holdoutFrom);
        expect(latest(splits.validation) + delay).toBeLessThanOrEqual(splits.holdoutFrom);
        expect(splits.holdoutTo).toBeLessThanOrEqual(310 - delay);
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  it("name every split that got none, and rows of the future as such", () => {
    const future = () => splitRows(inputOf(hourly(48)), policyOf({ labelDelayMs: 0 }), -3_600_000);
    expect(future).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(
          /the training, validation and holdout splits got none: .* with a time in the future 48,/,
        ),
        remedy: "Correct the times of the rows, or wait until they have come.",
      }),
    );
  });

  it("say with numbers why nothing is left", () => {
    expect(() => splitRows(inputOf(hourly(48)), policyOf({ labelDelayMs: 14 * DAY }), 48 * 3_600_000)).toThrow(
      expect.objectContaining({ code: "SPLIT_EMPTY", message: expect.stringContaining("48") }),
    );
  });
});

describe("splits without event time", () => {
  const policy = policyOf({ timeOrdered: false });

  it("hold out exactly the share of every delivery: 1,000 rows and then 200 give 300", () => {
    const first = delivery(1000, "a", 1);
    const second = delivery(200, "b", 2);
    const before = splitRows(inputOf(first), policy, 10);
    const input = inputOf([...first, ...second]);
    const after = splitRows(input, policy, 10);
    expect([before.holdout.length, after.holdout.length]).toEqual([250, 300]);
    const held = Array.from(after.holdout, (row) => input.ids[row] as string);
    expect(held.filter((id) => id.startsWith("b"))).toHaveLength(50);
  });

  it("never move a row from training into the holdout, whatever arrives later", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 2, maxLength: 8 }), (sizes) => {
        const deliveries = sizes.map((size, i) => delivery(size, `d${i}-`, i));
        const small = policyOf({ timeOrdered: false, holdout: { share: 0.25, minRows: 20, maxRows: 60 } });
        let known = new Map<string, number>();
        for (let count = 1; count <= deliveries.length; count++) {
          const input = inputOf(deliveries.slice(0, count).flat());
          let splits: Splits;
          try {
            splits = splitRows(input, small, 100);
          } catch {
            continue;
          }
          const now = partOf(input, splits);
          for (const [id, part] of now) {
            if (part === 3 && known.has(id)) expect(known.get(id)).toBe(3);
          }
          known = now;
          expect(splits.holdout.length).toBeLessThanOrEqual(60);
        }
      }),
      { numRuns: 200, seed: 4 },
    );
  });

  it("do not depend on the order in which rows stand", () => {
    const rows = [...delivery(100, "a", 1), ...delivery(60, "b", 2)];
    const straight = inputOf(rows);
    const reverse = { ...inputOf(rows) };
    const turned = inputOf(rows.map((row) => ({ ...row, at: -row.at })));
    const of = (input: typeof straight) =>
      [...partOf(input, splitRows(input, policy, 10))].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(of(turned)).toEqual(of(straight));
    expect(of(reverse)).toEqual(of(straight));
  });
});

describe("rows that were labelled because of a score", () => {
  const marked = (input: SplitInput, isMarked: (row: number) => boolean): SplitInput => ({
    ...input,
    selective: Uint8Array.from({ length: input.rows }, (_, row) => (isMarked(row) ? 1 : 0)),
  });

  it("never judge, whatever the split, and leave the other rows' parts as they would be alone", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 60, maxLength: 400 }), fc.boolean(), (marks, timeOrdered) => {
        const rows = hourly(marks.length);
        fc.pre(marks.filter((mark) => !mark).length >= 40);
        const policy = policyOf({ timeOrdered, holdout: { share: 0.25, minRows: 5, maxRows: 10_000 } });
        const input = inputOf(rows);
        const splits = splitRows(
          marked(input, (row) => marks[row] === true),
          policy,
          1e12,
        );
        for (const row of [...splits.holdout, ...splits.validation]) expect(marks[row]).toBe(false);
        const alone = splitRows(inputOf(rows.filter((_, row) => marks[row] === false)), policy, 1e12);
        const parts = [...splits.assignment].filter((_, row) => marks[row] === false);
        expect(parts).toEqual([...alone.assignment]);
      }),
      { numRuns: 40 },
    );
  });

  it("train only where their label was known when the holdout begins", () => {
    const input = marked(inputOf(hourly(400)), (row) => row % 2 === 0);
    const policy = policyOf({ labelDelayMs: 10 * 3_600_000, holdout: { share: 0.25, minRows: 20, maxRows: 1_000 } });
    const splits = splitRows(input, policy, 400 * 3_600_000);
    const trained = [...splits.train].filter((row) => row % 2 === 0).map((row) => input.at[row] as number);
    expect(Math.max(...trained)).toBeLessThanOrEqual(splits.holdoutFrom - policy.labelDelayMs);
    expect(trained.length).toBeGreaterThan(100);
  });
});
