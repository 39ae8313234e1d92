/** `/livez`, `/readyz`, `/metrics`, and the two routes of replay mode. */
import type { FastifyInstance } from "fastify";
import { fail, type VirtualWorldClock } from "../../core/index.ts";
import type { AdvanceAnswer, AdvanceBody, ReplaySpeedBody } from "../contract.ts";
import { addRoute, object, type ServerContext } from "../route.ts";

/** Probes carry no token: what they say is a word, and a load balancer has no secret. */
export function addHealthRoutes(app: FastifyInstance, context: ServerContext): void {
  const schema = (summary: string) => ({ schema: { summary, tags: ["health"] } });
  app.get("/livez", schema("The process answers"), async () => ({ live: true }));
  app.get("/readyz", schema("The store is writable, models are loaded, not draining"), async (_request, reply) => {
    const { ready, reasons } = context.loop.ready();
    const all = context.isDraining() ? [...reasons, "The server is shutting down."] : reasons;
    const isReady = ready && !context.isDraining();
    reply.code(isReady ? 200 : 503);
    return { ready: isReady, reasons: all };
  });
  app.get(
    "/metrics",
    {
      ...schema("Figures for Prometheus"),
      onRequest: async (request) => {
        request.actor = await context.access.admit(request.raw, { role: "viewer" });
      },
    },
    async (_request, reply) => {
      reply.header("content-type", context.metrics.registry.contentType);
      return context.metrics.text();
    },
  );
}

export function addReplayRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  const requireReplay = (): VirtualWorldClock => {
    if (context.replay && loop.worldClock.kind === "virtual") return loop.worldClock as VirtualWorldClock;
    throw fail("REPLAY_ONLY", {
      message: "This server runs on the real clock; only a server in replay mode has this route.",
      remedy: "Start it with `retrain demo`.",
    });
  };
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/replay/advance",
    summary: "Replay mode: move the clock tick by tick, and wait for the runs the ticks queued",
    tag: "replay",
    access: { role: "operator" },
    // Advancing twice to one instant is advancing once, and a wait of minutes must not be stored.
    idempotent: false,
    body: object({ to: { type: "integer" } }, ["to"]),
    answer: "AdvanceAnswer",
    handler: async (request): Promise<AdvanceAnswer> => {
      requireReplay();
      return loop.advance((request.body as AdvanceBody).to);
    },
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/replay/speed",
    summary: "Replay mode: let the clock run on by itself",
    tag: "replay",
    access: { role: "operator" },
    idempotent: false,
    body: object({ speed: { type: "number", minimum: 0, maximum: 1_000_000 } }, ["speed"]),
    answer: "AdvanceAnswer",
    handler: async (request): Promise<AdvanceAnswer> => {
      const clock = requireReplay();
      clock.run((request.body as ReplaySpeedBody).speed);
      return { now: clock.now(), ticks: 0, runs: [] };
    },
  });
}
