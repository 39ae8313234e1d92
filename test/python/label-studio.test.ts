/**
 * A real Label Studio beside a real server: its project imports what we export, asks our backend for predictions, tells our webhook
 * what people answered, and its own export comes back as labels. Label Studio is a gigabyte and takes minutes to install, so it
 * runs where it is there already: RETRAIN_LABEL_STUDIO=/path/to/venv/bin/label-studio.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/index.ts";
import type { StudioTask } from "../../src/server/contract.ts";
import { labelledRows, openTestServer, type TestServer, trainFirstVersion } from "../server/support.ts";

const program = process.env["RETRAIN_LABEL_STUDIO"] ?? "";
const TOKEN = "0123456789abcdef0123456789abcdef01234567";
const BASE = "/api/v1/models/purchases";
/** Its first start makes some hundred tables. */
const START_MS = 240_000;
const TASKS = 20;

let place: TestServer;
let ours: string;
let studio: string;
let child: ChildProcess | undefined;
let directory: string;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return (address as { port: number }).port;
}

async function call<T>(base: string, method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (base === studio) headers["authorization"] = `Token ${TOKEN}`;
  const answer = await fetch(base + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 1_000)}`);
  return (answer.headers.get("content-type")?.includes("json") === true ? JSON.parse(text) : text) as T;
}
async function until(isDone: () => Promise<boolean>, what: string): Promise<void> {
  const end = systemClock.monotonicMs() + START_MS;
  while (!(await isDone())) {
    if (systemClock.monotonicMs() > end || child?.exitCode !== null) throw new Error(`no ${what}`);
    await systemClock.sleep(200);
  }
}

async function startStudio(): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), "retrain-label-studio-"));
  const port = await freePort();
  studio = `http://127.0.0.1:${port}`;
  child = spawn(program, ["start", "--no-browser", "--port", String(port), "--internal-host", "127.0.0.1"], {
    stdio: "ignore",
    detached: true,
    env: {
      ...process.env,
      LABEL_STUDIO_BASE_DATA_DIR: directory,
      LABEL_STUDIO_USERNAME: "ada@example.com",
      LABEL_STUDIO_PASSWORD: "not-a-secret-1",
      LABEL_STUDIO_USER_TOKEN: TOKEN,
      LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN: "true",
      // Else it refuses backends and webhooks on private addresses, as ours are here and with most teams.
      ML_BLOCK_LOCAL_IP: "false",
      USE_DEFAULT_BANNED_SUBNETS: "false",
      COLLECT_ANALYTICS: "false",
      LATEST_VERSION_CHECK: "false",
    },
  });
  const isUp = () =>
    fetch(`${studio}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(isUp, "Label Studio");
}

const title = program === "" ? "Label Studio (skipped: RETRAIN_LABEL_STUDIO names no program)" : "Label Studio";
describe.skipIf(program === "")(title, () => {
  beforeAll(async () => {
    place = await openTestServer();
    await trainFirstVersion(place);
    const rows = labelledRows(60, place.test.clock.now(), 51).map(({ label: _, ...row }) => row);
    const { port } = await place.server.listen({ host: "127.0.0.1", port: 0 });
    ours = `http://127.0.0.1:${port}`;
    await call(ours, "POST", `${BASE}/predict`, { rows });
    await call(ours, "POST", `${BASE}/tasks/build`, { count: TASKS });
    await startStudio();
  }, 600_000);
  afterAll(async () => {
    if (child?.pid !== undefined && child.exitCode === null) {
      // Its launcher starts a server of its own: the group ends together.
      process.kill(-child.pid, "SIGTERM");
      await new Promise((resolve) => child?.once("close", resolve));
    }
    await place?.dispose();
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });

  it("labels with our predictions, and its answers are our labels, by webhook and by file", async () => {
    const { config: label_config } = await call<{ config: string }>(ours, "GET", `${BASE}/tasks/label-studio/config`);
    const { id: project } = await call<{ id: number }>(studio, "POST", "/api/projects", {
      title: "Purchases",
      label_config,
    });
    const exported = await call<StudioTask[]>(ours, "GET", `${BASE}/tasks/label-studio`);
    expect(exported).toHaveLength(TASKS);
    const imported = await call<object>(studio, "POST", `/api/projects/${project}/import`, exported);
    expect(imported).toMatchObject({ task_count: TASKS });

    // Connecting asks /health and /setup; it fails where either does.
    const url = `${ours}/label-studio/purchases`;
    const backend = await call<{ id: number }>(studio, "POST", "/api/ml", { project, url, title: "Retrain" });
    const connected = await call<{ state: string; error_message: string | null }>(
      studio,
      "GET",
      `/api/ml/${backend.id}`,
    );
    expect([connected.state, connected.error_message]).toEqual(["CO", null]);
    const all = { selectedItems: { all: true, excluded: [] } };
    await call(studio, "POST", `/api/dm/actions?id=retrieve_tasks_predictions&project=${project}`, all);
    type Task = {
      id: number;
      data: Record<string, unknown>;
      predictions: { result: unknown[]; model_version: string }[];
    };
    const listed = await call<{ tasks: Task[] }>(
      studio,
      "GET",
      `/api/tasks?project=${project}&fields=all&page_size=100`,
    );
    expect(listed.tasks).toHaveLength(TASKS);
    const predicted = listed.tasks.filter(({ predictions }) => predictions.length > 0);
    expect(predicted.length).toBeGreaterThan(TASKS / 2);
    for (const { predictions } of predicted) {
      expect(predictions[0]?.model_version).toBe("v1");
      expect(predictions[0]?.result).toMatchObject([{ type: "choices", from_name: "label" }]);
    }

    await call(studio, "POST", "/api/webhooks/", {
      project,
      url: `${url}/webhook`,
      send_payload: true,
      send_for_all_actions: true,
      is_active: true,
    });
    const result = [{ from_name: "label", to_name: "row", type: "choices", value: { choices: ["true"] } }];
    const [first, second] = listed.tasks as [Task, Task];
    await call(studio, "POST", `/api/tasks/${first.id}/annotations`, { result, lead_time: 3.5 });
    const labelOf = async (task: Task) =>
      (await place.test.store.log.findLabels("purchases", { exampleIds: [task.data["retrain_example"] as string] })).at(
        -1,
      );
    await until(async () => (await labelOf(first)) !== undefined, "label by webhook");
    expect(await labelOf(first)).toMatchObject({ value: true, labelSource: "expert" });

    const webhooks = await call<{ id: number }[]>(studio, "GET", `/api/webhooks/?project=${project}`);
    for (const { id } of webhooks) await call(studio, "DELETE", `/api/webhooks/${id}/`);
    const other = [{ ...result[0], value: { choices: ["false"] } }];
    await call(studio, "POST", `/api/tasks/${second.id}/annotations`, { result: other });
    expect(await labelOf(second)).toBeUndefined();
    const file = await call<unknown[]>(studio, "GET", `/api/projects/${project}/export?exportType=JSON`);
    const taken = await call<object>(ours, "POST", `${BASE}/tasks/label-studio`, file);
    expect(taken).toMatchObject({ labels: 2, refusedCount: 0 });
    expect(await labelOf(second)).toMatchObject({ value: false, labelSource: "expert" });
  }, 300_000);
});
