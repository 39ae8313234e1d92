import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRetrain, defineConfig, defineModel, f } from "retrain";
import { createClient } from "retrain/client";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "retrain-library-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = defineModel({
  name: "visits",
  task: "binary",
  id: "visit",
  features: { pages: f.number(), channel: f.category() },
  label: f.boolean(),
});

describe("createRetrain", () => {
  it("opens the store, serves it, and keeps what it acknowledged over a restart", async () => {
    const config = defineConfig({ models: [model], storage: { dir: "data" } });
    const first = await createRetrain({ config, folder });
    const { url } = await first.listen({ port: 0 });
    const rows = [{ visit: "a", pages: 3, channel: "web", label: true }];
    expect(await createClient({ url }).ingest("visits", rows)).toMatchObject({ accepted: 1 });
    await expect(createRetrain({ config, folder })).rejects.toMatchObject({ code: "DIRECTORY_LOCKED" });
    await first.close();

    const second = await createRetrain({ config, folder });
    expect(await second.loop.summaries()).toMatchObject([{ name: "visits", events: { observations: 1 } }]);
    await expect(second.loop.predict({ model: "visits", rows: [{ pages: 1, channel: "web" }] })).rejects.toMatchObject({
      code: "MODEL_NOT_READY",
    });
    await second.close();
  }, 60_000);

  it("refuses a configuration that breaks a rule before anything is opened", async () => {
    const config = { models: [{ name: "Visits" }] } as never;
    await expect(createRetrain({ config, folder })).rejects.toMatchObject({ name: "RetrainError" });
  });
});
