import { describe, expect, it } from "vitest";
import { configReference, resolveConfig } from "../../src/config/index.ts";

describe("configReference", () => {
  it.each(["binary", "multiclass", "regression"] as const)("describes every key of a %s model in sentences", (task) => {
    const reference = configReference(task);
    expect(reference.length).toBeGreaterThan(40);
    expect(new Set(reference.map((one) => one.path)).size).toBe(reference.length);
    for (const { path, rule, description } of reference) {
      expect(rule, path).not.toBe("");
      if (description !== "") expect(description, path).toMatch(/\.$/);
    }
  });

  it("states the defaults that resolution then uses", () => {
    const models = [{ name: "m", task: "binary", features: { a: { kind: "number" } }, label: { kind: "boolean" } }].map(
      (one) => ({
        ...one,
        // What may be left out has defaults once it is there.
        labeling: {},
        review: { below: 0.7 },
      }),
    );
    const { origins } = resolveConfig({ models }, { folder: "/" });
    const stated = configReference("binary").filter(
      (one) => one.default !== undefined && !/^(when|gate)\./.test(one.path),
    );
    for (const { path } of stated) {
      const origin = Object.entries(origins).find(([key]) => key.startsWith(path.replace("<name>", "m")))?.[1];
      expect(origin, path).toMatch(/^(default|derived: .+)$/);
    }
    expect(stated.find((one) => one.path === "server.port")).toMatchObject({
      default: 4400,
      rule: "a whole number in [0, 65535]",
    });
    expect(stated.find((one) => one.path === "models.<name>.data.holdout.share")?.default).toBe(0.25);
  });

  it("names the trainers and metrics that fit the task", () => {
    const rule = (task: "binary" | "regression", path: string) =>
      configReference(task).find((one) => one.path === path)?.rule ?? "";
    expect(rule("regression", "when.performanceDrop.metric")).toContain('"mae"');
    expect(rule("regression", "when.performanceDrop.metric")).not.toContain("rocAuc");
    expect(rule("binary", "models.<name>.trainer.name")).toContain('"majority"');
    expect(rule("binary", "models.<name>.trainer.name")).not.toContain('"last-value"');
  });
});
