import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ERROR_CODES } from "../../src/core/errors.ts";

interface Row {
  readonly code: string;
  readonly status: number;
  readonly exit: number;
  readonly meaning: string;
  readonly remedy: string;
}

const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line): Row => {
    const [code = "", status, exit, meaning = "", remedy = ""] = line.slice(2, -2).split(" | ");
    return { code: code.replaceAll("`", ""), status: Number(status), exit: Number(exit), meaning, remedy };
  });

describe("docs/errors.md", () => {
  it("lists each code of src/core/errors.ts and no other, in the same order", () => {
    expect(rows.map((row) => row.code)).toEqual(Object.keys(ERROR_CODES));
  });

  it("states the HTTP status, exit code and meaning the code has", () => {
    const stated = rows.map(({ code, status, exit, meaning }) => [code, { status, exit, meaning }]);
    expect(Object.fromEntries(stated)).toEqual(ERROR_CODES);
  });

  it("gives every code a remedy in a sentence", () => {
    expect(rows.filter((row) => !/^[A-Z`].*\.$/.test(row.remedy)).map((row) => row.code)).toEqual([]);
  });
});

describe("the error codes", () => {
  it("are upper-snake words with an HTTP error status and a documented exit code", () => {
    const wrong = Object.entries(ERROR_CODES).filter(
      ([code, { status, exit }]) =>
        !/^[A-Z]+(_[A-Z]+)*$/.test(code) || status < 400 || status > 599 || ![1, 2, 5, 6, 7, 8].includes(exit),
    );
    expect(wrong).toEqual([]);
  });
});

describe("every error code", () => {
  const folder = fileURLToPath(new URL("..", import.meta.url));
  const tests = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => readFileSync(join(folder, path), "utf8"))
    .join("\n");

  it("is expected by a test that makes it happen", () => {
    const unnamed = Object.keys(ERROR_CODES).filter((code) => !new RegExp(`\\b${code}\\b`).test(tests));
    expect(unnamed).toEqual([]);
  });
});
