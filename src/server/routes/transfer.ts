/** Versions between servers: one signed file out, one in. */
import type { FastifyInstance } from "fastify";
import { fail } from "../../core/index.ts";
import { ARCHIVE_LIMIT_BYTES } from "../../model/index.ts";
import type { ExportKeyAnswer, ImportAnswer } from "../contract.ts";
import { addRoute, modelName, object, oneOf, type ServerContext, versionName } from "../route.ts";

/** The first is the default. */
export const EXPORT_FORMATS = ["retrain"] as const;
export const ARCHIVE_TYPE = "application/x-tar";

export function addTransferRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  app.addContentTypeParser(
    ARCHIVE_TYPE,
    { parseAs: "buffer", bodyLimit: ARCHIVE_LIMIT_BYTES },
    (_request, body, done) => done(null, body),
  );
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/versions/:version/export",
    summary: "A version with its evidence as one signed file",
    tag: "versions",
    access: { role: "operator" },
    params: object({ model: modelName, version: versionName }, ["model", "version"]),
    query: object({ format: oneOf(...EXPORT_FORMATS) }),
    answer: "A tar file: version.json, signature.json, artifact/…",
    handler: async (request, reply) => {
      const { model, version } = request.params as { model: string; version: string };
      const archive = await loop.exportVersion(model, version);
      return reply
        .type(ARCHIVE_TYPE)
        .header("content-disposition", `attachment; filename="${model}-${version}.retrain"`)
        .send(Buffer.from(archive));
    },
  });
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/export-key",
    summary: "The public key this server signs exported versions with",
    tag: "versions",
    access: { role: "viewer" },
    answer: "ExportKeyAnswer",
    handler: async (): Promise<ExportKeyAnswer> => ({ publicKey: await loop.exportKey() }),
  });
  addRoute(app, context, {
    method: "POST",
    url: "/api/v1/models/:model/imports",
    summary: "Register the version of an exported file and judge it here",
    tag: "versions",
    access: { role: "operator" },
    params: object({ model: modelName }, ["model"]),
    openApiBody: { description: `An exported version, ${ARCHIVE_TYPE}.` },
    answer: "ImportAnswer",
    bodyLimit: ARCHIVE_LIMIT_BYTES,
    // The same file gives the same version, so a repeated request needs no key; hashing the body twice would cost more.
    idempotent: false,
    handler: async (request): Promise<ImportAnswer> => {
      const { model } = request.params as { model: string };
      if (!(request.body instanceof Uint8Array)) {
        throw fail("FORMAT_UNSUPPORTED", {
          message: `An exported version is sent as ${ARCHIVE_TYPE}, not as ${request.headers["content-type"] ?? "nothing"}.`,
          remedy: "Use `retrain import FILE`, or set the content type.",
        });
      }
      return loop.importVersion(model, request.body, request.actor.name);
    },
  });
}
