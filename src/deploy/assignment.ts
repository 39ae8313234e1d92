/**
 * Who answers a request: a salted hash of its unit picks one of 10,000 buckets, and a share is the first so many buckets. The
 * same unit gets the same bucket on every replica and after every restart, and a growing share only moves units from the
 * champion to the challenger. The salt is the rollout's own, so two rollouts never split users the same way.
 */
import { ASSIGNMENT_BUCKETS, type RoutePlan, type Variant } from "../core/index.ts";

const utf8 = new TextEncoder();
const scratch = new Uint8Array(1024);

/**
 * MurmurHash3 x86 32-bit (A. Appleby, public domain) of UTF-8 text: one multiplication per four bytes, and an avalanche that
 * passes the usual tests, which a plain polynomial hash of similar ids does not.
 */
export function hash32(text: string, seed = 0): number {
  let bytes = scratch;
  let { read, written: length } = utf8.encodeInto(text, scratch);
  if (read < text.length) {
    bytes = utf8.encode(text);
    length = bytes.length;
    read = text.length;
  }
  let hash = seed | 0;
  const blocks = length & ~3;
  for (let i = 0; i < blocks; i += 4) {
    const word =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    hash = mix(hash, word);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = length - 1; i >= blocks; i--) tail = (tail << 8) | (bytes[i] as number);
  if (length > blocks) hash = mix(hash, tail);
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  return hash ^ Math.imul(k, 0x1b873593);
}

/** @param key unit, or request id where the model has no unit @returns 0 to 9,999 */
export function bucketOf(salt: string, key: string): number {
  return Math.floor((hash32(`${salt}\u001f${key}`) / 4_294_967_296) * ASSIGNMENT_BUCKETS);
}

/** The first `share` of buckets belongs to the challenger. */
export function variantOf(bucket: number, share: number): Variant {
  return bucket < Math.round(share * ASSIGNMENT_BUCKETS) ? "challenger" : "champion";
}

/** Which requests are mirrored: by another hash than the assignment, so that both shares are independent. */
export function isMirrored(plan: RoutePlan, requestId: string): boolean {
  if (plan.mirror >= 1) return true;
  return plan.mirror > 0 && hash32(requestId, 0x9747b28c) < plan.mirror * 4_294_967_296;
}
