/** Events for tests of the store. */
import type {
  FeatureValue,
  LabelEvent,
  LogSchema,
  ObservationEvent,
  PredictionEvent,
} from "../../../src/core/index.ts";
import { systemClock } from "../../../src/core/index.ts";

/** 2024-05-01T00:00:00Z, where the virtual clocks begin. */
export const START = 1_714_521_600_000;

export function logSchema(model: string): LogSchema | undefined {
  if (model.startsWith("unknown")) return undefined;
  return {
    model,
    task: "binary",
    columns: [
      { name: "age", type: "number" },
      { name: "job", type: "category" },
      { name: "member", type: "boolean" },
    ],
  };
}

type Features = Record<string, FeatureValue>;

export function observation(
  exampleId: string,
  features: Features = {},
  more: Partial<ObservationEvent> = {},
): ObservationEvent {
  return {
    kind: "observation",
    exampleId,
    at: START,
    features: { age: 30, job: "clerk", member: true, ...features },
    ...more,
  };
}

export function prediction(
  predictionId: string,
  exampleId: string,
  features: Features = {},
  more: Partial<PredictionEvent> = {},
): PredictionEvent {
  return {
    kind: "prediction",
    predictionId,
    exampleId,
    at: START,
    version: "v1",
    features: { age: 30, job: "clerk", member: true, ...features },
    scores: [0.25, 0.75],
    decision: true,
    origin: "live",
    ...more,
  };
}

export function label(
  exampleId: string | undefined,
  value: boolean | null,
  more: Partial<LabelEvent> = {},
): LabelEvent {
  return {
    kind: "label",
    ...(exampleId === undefined ? {} : { exampleId }),
    at: START,
    value,
    labelSource: "user",
    ...more,
  };
}

/** Repeats the assertion until it holds, at most ten seconds; then its last failure is the test's. */
export async function eventually(assertion: () => void | Promise<void>): Promise<void> {
  const started = systemClock.monotonicMs();
  for (;;) {
    try {
      await assertion();
      return;
    } catch (error) {
      if (systemClock.monotonicMs() - started > 10_000) throw error;
      await systemClock.sleep(10);
    }
  }
}
