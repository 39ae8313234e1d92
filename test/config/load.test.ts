import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type LoadedConfig, loadConfig, watchConfig } from "../../src/config/index.ts";
import * as surface from "../../src/config/surface.ts";
import type { RetrainError } from "../../src/core/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "load-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const good = (extra = "") => `import { defineConfig, defineModel, f } from "retrain";
interface Row { readonly age: number }
const churn = defineModel({
  name: "churn",
  task: "binary",
  features: { age: f.number() } satisfies Record<keyof Row, unknown>,
  label: f.boolean(),
  ${extra}
});
export default defineConfig({ models: [churn] });
`;
async function refusal(where = folder): Promise<RetrainError> {
  const error: unknown = await loadConfig(where).catch((one: unknown) => one);
  expect(error).toMatchObject({ name: "RetrainError" });
  return error as RetrainError;
}

describe("loadConfig", () => {
  it("reads TypeScript in a folder where nothing is installed", async () => {
    write("retrain.config.ts", good('labelDelay: "2d",'));
    const { spec, path } = await loadConfig(folder);
    expect(path).toBe(join(folder, "retrain.config.ts"));
    expect(spec.models[0]).toMatchObject({ name: "churn", labelDelayMs: 172_800_000 });
    expect(spec.storage.directory).toBe(join(folder, ".retrain"));
  });

  it("gives a file every builder that the package has", async () => {
    write(
      "retrain.config.ts",
      `import * as retrain from "retrain";
export default retrain.defineConfig({ models: [retrain.defineModel({ name: "m", task: "binary", features: { a: retrain.f.number() }, label: retrain.f.boolean(), seed: Object.keys(retrain).filter((name) => (retrain as any)[name] !== undefined).length })] });
`,
    );
    const { spec } = await loadConfig(folder);
    expect(spec.models[0]?.seed).toBe(Object.keys(surface).length);
  });

  it("resolves subpaths of retrain and the file's own imports to what runs", async () => {
    mkdirSync(join(folder, "parts"));
    write("parts/features.ts", 'import { f } from "retrain";\nexport const features = { age: f.number() };\n');
    write(
      "retrain.config.ts",
      `import { defineConfig, defineModel, f } from "retrain";
import { METRIC_NAMES } from "retrain/stats";
import { features } from "./parts/features";
export default defineConfig({ models: [defineModel({ name: "m", task: "binary", features, label: f.boolean(), seed: METRIC_NAMES.length })] });
`,
    );
    const { spec } = await loadConfig(folder);
    expect(spec.models[0]?.seed).toBeGreaterThan(5);
    expect(spec.models[0]?.schema.features).toHaveLength(1);
  });

  it.each([
    [
      "retrain.config.mjs",
      'import { f } from "retrain";\nexport default { models: [{ name: "m", task: "binary", features: { a: f.number() }, label: f.boolean() }] };\n',
    ],
    [
      "retrain.config.js",
      'export default { models: [{ name: "m", task: "binary", features: { a: { kind: "number" } }, label: { kind: "boolean" } }] };\n',
    ],
    [
      "retrain.config.json",
      '{ "models": [{ "name": "m", "task": "binary", "features": { "a": { "kind": "number" } }, "label": { "kind": "boolean" } }] }',
    ],
  ])("reads %s", async (name, text) => {
    write(name, text);
    expect((await loadConfig(folder)).spec.models[0]?.name).toBe("m");
    expect((await loadConfig(join(folder, name))).path).toBe(join(folder, name));
  });

  it("keeps compiled text in the data directory, and reads a changed file all the same", async () => {
    write("retrain.config.ts", good());
    mkdirSync(join(folder, ".retrain"));
    await loadConfig(folder);
    expect(readdirSync(join(folder, ".retrain", "config-cache")).join(" ")).toContain("retrain.config");
    write("retrain.config.ts", good('labelDelay: "3d",'));
    const { spec } = await loadConfig(folder);
    expect(spec.models[0]).toMatchObject({ labelDelayMs: 259_200_000 });
  });

  it("loads where nothing can be written", async () => {
    write("retrain.config.ts", good());
    mkdirSync(join(folder, ".retrain"));
    // A file in the cache's place: neither root nor anybody else can make a folder there.
    write(".retrain/config-cache", "");
    expect((await loadConfig(folder)).spec.models).toHaveLength(1);
  });

  it("lets .env win over the file and flags over the environment", async () => {
    write("retrain.config.ts", good().replace("[churn] }", "[churn], server: { port: 1, host: 'a' } }"));
    write(".env", "RETRAIN_PORT=2\nRETRAIN_HOST=b\n");
    const { spec } = await loadConfig(folder, { environment: { RETRAIN_PORT: "3" }, flags: { port: 4 } });
    expect(spec.server).toMatchObject({ port: 4, host: "b" });
    expect(spec.origins["server.host"]).toBe(".env: RETRAIN_HOST");
  });

  it("says what it looked for when there is nothing", async () => {
    const error = await refusal();
    expect(error.code).toBe("CONFIG_NOT_FOUND");
    expect(error.message).toContain("retrain.config.ts");
    expect((await refusal(join(folder, "none.ts"))).code).toBe("CONFIG_NOT_FOUND");
  });

  it.each([
    ["a syntax error", "retrain.config.ts", `${good()}\nconst x = ;\n`, 12],
    ["a thrown error", "retrain.config.ts", `${good()}\nthrow new Error("no secret set");\n`, 12],
    ["a name that does not exist", "retrain.config.ts", good("seed: missing.value,"), 8],
    ["broken JSON", "retrain.config.json", '{\n "models": [\n  oops\n ]\n}', 3],
  ])("names file and line of %s", async (_, name, text, line) => {
    write(name, text);
    const error = await refusal();
    expect(error.code).toBe("CONFIG_LOAD_FAILED");
    expect(error.message).toContain(`${name}:${line}`);
  });

  it("names the package that cannot be imported", async () => {
    write("retrain.config.ts", 'import x from "not-there";\nexport default x;\n');
    const error = await refusal();
    expect(error.message).toContain("not-there");
    expect(error.remedy).toContain("Install");
  });

  it("names file and line of a wrong value and of an unknown key", async () => {
    write("retrain.config.ts", good('labelDelay: "2 days",'));
    const wrong = await refusal();
    expect([wrong.code, wrong.message.slice(0, 20)]).toEqual(["CONFIG_INVALID", "retrain.config.ts:8:"]);
    write("retrain.config.ts", good("\n  labelDelya: 1,"));
    const unknown = await refusal();
    expect(unknown.code).toBe("CONFIG_KEY_UNKNOWN");
    expect(unknown.message).toContain("retrain.config.ts:9:");
    expect(unknown.message).toContain('"labelDelay"');
  });

  it("names no line where several could be meant", async () => {
    write("retrain.config.ts", good("// name: x\n  data: { minRows: 1 },\n  // minRows: 2"));
    expect((await refusal()).message).toMatch(/^retrain\.config\.ts: /);
  });

  it("refuses a file that exports nothing", async () => {
    write("retrain.config.ts", "export const a = 1;\n");
    expect((await refusal()).code).toMatch(/^CONFIG_/);
  });
});

describe("watchConfig", () => {
  it("hands over good changes, reports bad ones, and handles a content once", async () => {
    write("retrain.config.ts", good());
    const changes: LoadedConfig[] = [];
    const errors: RetrainError[] = [];
    const watcher = watchConfig(
      folder,
      {},
      { onChange: (one) => void changes.push(one), onError: (one) => errors.push(one) },
    );
    try {
      await watcher.check();
      expect([changes.length, errors.length]).toEqual([0, 0]);
      write("retrain.config.ts", good("seed: 5,"));
      await watcher.check();
      expect(changes.map((one) => one.spec.models[0]?.seed)).toEqual([5]);
      write("retrain.config.ts", good("seed: -5,"));
      await watcher.check();
      await watcher.check();
      expect(errors.map((one) => one.code)).toEqual(["CONFIG_INVALID"]);
      write("retrain.config.ts", "export default {");
      await watcher.check();
      expect(errors.map((one) => one.code)).toEqual(["CONFIG_INVALID", "CONFIG_LOAD_FAILED"]);
      write("retrain.config.ts", good("seed: 6,"));
      await watcher.check();
      write(".env", "RETRAIN_PORT=7\n");
      await watcher.check();
      expect(changes.map((one) => [one.spec.models[0]?.seed, one.spec.server.port])).toEqual([
        [5, 4400],
        [6, 4400],
        [6, 7],
      ]);
    } finally {
      watcher.close();
    }
  });

  it("notices a change by itself", async () => {
    write("retrain.config.ts", good());
    const seeds: unknown[] = [];
    const onChange = (one: LoadedConfig) => void seeds.push(one.spec.models[0]?.seed);
    const watcher = watchConfig(folder, {}, { onChange, onError: () => {} });
    try {
      write("retrain.config.ts", good("seed: 9,"));
      await vi.waitFor(() => expect(seeds).toEqual([9]), { timeout: 10_000 });
    } finally {
      watcher.close();
    }
  });

  it("lets a handler's refusal count as an error of that change only", async () => {
    write("retrain.config.ts", good());
    const errors: RetrainError[] = [];
    const onChange = () => {
      throw new Error("no champion");
    };
    const watcher = watchConfig(folder, {}, { onChange, onError: (one) => errors.push(one) });
    try {
      appendFileSync(join(folder, "retrain.config.ts"), "\n");
      await watcher.check();
      expect(errors).toHaveLength(1);
    } finally {
      watcher.close();
    }
  });
});
