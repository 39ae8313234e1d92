/**
 * A version as one file: an uncompressed tar of `version.json` (what it is, with the hash of every other file), `signature.json`
 * (Ed25519 over the bytes of version.json) and `artifact/…`. Any tar program opens it; nothing is written to disk from its names.
 *
 * The reader trusts nothing before the signature is checked: only plain files with short known-shaped names, each once, within the
 * size caps. A link, a folder, an absolute path, `..`, or a file that version.json does not list is refused.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { canonicalJson, fail, sha256Hex } from "../core/index.ts";
import type { Json } from "../core/index.ts";

const BLOCK = 512;
/** `version.json`, `artifact/model.bin`: at most one folder, no dot in front. */
const NAME = /^[a-z0-9][a-z0-9_-]*(\.[a-z0-9]+)?(\/[a-z0-9][a-z0-9_.-]*)?$/;
/** A forest of a million leaves is about 30 MiB; larger models belong in an object store. */
export const ARCHIVE_LIMIT_BYTES = 512 * 1024 * 1024;
/** An artifact has about ten files. */
const FILE_LIMIT = 64;
const DESCRIPTION = "version.json";
const SIGNATURE = "signature.json";

export type ArchiveFiles = ReadonlyMap<string, Uint8Array>;

function broken(what: string) {
  return fail("IMPORT_INVALID", {
    message: `The file is no exported version: ${what}.`,
    remedy: "Export the version again with `retrain export`, and move the file as it is.",
  });
}

function header(name: string, size: number): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100, "latin1");
  block.write("0000644\0", 100, "latin1");
  block.write("0000000\0", 108, "latin1");
  block.write("0000000\0", 116, "latin1");
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  // No time: equal versions make equal files.
  block.write(`${"0".repeat(11)}\0`, 136, "latin1");
  block.write("        ", 148, "latin1");
  block.write("0", 156, "latin1");
  block.write("ustar\0", 257, "latin1");
  block.write("00", 263, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function packTar(files: ArchiveFiles): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, content] of files) {
    parts.push(header(name, content.byteLength), content);
    const rest = content.byteLength % BLOCK;
    if (rest > 0) parts.push(new Uint8Array(BLOCK - rest));
  }
  parts.push(new Uint8Array(BLOCK * 2));
  return Buffer.concat(parts);
}

const field = (block: Buffer, from: number, length: number) =>
  block.toString("latin1", from, from + length).replace(/\0[\s\S]*$/, "");

function unpackTar(bytes: Uint8Array): Map<string, Uint8Array> {
  if (bytes.byteLength > ARCHIVE_LIMIT_BYTES) {
    throw broken(`it has ${bytes.byteLength} bytes, more than ${ARCHIVE_LIMIT_BYTES}`);
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const files = new Map<string, Uint8Array>();
  for (let offset = 0; offset + BLOCK <= buffer.length; ) {
    const block = buffer.subarray(offset, offset + BLOCK);
    if (block.every((byte) => byte === 0)) return files;
    const { name, size } = readHeader(block);
    if (files.has(name)) throw broken(`it holds ${JSON.stringify(name)} twice`);
    if (files.size >= FILE_LIMIT) throw broken(`it holds more than ${FILE_LIMIT} files`);
    const start = offset + BLOCK;
    if (start + size > buffer.length) throw broken(`${JSON.stringify(name)} is cut short`);
    files.set(name, buffer.subarray(start, start + size));
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw broken("its end is missing");
}

function readHeader(block: Buffer): { readonly name: string; readonly size: number } {
  if (field(block, 257, 5) !== "ustar") throw broken("it is no tar file");
  const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (Number.parseInt(field(block, 148, 8), 8) !== sum) throw broken("a checksum in it is wrong");
  const name =
    field(block, 345, 155) === "" ? field(block, 0, 100) : `${field(block, 345, 155)}/${field(block, 0, 100)}`;
  const kind = field(block, 156, 1);
  if (!NAME.test(name) || name.includes("..")) throw broken(`it names ${JSON.stringify(name.slice(0, 120))}`);
  if (kind !== "0" && kind !== "") throw broken(`${JSON.stringify(name)} is a link, a folder or a device`);
  const text = field(block, 124, 12).trim();
  if (!/^[0-7]{1,11}$/.test(text)) throw broken(`${JSON.stringify(name)} states no size`);
  return { name, size: Number.parseInt(text, 8) };
}

// -- keys ------------------------------------------------------------------------------------------------------------------------

/** A signing key: the private half as PEM, the public half as a configuration names it, `ed25519:<base64>`. */
export interface SigningKey {
  readonly privatePem: string;
  readonly publicKey: string;
}

/** The ASN.1 frame of a raw Ed25519 public key (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
export const PUBLIC_KEY_PATTERN = /^ed25519:[A-Za-z0-9+/]{43}=$/;

export function makeSigningKey(): SigningKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  return signingKeyOf(privateKey.export({ type: "pkcs8", format: "pem" }) as string);
}

export function signingKeyOf(privatePem: string): SigningKey {
  const raw = createPublicKey(createPrivateKey(privatePem)).export({ type: "spki", format: "der" }) as Buffer;
  return { privatePem, publicKey: `ed25519:${raw.subarray(SPKI_PREFIX.length).toString("base64")}` };
}

function isSigned(content: Uint8Array, publicKey: string, signature: string): boolean {
  try {
    const raw = Buffer.from(publicKey.slice("ed25519:".length), "base64");
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
    return verify(null, content, key, Buffer.from(signature, "base64"));
  } catch {
    return false;
  }
}

// -- versions --------------------------------------------------------------------------------------------------------------------

/** @param description is given the hashes of all files under `files` */
export function packVersion(
  description: { readonly [key: string]: Json },
  files: ArchiveFiles,
  key: SigningKey,
): Uint8Array {
  const hashes = Object.fromEntries(
    [...files].map(([name, content]) => [name, { sha256: sha256Hex(content), sizeBytes: content.byteLength }]),
  );
  const text = Buffer.from(canonicalJson({ ...description, files: hashes }));
  const signature = sign(null, text, createPrivateKey(key.privatePem)).toString("base64");
  const signed = Buffer.from(canonicalJson({ algorithm: "ed25519", publicKey: key.publicKey, signature }));
  return packTar(new Map([[DESCRIPTION, text], [SIGNATURE, signed], ...files]));
}

export interface UnpackedVersion {
  readonly description: { readonly [key: string]: Json };
  readonly files: ArchiveFiles;
  /** Who signed it. */
  readonly publicKey: string;
}

/**
 * Checks shape, signature and every hash, in this order.
 * @param trusted public keys, `ed25519:<base64>`
 * @throws IMPORT_INVALID for a damaged or altered file, IMPORT_UNTRUSTED for a signer nobody trusts
 */
export function unpackVersion(bytes: Uint8Array, trusted: readonly string[]): UnpackedVersion {
  const files = unpackTar(bytes);
  const text = files.get(DESCRIPTION);
  const signed = files.get(SIGNATURE);
  if (text === undefined || signed === undefined) throw broken(`it lacks ${DESCRIPTION} or ${SIGNATURE}`);
  files.delete(DESCRIPTION);
  files.delete(SIGNATURE);
  const { publicKey, signature } = parse(signed, SIGNATURE);
  if (typeof publicKey !== "string" || typeof signature !== "string" || !PUBLIC_KEY_PATTERN.test(publicKey)) {
    throw broken(`${SIGNATURE} names no key and signature`);
  }
  if (!isSigned(text, publicKey, signature)) throw broken("its signature does not fit its content: it was altered");
  if (!trusted.includes(publicKey)) {
    throw fail("IMPORT_UNTRUSTED", {
      message: `The version is signed by ${publicKey}, which this server does not trust.`,
      remedy: `Compare the key with what \`retrain export-key\` prints at the server it comes from; if it is the same, add it to \`imports.trust\` in the configuration.`,
      details: { publicKey },
    });
  }
  const description = parse(text, DESCRIPTION);
  checkFiles(files, (description["files"] ?? {}) as Readonly<Record<string, { sha256: string; sizeBytes: number }>>);
  return { description, files, publicKey };
}

function parse(content: Uint8Array, name: string): { readonly [key: string]: Json } {
  try {
    const value: unknown = JSON.parse(Buffer.from(content).toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as { [key: string]: Json };
  } catch {
    // Told below, like any other content that is no object.
  }
  throw broken(`${name} is no JSON object`);
}

function checkFiles(
  files: ArchiveFiles,
  listed: Readonly<Record<string, { sha256: string; sizeBytes: number }>>,
): void {
  for (const [name, content] of files) {
    const entry = Object.hasOwn(listed, name) ? listed[name] : undefined;
    if (entry === undefined) throw broken(`${JSON.stringify(name)} is not listed in ${DESCRIPTION}`);
    if (entry.sizeBytes !== content.byteLength || entry.sha256 !== sha256Hex(content)) {
      throw broken(`${JSON.stringify(name)} does not have the listed hash`);
    }
  }
  const missing = Object.keys(listed).find((name) => !files.has(name));
  if (missing !== undefined) throw broken(`${JSON.stringify(missing)} is missing`);
}
