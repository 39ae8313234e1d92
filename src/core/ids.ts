/** Ids and names. Paths are built from ids and hashes only, never from input, so a name can never leave its folder. */
import { createHash } from "node:crypto";
import { fail } from "./errors.ts";
import { secureBytes } from "./random.ts";
import type { Instant } from "./records.ts";

export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** Throws `NAME_INVALID` unless the text is a valid name of a model, source or token. */
export function checkName(what: string, name: string): string {
  if (!NAME_PATTERN.test(name) || name.includes("..")) {
    throw fail("NAME_INVALID", {
      message: `${what} name ${JSON.stringify(name.slice(0, 80))} is not valid: it must match [a-z0-9][a-z0-9._-]{0,63} and hold no "..".`,
      remedy: "Use lower-case letters, digits, dot, underscore and hyphen, starting with a letter or digit.",
    });
  }
  return name;
}

const VARIANTS = "89ab";
/** One system call for some 500 ids: a call per id is a third of the cost of a logged prediction. */
const POOL_BYTES = 4096;
let pool = "";
let poolOffset = 0;
let lastInstant = Number.NaN;
let lastTime = "";
let lastCounter = 0;

function randomDigits(count: number): string {
  if (poolOffset + count > pool.length) {
    pool = Buffer.from(secureBytes(POOL_BYTES)).toString("hex");
    poolOffset = 0;
  }
  poolOffset += count;
  return pool.slice(poolOffset - count, poolOffset);
}

/**
 * UUID version 7 (RFC 9562): 48 bits of `instant`, a 12-bit counter that keeps ids of one millisecond in order, 62 random bits.
 * @param instant from the world clock, so that an id tells the time of its prediction also in a replay
 */
export function uuidV7(instant: Instant): string {
  if (instant === lastInstant) lastCounter = (lastCounter + 1) & 0xfff;
  else {
    lastInstant = instant;
    const time = timeDigits(instant);
    lastTime = `${time.slice(0, 8)}-${time.slice(8)}`;
    lastCounter = Number.parseInt(randomDigits(2), 16) << 2;
  }
  const tail = (lastCounter | 0x7000).toString(16);
  const variant = VARIANTS[Number.parseInt(randomDigits(1), 16) & 3];
  return `${lastTime}-${tail}-${variant}${randomDigits(3)}-${randomDigits(12)}`;
}

/** The 48 bits of an instant in a UUIDv7. */
const timeDigits = (instant: Instant) => Math.max(0, Math.floor(instant)).toString(16).padStart(12, "0").slice(-12);

/** An id in the shape of `uuidV7` that the name decides: work that is done again makes the same one, and nobody can tell it from others. */
export function namedUuid(instant: Instant, name: string): string {
  const time = timeDigits(instant);
  const hash = sha256Hex(name);
  const variant = ((Number.parseInt(hash.slice(3, 5), 16) & 0x3f) | 0x80).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hash.slice(0, 3)}-${variant}${hash.slice(5, 7)}-${hash.slice(7, 19)}`;
}

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The instant inside a UUIDv7, or undefined for any other id. */
export function uuidInstant(id: string): Instant | undefined {
  if (!UUID_V7.test(id)) return undefined;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

export function sha256Hex(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
