/**
 * A seeded history for the published package, which carries no data: half a year of a shop's visitors, 0 to 1 purchases each.
 * From day 80 to 110 the taste turns: what the channel says about buying reverses and twice as many buy. Same seed, same rows.
 */
import { defineModel, f, gate, linear, type Model, stage, when } from "../config/index.ts";
import { createRandom, DAY_MS, type Instant, type SeededRandom, seedFrom } from "../core/index.ts";
import type { HistoryRow } from "./history.ts";

export interface GeneratorOptions {
  readonly seed?: number;
  readonly days?: number;
  readonly rowsPerDay?: number;
}
/** Any fixed Monday; the history must not depend on the day it is generated. */
export const GENERATED_START: Instant = Date.UTC(2024, 0, 1);
export const GENERATED_LABEL_DELAY_MS = 3 * DAY_MS;
const DRIFT_FROM_DAY = 80;
const DRIFT_TO_DAY = 110;
const CHANNELS = ["web", "app", "store"] as const;
const DEVICES = ["phone", "desktop", "tablet"] as const;

export function generateHistory(options: GeneratorOptions = {}): readonly HistoryRow[] {
  const { seed = 20240101, days = 180, rowsPerDay = 150 } = options;
  const random = createRandom(seedFrom(seed, "visitors"));
  const rows: HistoryRow[] = [];
  for (let day = 0; day < days; day++) {
    const turned = Math.min(1, Math.max(0, (day - DRIFT_FROM_DAY) / (DRIFT_TO_DAY - DRIFT_FROM_DAY)));
    for (let i = 0; i < rowsPerDay; i++) {
      const at = GENERATED_START + day * DAY_MS + 8 * 3_600_000 + Math.floor((i * 9 * 3_600_000) / rowsPerDay);
      rows.push(visitor(random, rows.length, at, turned));
    }
  }
  return rows;
}

function pick<T>(random: SeededRandom, values: readonly T[]): T {
  return values[random.nextInt(values.length)] as T;
}

/** A sum of three uniforms: bell-shaped enough for an age or a basket. */
function bell(random: SeededRandom, center: number, spread: number): number {
  return center + spread * (random.nextFloat() + random.nextFloat() + random.nextFloat() - 1.5);
}

function visitor(random: SeededRandom, index: number, at: Instant, turned: number): HistoryRow {
  const channel = pick(random, CHANNELS);
  const device = pick(random, DEVICES);
  const age = Math.round(Math.max(18, bell(random, 42, 40)));
  const visits = random.nextInt(12);
  const basket = Math.round(Math.max(0, bell(random, 60 + 25 * turned, 90)) * 100) / 100;
  const isMember = random.nextFloat() < 0.35;
  const channelPull = { web: -0.6 + 1.6 * turned, app: 1.1 - 2.2 * turned, store: -0.1 + 0.3 * turned }[channel];
  const z =
    -2.4 + 1.1 * turned + channelPull + 0.12 * visits + 0.008 * basket + (isMember ? 0.7 : 0) - 0.01 * (age - 40);
  const label = random.nextFloat() < 1 / (1 + Math.exp(-z));
  const isAgeKnown = random.nextFloat() > 0.03;
  return {
    id: `visit-${String(index + 1).padStart(6, "0")}`,
    at,
    features: { channel, device, age: isAgeKnown ? age : null, visits, basket, member: isMember },
    label,
  };
}

export function generatedModel(): Model {
  return defineModel({
    name: "purchases",
    task: "binary",
    id: "visit",
    time: "visitedAt",
    features: {
      channel: f.category(...CHANNELS),
      device: f.category(...DEVICES),
      age: f.number({ min: 0, max: 120 }),
      visits: f.number({ min: 0 }),
      basket: f.number({ min: 0 }),
      member: f.boolean(),
    },
    label: f.boolean(),
    labelColumn: "purchased",
    labelDelay: "3d",
    trainer: linear(),
    data: { window: "30d", minRows: 600, holdout: { share: 0.25, minRows: 200, maxRows: 2000 } },
    // A window a week, compared once a week: half a year passes in seconds here.
    monitors: { dataDrift: { window: "7d", every: "7d" } },
    retrain: {
      when: when.any(
        when.performanceDrop("logLoss", { relative: 0.08, window: "7d" }),
        when.schedule("0 3 * * 1", { timeZone: "UTC" }),
      ),
      how: "full",
      cooldown: "3d",
      maxPerDay: 1,
      stopAfterRejections: 10,
    },
    gates: [gate.betterThanBaseline("logLoss"), gate.noWorseThanChampion("logLoss")],
    rollout: [stage.full()],
  });
}
