/** Versions between servers: one signed file out, one in. */
import type { FastifyInstance } from "fastify";
import { fail } from "../../core/index.ts";
import { ARCHIVE_LIMIT_BYTES } from "../../model/index.ts";
import type { ExportKeyAnswer, ImportAnswer } from "../contract.ts";
import { addRoute, modelName, object, oneOf, type ServerContext, versionName } from "../route.ts";

/** The first is the default. */
export const EXPORT_FORMATS = ["retrain", "onnx", "onnx-counts"] as const;
export const ARCHIVE_TYPE = "application/x-tar";
export const ONNX_TYPE = "application/onnx";

export function addTransferRoutes(app: FastifyInstance, context: ServerContext): void {
  const { loop } = context;
  app.addContentTypeParser(
    [ARCHIVE_TYPE, ONNX_TYPE],
    { parseAs: "buffer", bodyLimit: ARCHIVE_LIMIT_BYTES },
    (_request, body, done) => done(null, body),
  );
  addRoute(app, context, {
    method: "GET",
    url: "/api/v1/models/:model/versions/:version/export",
    summary:
      "A version with its evidence as one signed file, or its model alone as ONNX (`onnx-counts`: texts as counted terms)",
    tag: "versions",
    access: { role: "operator" },
    params: object({ model: modelName, version: versionName }, ["model", "version"]),
    query: object({ format: oneOf(...EXPORT_FORMATS) }),
    answer: "A tar file: version.json, signature.json, artifact/…; or the ONNX file",
    handler: async (request, reply) => {
      const { model, version } = request.params as { model: string; version: string };
      const { format = "retrain" } = request.query as { format?: (typeof EXPORT_FORMATS)[number] };
      const isOnnx = format !== "retrain";
      const texts = format === "onnx-counts" ? "counts" : "refuse";
      const content = await (isOnnx ? loop.exportOnnx(model, version, { texts }) : loop.exportVersion(model, version));
      return reply
        .type(isOnnx ? ONNX_TYPE : ARCHIVE_TYPE)
        .header("content-disposition", `attachment; filename="${model}-${version}.${isOnnx ? "onnx" : "retrain"}"`)
        .send(Buffer.from(content));
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
    summary: "Register an exported version or an ONNX model and judge it here",
    tag: "versions",
    access: { role: "operator" },
    params: object({ model: modelName }, ["model"]),
    openApiBody: { description: `An exported version, ${ARCHIVE_TYPE}, or a model of any origin, ${ONNX_TYPE}.` },
    answer: "ImportAnswer",
    bodyLimit: ARCHIVE_LIMIT_BYTES,
    // The same file gives the same version, so a repeated request needs no key; hashing the body twice would cost more.
    idempotent: false,
    handler: async (request): Promise<ImportAnswer> => {
      const { model } = request.params as { model: string };
      if (!(request.body instanceof Uint8Array)) {
        throw fail("FORMAT_UNSUPPORTED", {
          message: `An exported version is sent as ${ARCHIVE_TYPE} and a model as ${ONNX_TYPE}, not as ${request.headers["content-type"] ?? "nothing"}.`,
          remedy: "Use `retrain import FILE`, or set the content type.",
        });
      }
      if (request.headers["content-type"] === ONNX_TYPE) {
        return { ...(await loop.importOnnx(model, request.body, request.actor.name)), signedBy: null };
      }
      return loop.importVersion(model, request.body, request.actor.name);
    },
  });
}
