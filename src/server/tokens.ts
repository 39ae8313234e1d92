/**
 * Tokens: `rt_` + 64 hex digits of 256 random bits + 8 digits of checksum, so that scanners of leaked secrets recognize one and a
 * typo is told from a wrong token without a look-up. Stored as SHA-256; a random 256-bit secret needs no slow hash.
 */
import { timingSafeEqual } from "node:crypto";
import { type Instant, type Role, secureBytes, sha256Hex, type TokenRecord } from "../core/index.ts";
import type { TokenScope } from "./contract.ts";

export const TOKEN_SCOPES: readonly TokenScope[] = ["predict", "ingest", "label"];
const PREFIX = "rt_";
const SECRET_PATTERN = /^rt_([0-9a-f]{64})([0-9a-f]{8})$/;

const checksum = (body: string) => sha256Hex(`${PREFIX}${body}`).slice(0, 8);

/** A new secret; whoever makes it shows it once. */
export function createSecret(): string {
  const body = Buffer.from(secureBytes(32)).toString("hex");
  return `${PREFIX}${body}${checksum(body)}`;
}

/** False for anything `createSecret` cannot have made. */
export function isWellFormed(secret: string): boolean {
  const match = SECRET_PATTERN.exec(secret);
  return match !== null && checksum(match[1] as string) === match[2];
}

export function hashSecret(secret: string): string {
  return sha256Hex(secret);
}

/** Equality of two hex digests in constant time. */
export function sameDigest(left: string, right: string): boolean {
  const a = Buffer.from(left, "hex");
  const b = Buffer.from(right, "hex");
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The token of a secret, or undefined. Compares digests of equal length in constant time, all of them. */
export function findToken(tokens: readonly TokenRecord[], secret: string, now: Instant): TokenRecord | undefined {
  if (!isWellFormed(secret)) return undefined;
  const digest = hashSecret(secret);
  let found: TokenRecord | undefined;
  for (const token of tokens) {
    if (sameDigest(token.hash, digest)) found = token;
  }
  if (found === undefined || found.revokedAt !== undefined) return undefined;
  return found.expiresAt !== undefined && found.expiresAt <= now ? undefined : found;
}

const RANK: Readonly<Record<Role, number>> = { viewer: 0, labeler: 1, operator: 2, admin: 3 };

/** Whether a token's role reaches the role a route asks for. */
export function hasRole(actual: Role, needed: Role): boolean {
  return RANK[actual] >= RANK[needed];
}
