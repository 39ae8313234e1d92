/**
 * Keeps the pages current: events of the stream mark cached answers as old, at most once a second, and training points go
 * straight into the run's trace. Paused, nothing moves until the reader says so; then everything is read again.
 */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from "react";
import type { StreamEvent, TraceAnswer, TracePoint } from "../../../src/server/contract.ts";
import type { ReadRoute } from "./client.ts";
import { keyOf } from "./queries.ts";
import { listen } from "./stream.ts";

export interface Progress {
  readonly share: number;
  readonly etaMs?: number;
}
interface Live {
  readonly state: "connecting" | "live" | "lost" | "paused";
  readonly paused: boolean;
  readonly setPaused: (paused: boolean) => void;
  /** Training progress by run id, as it streams. */
  readonly progress: ReadonlyMap<string, Progress>;
}

const LiveContext = createContext<Live | undefined>(undefined);

export function useLive(): Live {
  const live = use(LiveContext);
  if (live === undefined) throw new Error("useLive is for children of LiveProvider");
  return live;
}

/** A replay sends hundreds of events a second; reading once a second is as much as anybody can see. */
const REFRESH_MS = 1000;

const OVERALL: readonly ReadRoute[] = ["GET /models", "GET /models/:model", "GET /models/:model/status"];
const AFFECTED: Readonly<Record<string, readonly ReadRoute[]>> = {
  "run.updated": [
    ...OVERALL,
    "GET /runs",
    "GET /models/:model/runs",
    "GET /runs/:id",
    "GET /runs/:id/evaluation",
    "GET /runs/:id/trace",
  ],
  "version.registered": ["GET /models/:model/versions", "GET /models/:model/versions/:version"],
  "version.promoted": [
    ...OVERALL,
    "GET /models/:model/versions",
    "GET /models/:model/versions/:version",
    "GET /models/:model/performance",
  ],
  "rollout.updated": [
    ...OVERALL,
    "GET /models/:model/rollouts",
    "GET /models/:model/versions",
    "GET /experiments/:id",
    "GET /decisions",
  ],
  decision: ["GET /decisions", "GET /models/:model/status", "GET /models/:model/triggers"],
  "alert.opened": ["GET /alerts", "GET /models"],
  "alert.resolved": ["GET /alerts", "GET /models"],
  ingest: [...OVERALL, "GET /models/:model/performance", "GET /models/:model/batches", "GET /models/:model/quarantine"],
  feedback: ["GET /models/:model/feedback", "GET /models/:model/feedback/summary"],
  // A look at an experiment is taken at a tick.
  tick: [
    "GET /server",
    "GET /models",
    "GET /models/:model/performance",
    "GET /models/:model/rollouts",
    "GET /experiments/:id",
  ],
  "config.changed": ["GET /server", ...OVERALL],
};

export function LiveProvider({ children }: { readonly children: ReactNode }) {
  const client = useQueryClient();
  const [paused, setPaused] = useState(false);
  const [connection, setConnection] = useState<"connecting" | "live" | "lost">("connecting");
  const [progress, setProgress] = useState<ReadonlyMap<string, Progress>>(new Map());

  useEffect(() => {
    if (paused) return;
    const ending = new AbortController();
    const refresher = new Refresher(client);
    const trace = new TraceBuffer(client, (events) => setProgress((known) => events.reduce(withProgress, known)));
    void listen(
      {
        onState: setConnection,
        onReset: () => refresher.addAll(),
        onEvent: (event) => {
          refresher.add(event);
          if (event.type === "run.trace") trace.add(event);
        },
      },
      ending.signal,
    );
    return () => {
      ending.abort();
      refresher.stop();
      trace.stop();
    };
  }, [client, paused]);

  const live = useMemo<Live>(
    () => ({
      state: paused ? "paused" : connection,
      paused,
      progress,
      setPaused: (next) => {
        setPaused(next);
        if (!next) void client.invalidateQueries();
      },
    }),
    [client, connection, paused, progress],
  );
  return <LiveContext value={live}>{children}</LiveContext>;
}

/** Gathers what became old and marks it together; waits for the answers before it asks again, and for a hidden tab. */
class Refresher {
  readonly #client: QueryClient;
  readonly #waiting = new Map<ReadRoute, Set<string> | "all">();
  readonly #onVisible = () => this.#schedule();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReading = false;

  constructor(client: QueryClient) {
    this.#client = client;
    document.addEventListener("visibilitychange", this.#onVisible);
  }

  add(event: StreamEvent): void {
    for (const route of AFFECTED[event.type] ?? []) {
      const known = this.#waiting.get(route);
      if (event.model === null) this.#waiting.set(route, "all");
      else if (known === undefined) this.#waiting.set(route, new Set([event.model]));
      else if (known !== "all") known.add(event.model);
    }
    this.#schedule();
  }

  addAll(): void {
    for (const routes of Object.values(AFFECTED)) for (const route of routes) this.#waiting.set(route, "all");
    this.#schedule();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
    document.removeEventListener("visibilitychange", this.#onVisible);
  }

  #schedule(): void {
    if (this.#waiting.size === 0 || this.#isReading || document.hidden) return;
    this.#timer ??= setTimeout(() => void this.#flush(), REFRESH_MS);
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const waiting = new Map(this.#waiting);
    this.#waiting.clear();
    this.#isReading = true;
    // Resolves when what is on the screen has been read again; a failure shows in the page that asked.
    await this.#client.invalidateQueries({
      predicate: ({ queryKey }) => {
        const [route, params] = queryKey as readonly [ReadRoute, { readonly model?: string }];
        const models = waiting.get(route);
        if (models === undefined) return false;
        return models === "all" || params?.model === undefined || models.has(params.model);
      },
    });
    this.#isReading = false;
    this.#schedule();
  }
}

/** A small model trains a hundred epochs a second; drawing five times a second looks continuous. */
const TRACE_FLUSH_MS = 200;

class TraceBuffer {
  readonly #client: QueryClient;
  readonly #onFlush: (events: readonly StreamEvent[]) => void;
  #waiting: StreamEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: QueryClient, onFlush: (events: readonly StreamEvent[]) => void) {
    this.#client = client;
    this.#onFlush = onFlush;
  }

  add(event: StreamEvent): void {
    this.#waiting.push(event);
    this.#timer ??= setTimeout(() => this.#flush(), TRACE_FLUSH_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
  }

  #flush(): void {
    this.#timer = undefined;
    const events = this.#waiting;
    this.#waiting = [];
    const points = events.map(({ data }) => data as unknown as TracePoint).filter(isPoint);
    for (const id of new Set(points.map(({ runId }) => runId))) {
      appendPoints(
        this.#client,
        id,
        points.filter(({ runId }) => runId === id),
      );
    }
    this.#onFlush(events);
  }
}

function isPoint(point: Partial<TracePoint>): boolean {
  return typeof point.runId === "string" && typeof point.epoch === "number" && point.metrics !== undefined;
}

function appendPoints(client: QueryClient, id: string, fresh: readonly TracePoint[]): void {
  client.setQueryData<TraceAnswer>(keyOf("GET /runs/:id/trace", { id }), (known) => {
    if (known === undefined) return known;
    const byEpoch = new Map([...known.points, ...fresh].map((point) => [point.epoch, point]));
    return { points: [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch) };
  });
}

/** Of the latest runs only: a console left open for weeks must not grow. */
const KEPT_RUNS = 20;

function withProgress(known: ReadonlyMap<string, Progress>, event: StreamEvent): ReadonlyMap<string, Progress> {
  const { runId, share, etaMs } = event.data;
  if (typeof runId !== "string" || typeof share !== "number") return known;
  const entries = [...known].filter(([id]) => id !== runId).slice(-KEPT_RUNS);
  return new Map([...entries, [runId, { share, ...(typeof etaMs === "number" ? { etaMs } : {}) }]]);
}
