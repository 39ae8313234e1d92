/**
 * The console: static files, and index.html with a fresh nonce in every answer. The nonce stands where the build left
 * `__RETRAIN_NONCE__`; style elements made at run time carry it, so that the content security policy needs no 'unsafe-inline'.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply } from "fastify";
import { secureBytes } from "../core/index.ts";

export const NONCE_PLACE = "__RETRAIN_NONCE__";

export function contentSecurityPolicy(nonce: string): string {
  return `default-src 'self'; img-src 'self' data:; style-src 'self' 'nonce-${nonce}'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'`;
}

export async function addConsole(app: FastifyInstance, folder: string): Promise<(reply: FastifyReply) => FastifyReply> {
  const html = readFileSync(join(folder, "index.html"), "utf8");
  const sendIndex = (reply: FastifyReply) => {
    const nonce = Buffer.from(secureBytes(18)).toString("base64");
    return reply
      .header("content-security-policy", contentSecurityPolicy(nonce))
      .header("cache-control", "no-store")
      .type("text/html; charset=utf-8")
      .send(html.replaceAll(NONCE_PLACE, nonce));
  };
  await app.register(fastifyStatic, {
    root: folder,
    index: false,
    wildcard: false,
    globIgnore: ["index.html"],
    // File names of the build hold a hash of their content.
    setHeaders: (reply, path) => {
      const isHashed = path.includes(`${join(folder, "assets")}`);
      reply.header("cache-control", isHashed ? "public, max-age=31536000, immutable" : "no-cache");
    },
  });
  app.get("/", { schema: { hide: true } }, async (_request, reply) => sendIndex(reply));
  return sendIndex;
}
