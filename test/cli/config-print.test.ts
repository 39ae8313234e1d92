import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runCommand } from "./support.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "retrain-print-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const CONFIG = `
import { defineConfig, defineModel, f } from "retrain";
const m = defineModel({
  name: "m",
  task: "binary",
  id: "customer",
  features: { age: f.number({ min: 0 }) },
  label: f.boolean(),
  data: { window: { rows: 5000 }, validation: { share: 0.3 } },
  limits: { trainMemoryMiB: 300 },
});
export default defineConfig({ models: [m], storage: { dir: "data" } });
`;

it("prints where each value came from, also of keys that were resolved into others", async () => {
  writeFileSync(join(folder, "retrain.config.ts"), CONFIG);
  const { stdout, code } = await runCommand("config", "print", "-c", folder);
  expect(code).toBe(0);
  const origins = new Map(
    stdout
      .split("\n")
      .slice(3)
      .map((line) => line.split(/ {2,}/) as [string, string, string])
      .map(([key, , origin]) => [key, origin]),
  );
  const of = (...keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, origins.get(key)]));
  const written = [
    "models.m.schema.task",
    "models.m.schema.id",
    "models.m.schema.features[0].name",
    "models.m.schema.features[0].spec.min",
    "models.m.schema.label.kind",
    "models.m.data.windowRows",
    "models.m.data.validationShare",
    "models.m.limits.trainMemoryBytes",
    "storage.directory",
  ];
  expect(of(...written)).toEqual(Object.fromEntries(written.map((key) => [key, "file"])));
  const silent = ["models.m.schema.labelColumn", "models.m.limits.trainTimeoutMs", "server.port"];
  expect(of(...silent)).toEqual(Object.fromEntries(silent.map((key) => [key, "default"])));
});
