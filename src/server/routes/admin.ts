/** Configuration, sources, tokens, and who the server is. */
import type { FastifyInstance } from "fastify";
import type { RetrainSpec } from "../../config/spec.ts";
import { checkName, fail, type Json, type JsonObject, type Role, type TokenRecord, uuidV7 } from "../../core/index.ts";
import type { ConfigAnswer, ServerInfo, SourceList, TokenBody, TokenCreated, TokenView } from "../contract.ts";
import { addRoute, object, oneOf, recordId, type ServerContext, text } from "../route.ts";
import { audit } from "./audit.ts";
import { createSecret, hashSecret, TOKEN_SCOPES } from "../tokens.ts";

const ADMIN = { role: "admin" } as const;
const DAY_MS = 86_400_000;
const MASK = "(secret)";
/** Addresses of chat and other webhooks hold their secret in the path. */
const SECRET_KEYS = new Set(["secret", "password", "token", "databaseUrl"]);

/** The spec with every secret replaced; what is left may be shown to any viewer. */
export function maskSecrets(value: unknown, key = "", parentKind = ""): Json {
  if (typeof value === "string") {
    if (SECRET_KEYS.has(key)) return MASK;
    if (key === "url" && (parentKind === "slack" || parentKind === "webhook")) return maskUrl(value);
    return value;
  }
  if (Array.isArray(value)) return value.map((item) => maskSecrets(item, key, parentKind));
  if (typeof value !== "object" || value === null) return value as Json;
  const named = (value as { kind?: unknown }).kind;
  const kind = typeof named === "string" ? named : "";
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([name, item]) => [name, maskSecrets(item, name, kind)]));
}

function maskUrl(url: string): string {
  try {
    return `${new URL(url).origin}/${MASK}`;
  } catch {
    return MASK;
  }
}

export function addAdminRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/server",
    summary: "Version, clock, readiness, and who is asking",
    tag: "admin",
    access: { role: "viewer" },
    answer: "ServerInfo",
    handler: async (request): Promise<ServerInfo> => ({
      name: "retrain",
      version: context.version,
      now: loop.worldClock.now(),
      replay: context.replay,
      ...loop.ready(),
      actor: request.actor,
      store: loop.store.health(),
    }),
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/config",
    summary: "Every resolved value and where it came from; secrets masked",
    tag: "admin",
    access: { role: "operator" },
    answer: "ConfigAnswer",
    handler: async (): Promise<ConfigAnswer> => {
      const { origins, ...config }: RetrainSpec = loop.spec;
      return { config: maskSecrets(config), origins };
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/sources",
    summary: "Watched files and folders with their positions",
    tag: "admin",
    access: { role: "viewer" },
    answer: "SourceList",
    handler: async (): Promise<SourceList> => ({ items: await Promise.all(loop.spec.sources.map(describeSource)) }),
  });
  async function describeSource(source: RetrainSpec["sources"][number]) {
    const { name, model, kind, path, format } = source;
    const saved = await loop.store.settings.sourcePosition(name);
    const position: JsonObject | null = saved?.position ?? null;
    return { name, model, kind, path, format: format ?? null, position, updatedAt: saved?.updatedAt ?? null };
  }
  addTokenRoutes(app, context);
}

export function viewOf(token: TokenRecord): TokenView {
  const { id, name, role, scopes, createdAt, expiresAt, revokedAt } = token;
  return { id, name, role, scopes, createdAt, expiresAt: expiresAt ?? null, revokedAt: revokedAt ?? null };
}

function addTokenRoutes(app: FastifyInstance, context: ServerContext): void {
  const { settings } = context.loop.store;
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/tokens",
    summary: "All tokens, without their secrets",
    tag: "admin",
    access: ADMIN,
    answer: "TokenView list",
    handler: async () => ({ items: (await settings.tokens()).map(viewOf) }),
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/tokens",
    summary: "Make a token; its secret is in this answer only",
    tag: "admin",
    access: ADMIN,
    // A stored answer would keep the secret, which is shown once and never stored.
    idempotent: false,
    body: object(
      {
        name: text(64),
        role: oneOf("viewer", "labeler", "operator", "admin"),
        scopes: { type: "array", items: oneOf(...TOKEN_SCOPES), maxItems: 3, uniqueItems: true },
        expiresInDays: { type: "number", exclusiveMinimum: 0, maximum: 3650 },
      },
      ["name", "role"],
    ),
    answer: "TokenCreated",
    handler: async (request, reply): Promise<TokenCreated> => {
      const created = makeToken(context, request.body as TokenBody);
      await settings.saveToken(created.record);
      context.access.forget();
      const { id, name, role } = created.record;
      await audit(context, request, { action: "token.create", subject: id, details: { name, role } });
      reply.code(201).header("cache-control", "no-store");
      return { token: viewOf(created.record), secret: created.secret };
    },
  });
  addRoute(app, context, {
    method: "DELETE",
    url: "/api/v1/tokens/:id",
    summary: "Revoke a token",
    tag: "admin",
    access: ADMIN,
    params: object({ id: recordId }, ["id"]),
    answer: "TokenView",
    handler: async (request): Promise<TokenView> => {
      const { id } = request.params as { id: string };
      const found = (await settings.tokens()).find((token) => token.id === id);
      if (found === undefined) {
        throw fail("NOT_FOUND", {
          message: `There is no token ${JSON.stringify(id)}.`,
          remedy: "`retrain tokens list` lists them.",
        });
      }
      const at = context.systemClock.now();
      await settings.revokeToken(id, at);
      context.access.forget();
      await audit(context, request, { action: "token.revoke", subject: id, details: { name: found.name } });
      return viewOf({ ...found, revokedAt: found.revokedAt ?? at });
    },
  });
}

function makeToken(context: ServerContext, body: TokenBody): { record: TokenRecord; secret: string } {
  const secret = createSecret();
  const createdAt = context.systemClock.now();
  const record: TokenRecord = {
    id: uuidV7(createdAt),
    name: checkName("Token", body.name),
    role: body.role satisfies Role,
    scopes: body.scopes ?? [],
    hash: hashSecret(secret),
    createdAt,
    ...(body.expiresInDays === undefined ? {} : { expiresAt: createdAt + Math.round(body.expiresInDays * DAY_MS) }),
  };
  return { record, secret };
}
