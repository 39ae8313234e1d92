import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

it("keeps the schemas of answers as the types of the contract make them", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/answer-schemas.mjs", "--check"], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(status, "run `npm run answer-schemas`").toBe(0);
}, 60_000);
