import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { RUN_STATES, RUN_STEPS } from "../../src/core/records.ts";
import { LAYERS } from "./checker/imports.ts";

const url = (path: string) => new URL(`../../${path}`, import.meta.url);
const read = (path: string) => readFileSync(url(path), "utf8");
const page = read("ARCHITECTURE.md");

describe("ARCHITECTURE.md", () => {
  it("states the order of folders that the checker enforces", () => {
    const block = /^core <[\s\S]*?(?=^```)/m.exec(page)?.[0] ?? "";
    const stated = block.split("<").map((layer) => layer.replace(/[{}\s]/g, "").split(","));
    expect(stated).toEqual(LAYERS);
  });

  it("draws and explains the states of a run that the code has", () => {
    const diagram = /stateDiagram-v2([\s\S]*?)```/.exec(page)?.[1] ?? "";
    const drawn = [...diagram.matchAll(/^\s+(\S+) --> (\S+?):?(?:\s|$)/gm)].flatMap(([, from, to]) => [from, to]);
    expect(new Set(drawn.filter((state) => state !== "[*]"))).toEqual(new Set(RUN_STATES));
    const explained = [...page.matchAll(/^\| ([a-z]+) \| (.*) \|$/gm)].filter(([, state]) => state !== "state");
    expect(explained.map(([, state]) => state)).toEqual([...RUN_STATES]);
  });

  it("names the steps of a run in order", () => {
    expect(page).toContain(`resumable: ${RUN_STEPS.join(", ")}.`);
    expect(page).toContain(RUN_STEPS.join(" ▶ "));
  });

  it("explains each state as the table in core/records.ts does", () => {
    const table = [...read("src/core/records.ts").matchAll(/^ \* \| ([a-z]+) \| ([^|]+) \|/gm)];
    const meanings = new Map(table.map(([, state, meaning]) => [state, meaning]));
    for (const state of RUN_STATES) expect(page).toContain(`| ${state} | ${meanings.get(state)} |`);
  });
});

describe("README.md", () => {
  it("has a line for each folder of src and for no other", () => {
    const tree = /^src\/\n([\s\S]*?)^\S/m.exec(read("README.md"))?.[1] ?? "";
    const listed = [...tree.matchAll(/^ {2}([a-z]+)\/ /gm)].map(([, folder]) => folder ?? "");
    const present = readdirSync(url("src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const filled = present.filter(({ name }) => readdirSync(url(`src/${name}`)).length > 0).map(({ name }) => name);
    expect(listed.toSorted()).toEqual(filled.toSorted());
  });

  it("links to files that exist", () => {
    const links = [...read("README.md").matchAll(/\]\(([^):]+)\)/g)].map(([, path]) => path ?? "");
    expect(links.filter((path) => !existsSync(url(path)))).toEqual([]);
  });
});
