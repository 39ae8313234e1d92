// How figures are taken: rounds of all workloads in turn, so that a slow minute of the machine hits each alike, and
// medians, so that one pause does not decide. CPU time stands beside the clock, because on a shared machine it repeats
// better. What a harness cannot repair: a busy machine. Compare ratios of one run, not times of two.

export interface Workload {
  readonly name: string;
  /** One repetition of the work, from start to end. */
  readonly run: () => unknown;
  /** Items one repetition handles; times are given per item. Default 1. */
  readonly items?: number;
}

export interface Measurement {
  readonly name: string;
  /** Medians over the rounds, in nanoseconds per item. */
  readonly wallNs: number;
  readonly cpuNs: number;
  /** The round in the middle of each half, as a sign of how steady the figure is. */
  readonly lowerNs: number;
  readonly upperNs: number;
  readonly rounds: number;
}

/** A figure taken as a whole, held against its limit. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface BenchResult {
  /** Name of the measurement others are divided by. */
  readonly baseline?: string;
  readonly measurements?: readonly Measurement[];
  readonly figures?: readonly Figure[];
  readonly notes?: readonly string[];
}

/** The `share` quantile by linear interpolation; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

async function once(workload: Workload): Promise<{ wallNs: number; cpuNs: number }> {
  const items = workload.items ?? 1;
  const cpuBefore = process.cpuUsage();
  const from = process.hrtime.bigint();
  await workload.run();
  const wallNs = Number(process.hrtime.bigint() - from) / items;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { wallNs, cpuNs: ((user + system) * 1000) / items };
}

/** Runs the workloads in turn, `rounds` times after `warmups` unmeasured rounds; odd rounds go in reverse order. */
export async function measure(
  workloads: readonly Workload[],
  { rounds = 15, warmups = 3 }: { readonly rounds?: number; readonly warmups?: number } = {},
): Promise<Measurement[]> {
  const samples = new Map(workloads.map(({ name }) => [name, { wall: [] as number[], cpu: [] as number[] }]));
  for (let round = -warmups; round < rounds; round += 1) {
    for (const workload of round % 2 === 0 ? workloads : workloads.toReversed()) {
      const { wallNs, cpuNs } = await once(workload);
      const kept = samples.get(workload.name);
      if (round < 0 || !kept) continue;
      kept.wall.push(wallNs);
      kept.cpu.push(cpuNs);
    }
  }
  return [...samples].map(([name, { wall, cpu }]) => ({
    name,
    wallNs: median(wall),
    cpuNs: median(cpu),
    lowerNs: quantile(wall, 0.25),
    upperNs: quantile(wall, 0.75),
    rounds,
  }));
}

function time(ns: number): string {
  const units = [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "µs"],
    [1, "ns"],
  ] as const;
  const [size, unit] = units.find(([limit]) => ns >= limit) ?? [1, "ns"];
  return `${(ns / size).toPrecision(3)} ${unit}`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)));
  return rows.map((row) => line(row).join("  ").trimEnd()).join("\n");
}

/** Whether every figure keeps its limit. */
export function keepsLimits(result: BenchResult): boolean {
  return (result.figures ?? []).every(isKept);
}

function isKept({ value, atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY }: Figure): boolean {
  return value <= atMost && value >= atLeast;
}

/** The result as tables for a terminal: medians with their ratio to the baseline, then figures with their limits. */
export function formatResult(result: BenchResult): string {
  const parts: string[] = [];
  if (result.measurements?.length) {
    const base = result.measurements.find(({ name }) => name === result.baseline);
    const ratio = (value: number, of: number | undefined) => (of ? `${(value / of).toFixed(2)}×` : "");
    const rows = result.measurements.map((item) => [
      item.name,
      time(item.wallNs),
      `${time(item.lowerNs)} … ${time(item.upperNs)}`,
      ratio(item.wallNs, base?.wallNs),
      time(item.cpuNs),
      ratio(item.cpuNs, base?.cpuNs),
    ]);
    parts.push(table([["per item", "median", "middle half", "ratio", "cpu", "cpu ratio"], ...rows]));
    if (base) parts.push(`Ratios are to "${base.name}".`);
  }
  if (result.figures?.length) {
    const limit = ({ atMost, atLeast, unit }: Figure) =>
      atMost !== undefined ? `≤ ${atMost} ${unit}` : atLeast !== undefined ? `≥ ${atLeast} ${unit}` : "";
    const number = (value: number) => String(Number(value.toPrecision(4)));
    const rows = result.figures.map((figure) => [
      figure.name,
      `${number(figure.value)} ${figure.unit}`,
      limit(figure),
      limit(figure) === "" ? "" : isKept(figure) ? "kept" : "MISSED",
    ]);
    parts.push(table([["figure", "value", "limit", ""], ...rows]));
  }
  return [...parts, ...(result.notes ?? [])].join("\n\n");
}
