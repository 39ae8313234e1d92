import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeSigningKey, packVersion, signingKeyOf, unpackVersion } from "../../src/model/index.ts";

const key = makeSigningKey();
const files = new Map([
  ["artifact/manifest.json", Buffer.from('{"format":1}')],
  ["artifact/model.bin", Buffer.from(Array.from({ length: 1_500 }, (_, i) => i % 251))],
]);
const archive = packVersion({ format: 1, model: "m" }, files, key);
const read =
  (bytes: Uint8Array, trusted: readonly string[] = [key.publicKey]) =>
  () =>
    unpackVersion(bytes, trusted);
const invalid = (message: RegExp) =>
  expect.objectContaining({ code: "IMPORT_INVALID", message: expect.stringMatching(message) }) as Error;

/** A copy with one byte changed, the first after a text. */
function changed(after: string, add = 0, bytes: Uint8Array = archive): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf(after) + after.length + add;
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}
/** The first header with another name, kind or size, its checksum made right again. */
function withHeader(change: (block: Buffer) => void): Buffer {
  const copy = Buffer.from(archive);
  const block = copy.subarray(0, 512);
  change(block);
  block.write("        ", 148, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return copy;
}

describe("an exported version", () => {
  it("gives back what was packed, the same bytes for the same content, and opens with any tar program", () => {
    const unpacked = unpackVersion(archive, [key.publicKey]);
    expect(unpacked).toMatchObject({ publicKey: key.publicKey, description: { format: 1, model: "m" } });
    expect(
      Buffer.compare(unpacked.files.get("artifact/model.bin") as Uint8Array, files.get("artifact/model.bin") as Buffer),
    ).toBe(0);
    expect(Buffer.compare(packVersion({ format: 1, model: "m" }, files, signingKeyOf(key.privatePem)), archive)).toBe(
      0,
    );
    const folder = mkdtempSync(join(tmpdir(), "archive-"));
    writeFileSync(join(folder, "v.tar"), archive);
    const listed = execFileSync("tar", ["-tf", join(folder, "v.tar")])
      .toString()
      .trim()
      .split("\n");
    expect(listed).toEqual(["version.json", "signature.json", "artifact/manifest.json", "artifact/model.bin"]);
  });

  it("is refused when its signer is not trusted, naming the key to compare", () => {
    expect(read(archive, [makeSigningKey().publicKey])).toThrow(
      expect.objectContaining({ code: "IMPORT_UNTRUSTED", message: expect.stringContaining(key.publicKey) }) as Error,
    );
  });

  it.each([
    ["a changed description", changed('"model":"'), /signature does not fit/],
    ["a changed signature", changed('"signature":"', 4), /signature does not fit/],
    ["a changed file", changed('{"format":1}', -3), /listed hash|signature/],
    [
      "a changed file body",
      (() => {
        const copy = Buffer.from(archive);
        copy[copy.length - 1024 - 100] = 77;
        return copy;
      })(),
      /listed hash|tar|end/,
    ],
    ["a cut file", Buffer.from(archive.subarray(0, archive.length - 1_600)), /cut short|end is missing/],
    ["another format", Buffer.from("PK\x03\x04 not a tar at all".padEnd(2_048, "x")), /no tar file/],
    ["nothing", Buffer.alloc(0), /end is missing/],
    ["a path out of the folder", withHeader((block) => block.write("../../etc/passwd\0", 0)), /names "\.\.\/\.\./],
    ["an absolute path", withHeader((block) => block.write("/etc/passwd\0", 0)), /names "\/etc/],
    ["a link", withHeader((block) => block.write("2", 156)), /a link, a folder or a device/],
    ["a giant size", withHeader((block) => block.write("77777777777\0", 124)), /cut short/],
    ["a wrong checksum", changed("version.json", 5), /checksum/],
    ["a file twice", Buffer.concat([archive.subarray(0, 512 * 2), archive]), /twice/],
  ])("is refused for %s", (_name, bytes, message) => {
    expect(read(bytes)).toThrow(invalid(message));
  });

  it("is refused when a signed list and the files differ", () => {
    const cut = (name: string) => {
      const copy = Buffer.from(archive);
      const at = copy.indexOf(`${name}\0`);
      const size = Math.ceil((files.get(name) as Buffer).length / 512) * 512 + 512;
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + size)]);
    };
    expect(read(cut("artifact/manifest.json"))).toThrow(invalid(/"artifact\/manifest.json" is missing/));
  });
});
