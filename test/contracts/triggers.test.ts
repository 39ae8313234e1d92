// Every kind of trigger in the registry honors one contract; a new kind is found by itself.
import { describe, expect, it } from "vitest";
import type { Task } from "../../src/core/index.ts";
import {
  evaluateTrigger,
  TRIGGERS,
  triggerField,
  type TriggerKind,
  type TriggerSpec,
} from "../../src/trigger/index.ts";

/** Kinds that never fire at a tick, with the reason. */
const NEVER_FIRES = new Map([["manual", "a person's request starts a run at once and does not pass through the tick"]]);
const TASKS: readonly Task[] = ["binary", "multiclass", "regression"];

const frozen = <T>(value: T): T => {
  if (typeof value === "object" && value !== null && !(value instanceof Map)) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
};

describe.each(TRIGGERS.map((kind) => [kind.kind, kind] as const))("the trigger %s", (name, kind: TriggerKind) => {
  it("describes itself and each of its fields", () => {
    expect(kind.description).toMatch(/\.$/);
    for (const task of TASKS) {
      for (const field of Object.values(kind.fields(task))) {
        expect(field.info.description).toMatch(/\.$/);
        expect(field.info.rule).not.toBe("");
      }
    }
  });

  it("has samples, or says why it needs none", () => {
    expect(kind.samples.length > 0 || NEVER_FIRES.has(name)).toBe(true);
  });

  it("fires and rests where its samples say so, without changing what it is given", () => {
    for (const { spec, fires, rests } of kind.samples) {
      expect(kind.judge(frozen(spec), frozen(fires)).outcome).toBe("yes");
      expect(kind.judge(frozen(spec), frozen(rests)).outcome).not.toBe("yes");
    }
  });

  it("answers the same to the same question, as plain JSON", () => {
    for (const { spec, fires } of kind.samples) {
      const answer = kind.judge(spec, fires);
      expect(kind.judge(spec, fires)).toEqual(answer);
      expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
      expect(JSON.parse(JSON.stringify(spec))).toEqual(spec);
    }
  });

  it("writes one record with rule, reason and subject whether it fires or not", () => {
    for (const { spec, fires, rests } of kind.samples) {
      for (const state of [fires, rests]) {
        const { decisions, outcome } = evaluateTrigger(spec as TriggerSpec, state);
        expect(decisions).toHaveLength(1);
        expect(decisions[0]).toMatchObject({ kind: "trigger", outcome, subject: kind.subject(spec) });
        expect(decisions[0]?.reason).toMatch(/[.]$/);
        expect(decisions[0]?.rule).toMatch(/[.]$/);
      }
    }
  });

  it("gives a resting reason that holds no changing number, so that quiet ticks stay one record", () => {
    for (const { spec, rests } of kind.samples) {
      const later = { ...rests, now: rests.now + 1, rowsSince: Math.max(0, rests.rowsSince - 1) };
      expect(kind.judge(spec, later).reason).toBe(kind.judge(spec, rests).reason);
    }
  });

  it("refuses an unknown key of a configuration", () => {
    const place = { path: "when", record: () => {}, originOf: () => "file" };
    expect(() => triggerField("binary").read({ kind: name, conut: 1 }, place)).toThrow(
      expect.objectContaining({ code: "CONFIG_KEY_UNKNOWN" }) as Error,
    );
  });
});
