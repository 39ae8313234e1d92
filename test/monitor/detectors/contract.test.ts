import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RetrainError } from "../../../src/core/errors.ts";
import { createRandom } from "../../../src/core/random.ts";
import {
  createAdwin,
  createDdm,
  createPageHinkley,
  DETECTORS,
  type DetectorKind,
  type DriftDetector,
} from "../../../src/monitor/detectors/index.ts";
import { binomialCdf, binomialSf } from "../../../src/stats/index.ts";

const bits = (seed: number, shares: readonly [rows: number, share: number][]): number[] => {
  const random = createRandom(seed);
  return shares.flatMap(([rows, share]) => Array.from({ length: rows }, () => (random.nextFloat() < share ? 1 : 0)));
};

const run = (detector: DriftDetector, values: readonly number[]): string[] =>
  values.map((value) => JSON.stringify(detector.update(value)));

describe.each(Object.entries(DETECTORS) as [string, DetectorKind][])("detector %s", (_name, kind) => {
  const stream = bits(7, [
    [700, 0.1],
    [500, 0.6],
    [600, 0.1],
    [300, 0.9],
  ]);

  test("saved mid-stream and resumed from text, it goes on as if never stopped", () => {
    const expected = run(kind.create(), stream);
    const cuts = [0, 1, 99, 100, 731, 1250, 2099];
    for (const cut of cuts) {
      const first = kind.create();
      const before = run(first, stream.slice(0, cut));
      const resumed = kind.fromState(JSON.parse(JSON.stringify(first.toState())));
      expect([...before, ...run(resumed, stream.slice(cut))]).toEqual(expected);
    }
  });

  test("saved right after a drift, it still starts over with the next value", () => {
    const detector = kind.create();
    const at = stream.findIndex((value) => detector.update(value).driftDetected);
    expect(at).toBeGreaterThan(0);
    const resumed = kind.fromState(JSON.parse(JSON.stringify(detector.toState())));
    const fresh = kind.create();
    expect(run(resumed, stream.slice(at + 1))).toEqual(run(fresh, stream.slice(at + 1)));
  });

  test("its state is a copy: going on does not change what was saved", () => {
    const detector = kind.create();
    run(detector, stream.slice(0, 200));
    const saved = JSON.stringify(detector.toState());
    const state = detector.toState();
    run(detector, stream.slice(200, 400));
    expect(JSON.stringify(state)).toBe(saved);
  });

  test("finds a large rise and says it went up", () => {
    const values = bits(3, [
      [1000, 0.1],
      [1000, 0.8],
    ]);
    const detector = kind.create();
    const found = values.map((value) => detector.update(value));
    const first = found.findIndex((detection, i) => i >= 1000 && detection.driftDetected);
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(1200);
    expect(found[first]?.direction).toBe("up");
    for (const detection of found) expect(detection.driftDetected).toBe(detection.direction !== null);
  });

  test("says nothing about a constant stream", () => {
    const detector = kind.create();
    for (let i = 0; i < 3000; i++) expect(detector.update(0).driftDetected).toBe(false);
  });

  test("refuses what is not a finite number and stays as it was", () => {
    const detector = kind.create();
    run(detector, stream.slice(0, 50));
    const before = JSON.stringify(detector.toState());
    for (const value of [NaN, Infinity, -Infinity]) expect(() => detector.update(value)).toThrow(RetrainError);
    expect(JSON.stringify(detector.toState())).toBe(before);
  });
});

interface Row {
  detector: string;
  scenario: string;
  runs: number;
  share_of_runs_with_any?: number;
  detected_within_3000?: number;
  median_delay?: number;
}
/** Shares over 120 simulated streams with Python's generator; ours use another generator, so shares are compared, not flags. */
const reference = JSON.parse(
  readFileSync(new URL("../../golden/detector-operating-characteristics.json", import.meta.url), "utf8"),
) as { rows: Row[] };

const settings: Record<string, () => DriftDetector> = {
  "ADWIN(.002)": () => createAdwin(),
  "ADWIN(.05)": () => createAdwin({ delta: 0.05 }),
  DDM: DETECTORS.ddm.create,
  "DDM(warm=100)": () => createDdm({ warmStart: 100 }),
  EDDM: DETECTORS.eddm.create,
  HDDM_A: DETECTORS["hddm-a"].create,
  HDDM_W: DETECTORS["hddm-w"].create,
  "PH(50,both)": DETECTORS["page-hinkley"].create,
  "PH(20,up)": () => createPageHinkley({ threshold: 20, mode: "up" }),
};

const RUNS = 60;

/** Our count is compatible with the reference's share, whose own sampling error is allowed for by three standard deviations. */
const expectCompatible = (
  count: number,
  share: number,
  label: string,
  { runs, of }: { readonly runs: number; readonly of: number } = { runs: RUNS, of: 120 },
): void => {
  const error = 3 * Math.sqrt((share * (1 - share)) / of + 0.0005);
  const low = Math.max(0, share - error);
  const high = Math.min(1, share + error);
  expect(count === 0 ? 1 : binomialSf(count - 1, runs, high), `${label}: ${count} of ${runs}`).toBeGreaterThan(1e-4);
  expect(binomialCdf(count, runs, low), `${label}: ${count} of ${runs}`).toBeGreaterThan(1e-4);
};

const shift = (scenario: string): [number, number] => {
  const [, from, to] = /shift ([\d.]+)->([\d.]+)/.exec(scenario) as unknown as [string, string, string];
  return [Number(from), Number(to)];
};

describe("operating characteristics over many streams", () => {
  const known = reference.rows.filter((row) => settings[row.detector] !== undefined);

  test("cover every detector of the table", () => {
    const names = new Set(reference.rows.map((row) => row.detector));
    expect([...names].filter((name) => settings[name] === undefined)).toEqual([]);
  });

  test.each(
    known
      .filter((row) => row.share_of_runs_with_any !== undefined)
      .map((row) => [row.detector, row.scenario, row] as const),
  )("%s alarms falsely as often as tabled: %s", (detector, scenario, row) => {
    const share = Number(/p=([\d.]+)/.exec(scenario)?.[1]);
    let alarmed = 0;
    for (let seed = 0; seed < RUNS; seed++) {
      const one = (settings[detector] as () => DriftDetector)();
      if (bits(seed, [[10_000, share]]).some((value) => one.update(value).driftDetected)) alarmed++;
    }
    expectCompatible(alarmed, row.share_of_runs_with_any as number, detector);
  });

  test.each(
    known
      .filter((row) => row.detected_within_3000 !== undefined)
      .map((row) => [row.detector, row.scenario, row] as const),
  )("%s detects as often and as soon as tabled: %s", (detector, scenario, row) => {
    const [from, to] = shift(scenario);
    const delays: number[] = [];
    for (let seed = 0; seed < RUNS; seed++) {
      const one = (settings[detector] as () => DriftDetector)();
      const values = bits(seed + 1000, [
        [2000, from],
        [3000, to],
      ]);
      const at = values.findIndex((value, i) => one.update(value).driftDetected && i >= 2000);
      if (at >= 0) delays.push(at - 2000);
    }
    const share = row.detected_within_3000 as number;
    expectCompatible(delays.length, share, detector);
    // Of the detections, half come up to the tabled median; that median is itself one of 120 runs' detections.
    if (row.median_delay === undefined || row.median_delay === null || delays.length === 0) return;
    const early = delays.filter((delay) => delay <= (row.median_delay as number)).length;
    const sizes = { runs: delays.length, of: Math.max(1, 120 * share) };
    expectCompatible(early, 0.5, `${detector}, delay up to ${row.median_delay}`, sizes);
  });
});
