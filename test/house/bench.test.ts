import { describe, expect, it } from "vitest";
import { formatResult, keepsLimits, measure, median, quantile } from "../../bench/harness.ts";

describe("the benchmark harness", () => {
  it("takes medians and quartiles between neighbors", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(quantile([0, 10, 20, 30, 40], 0.25)).toBe(10);
    expect(median([])).toBeNaN();
  });

  it("runs the workloads in turn, every other round in reverse, and leaves warm-ups out", async () => {
    const order: string[] = [];
    const workload = (name: string) => ({ name, run: () => order.push(name) });
    const [a] = await measure([workload("a"), workload("b")], { rounds: 3, warmups: 2 });
    expect(order.join("")).toBe("abbaabbaab");
    expect(a?.rounds).toBe(3);
  });

  it("counts time per item, on the clock and on the processor", async () => {
    const spin = (name: string, items: number) => ({
      name,
      items,
      run: () => {
        const until = process.hrtime.bigint() + 4_000_000n;
        while (process.hrtime.bigint() < until);
      },
    });
    const [one, four] = await measure([spin("one", 1), spin("four", 4)], { rounds: 3, warmups: 0 });
    expect(one?.wallNs).toBeGreaterThanOrEqual(4e6);
    expect(four?.wallNs).toBeGreaterThanOrEqual(1e6);
    expect(four?.wallNs).toBeLessThan(one?.wallNs ?? 0);
    expect(one?.cpuNs).toBeGreaterThan(1e6);
  });

  it("prints ratios to the named baseline", () => {
    const item = { cpuNs: 1000, lowerNs: 900, upperNs: 1100, rounds: 3 };
    const measurements = [
      { name: "engine", wallNs: 1000, ...item },
      { name: "ours", wallNs: 2500, ...item },
    ];
    expect(formatResult({ baseline: "engine", measurements })).toBe(
      [
        "per item   median       middle half  ratio      cpu  cpu ratio",
        "engine    1.00 µs  900 ns … 1.10 µs  1.00×  1.00 µs      1.00×",
        "ours      2.50 µs  900 ns … 1.10 µs  2.50×  1.00 µs      1.00×",
        "",
        'Ratios are to "engine".',
      ].join("\n"),
    );
  });

  it("holds figures against their limits", () => {
    const figures = [
      { name: "rows per second", value: 61_234.5, unit: "rows/s", atLeast: 50_000 },
      { name: "p99", value: 120, unit: "ms", atMost: 100 },
    ];
    const text = formatResult({ figures });
    expect(text).toMatch(/rows per second +61230 rows\/s +≥ 50000 rows\/s +kept/);
    expect(text).toMatch(/p99 +120 ms +≤ 100 ms +MISSED/);
    expect(keepsLimits({ figures })).toBe(false);
    expect(keepsLimits({ figures: figures.slice(0, 1) })).toBe(true);
  });
});
