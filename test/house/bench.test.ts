import { describe, expect, it, vi } from "vitest";
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
    // The clock and the processor's counter move by what the workload says, so that the figures are exact on a busy machine.
    const passed = { wallNs: 0n, userUs: 0, systemUs: 0 };
    vi.spyOn(process.hrtime, "bigint").mockImplementation(() => passed.wallNs);
    vi.spyOn(process, "cpuUsage").mockImplementation((since) => ({
      user: passed.userUs - (since?.user ?? 0),
      system: passed.systemUs - (since?.system ?? 0),
    }));
    const spend = (name: string, items: number) => ({
      name,
      items,
      run: () => {
        passed.wallNs += 8_000_000n;
        passed.userUs += 3_000;
        passed.systemUs += 1_000;
      },
    });
    const measured = await measure([spend("one", 1), spend("four", 4)], { rounds: 3, warmups: 0 }).finally(() =>
      vi.restoreAllMocks(),
    );
    expect(measured).toEqual([
      { name: "one", wallNs: 8e6, cpuNs: 4e6, lowerNs: 8e6, upperNs: 8e6, rounds: 3 },
      { name: "four", wallNs: 2e6, cpuNs: 1e6, lowerNs: 2e6, upperNs: 2e6, rounds: 3 },
    ]);
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
