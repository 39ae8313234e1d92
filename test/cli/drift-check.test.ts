import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareFiles } from "../../src/cli/commands/drift-check.ts";
import { runProgram } from "../../src/cli/program.ts";
import { createRandom } from "../../src/core/index.ts";
import { withDuckDb } from "../../src/cli/column-file.ts";

const folder = mkdtempSync(join(tmpdir(), "drift-check-"));
const at = (name: string) => join(folder, name);
const random = createRandom(3);

function csv(rows: number, shift: number, more: (i: number) => string = () => ""): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const x = random.nextFloat() + random.nextFloat() + random.nextFloat() + shift;
    const city = random.nextFloat() < 0.6 ? "Basel" : random.nextFloat() < 0.5 ? "Bern, old <b>town</b>" : "";
    return `${x},${city === "" ? "" : JSON.stringify(city)},${random.nextFloat() < 0.3},0${more(i)}`;
  });
  return ["x,city,flag,constant", ...lines].join("\n");
}

/** What a command line prints on stdout, and its exit code. */
async function run(...words: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const printed = { out: "", err: "" };
  const { stdout, stderr } = process;
  const [write, writeError] = [stdout.write.bind(stdout), stderr.write.bind(stderr)];
  stdout.write = ((text: string) => ((printed.out += text), true)) as typeof stdout.write;
  stderr.write = ((text: string) => ((printed.err += text), true)) as typeof stderr.write;
  try {
    return {
      code: await runProgram(words),
      ...printed,
      get out() {
        return printed.out;
      },
      get err() {
        return printed.err;
      },
    };
  } finally {
    stdout.write = write;
    stderr.write = writeError;
  }
}

describe("retrain drift check", () => {
  beforeAll(async () => {
    writeFileSync(at("before.csv"), csv(2_000, 0));
    writeFileSync(at("same.csv"), csv(800, 0));
    writeFileSync(at("moved.csv"), csv(800, 0.8));
    writeFileSync(at("eight.csv"), csv(8, 0.8));
    writeFileSync(at("lost.csv"), "city,flag,constant\nBasel,true,0\n".concat("Bern,false,0\n".repeat(400)));
    await withDuckDb(async (connection) => {
      for (const name of ["before", "moved"])
        await connection.run(
          `COPY (SELECT *, now()::TIMESTAMP AS stamp FROM read_csv('${at(`${name}.csv`)}')) TO '${at(`${name}.parquet`)}'`,
        );
      // The later rows lie first, in groups that end elsewhere; a seventh of them has no time.
      const stamps = (from: string) => `TIMESTAMP '${from}' + to_minutes(row_number() OVER ())`;
      const rows = (name: string, from: string) =>
        `SELECT *, ${stamps(from)} AS stamp, (${stamps(from)})::DATE AS day FROM read_csv('${at(`${name}.csv`)}')`;
      const parts = [rows("moved", "2026-03-01"), rows("before", "2026-02-01")];
      const lost = `SELECT * REPLACE (NULL AS stamp) FROM (${rows("same", "2026-02-01")})`;
      await connection.run(`COPY (${parts.join(" UNION ALL ")}) TO '${at("mixed.parquet")}' (ROW_GROUP_SIZE 2048)`);
      await connection.run(
        `COPY (${[...parts].reverse().join(" UNION ALL ")} UNION ALL ${lost}) TO '${at("history.csv")}'`,
      );
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("ends with 0 for equal files and with 4 for drifted ones, naming what moved", async () => {
    expect((await run("drift", "check", at("before.csv"), at("same.csv"), "--json")).code).toBe(0);
    const moved = await run("drift", "check", at("before.csv"), at("moved.csv"), "--json");
    expect(moved.code).toBe(4);
    const { data } = JSON.parse(moved.out) as { data: Awaited<ReturnType<typeof compareFiles>> };
    expect(data.report).toMatchObject({ verdict: "drift", reason: "1 of 4 features moved: x." });
    expect(data.report.features[0]).toMatchObject({ feature: "x", kind: "number", statistic: "psi" });
    expect(data.report.features.find((one) => one.feature === "city")?.missing.reference).toBeGreaterThan(0.1);
  });

  it("reads Parquet as it reads CSV, and says which columns it left", async () => {
    const fromCsv = await compareFiles(at("before.csv"), at("moved.csv"));
    const fromParquet = await compareFiles(at("before.parquet"), at("moved.parquet"));
    expect(fromParquet.report).toEqual(fromCsv.report);
    expect(fromParquet.left).toEqual(["stamp"]);
    expect((await compareFiles(at("before.parquet"), at("moved.csv"))).report).toEqual(fromCsv.report);
  });

  it("cannot tell from 8 rows, and does not fail a pipeline for it", async () => {
    const eight = await run("drift", "check", at("before.csv"), at("eight.csv"));
    expect(eight.code).toBe(0);
    expect(eight.out).toContain("cannot tell");
    expect(eight.err).toContain("Cannot tell: The current window has 8 rows; 200 are needed to tell.");
  });

  it("compares rows as wholes when asked: two columns that no longer go together", async () => {
    const together = (sign: number) => {
      const lines = Array.from({ length: 900 }, () => {
        const a = random.nextFloat() - 0.5;
        return `${a},${sign * a + (random.nextFloat() - 0.5) * 0.1},${random.nextFloat()}`;
      });
      return ["a,b,c", ...lines].join("\n");
    };
    writeFileSync(at("with.csv"), together(1));
    writeFileSync(at("against.csv"), together(-1));
    expect((await run("drift", "check", at("with.csv"), at("against.csv"))).code).toBe(0);
    const whole = await run(
      "drift",
      "check",
      at("with.csv"),
      at("against.csv"),
      "--multivariate",
      "--html",
      at("w.html"),
      "--json",
    );
    expect(whole.code).toBe(4);
    const { data } = JSON.parse(whole.out) as { data: Awaited<ReturnType<typeof compareFiles>> };
    expect(data.report.verdict).toBe("no-drift");
    expect(data.multivariate).toMatchObject({ verdict: "drift", referenceRows: 900 });
    expect(
      data.multivariate?.classifier.features
        .slice(0, 2)
        .map((one) => one.feature)
        .sort(),
    ).toEqual(["a", "b"]);
    expect(readFileSync(at("w.html"), "utf8")).toContain("Domain classifier");
    const few = await run("drift", "check", at("before.csv"), at("eight.csv"), "--multivariate");
    expect(few.code).toBe(0);
    expect(few.err).toContain("Cannot tell of whole rows");
  });

  it("compares one file before and after an instant, or a share of its rows", async () => {
    const two = await compareFiles(at("before.csv"), at("moved.csv"));
    const by = async (name: string, splitAt: string, time?: string) =>
      compareFiles(at(name), undefined, { splitAt, ...(time === undefined ? {} : { time }) });
    for (const found of [
      await by("mixed.parquet", "2026-03-01", "stamp"),
      await by("mixed.parquet", "2026-03-01T00:00:00Z", "day"),
      await by("history.csv", "2026-02-15", "stamp"),
    ]) {
      expect(found.report).toEqual(two.report);
      expect([found.reference.rows, found.current.rows]).toEqual([2_000, 800]);
      expect(found.left).toEqual(["stamp", "day"]);
    }
    const timed = await by("history.csv", "2026-02-15", "stamp");
    expect(timed.split).toEqual({ instant: "2026-02-15T00:00:00.000Z", by: "stamp", timeless: 800 });
    // In the order of its rows: those of the later file come first.
    const ordered = await by("mixed.parquet", "0.28572");
    expect(ordered.split).toEqual({ instant: null, by: null, timeless: 0 });
    expect(ordered.report).toEqual((await compareFiles(at("moved.csv"), at("before.csv"))).report);
    const shared = await by("mixed.parquet", "50%", "stamp");
    expect([shared.reference.rows, shared.current.rows]).toEqual([1_399, 1_401]);
    const words = await run("drift", "check", at("history.csv"), "--split-at", "2026-02-15", "--time", "stamp");
    expect(words.code).toBe(4);
    expect(words.out).toContain("The first 2,000 rows of");
    expect(words.out).toContain("stamp at 2026-02-15T00:00:00.000Z");
    expect(words.out).toContain("for want of a time: 800 rows");
  });

  it.each([
    [["mixed.parquet"], "USAGE", "a point, which is missing"],
    [["before.csv", "same.csv", "--split-at", "0.5"], "USAGE", "compared as they are"],
    [["before.csv", "same.csv", "--time", "x"], "USAGE", "compared as they are"],
    [["mixed.parquet", "--split-at", "1.5"], "USAGE", "no share"],
    [["mixed.parquet", "--split-at", "March"], "USAGE", "neither an instant nor a share"],
    [["mixed.parquet", "--split-at", "2026-03-01"], "USAGE", "2 columns of times"],
    [["mixed.parquet", "--split-at", "2026-03-01", "--time", "x"], "USAGE", "holds no times"],
    [["mixed.parquet", "--split-at", "0.5", "--time", "stmp"], "COLUMN_UNKNOWN", 'Closest: \\"stamp\\"'],
    [["before.csv", "--split-at", "2026-03-01"], "USAGE", "0 columns of times"],
  ])("refuses to split by %j: %s", async (words, name, why) => {
    const paths = words.map((word) => (/\.(csv|parquet)$/.test(word) ? at(word) : word));
    const refused = await run("drift", "check", ...paths, "--json");
    expect(refused.code).toBe(2);
    expect(JSON.parse(refused.out)).toMatchObject({ ok: false, error: { code: name } });
    expect(refused.out).toContain(why);
  });

  it("compares letters, of which no two are equal, by their length and a word of each", async () => {
    const letters = (rows: number, words: readonly string[], length: number) => {
      const line = () => Array.from({ length }, () => words[Math.floor(random.nextFloat() * words.length)]).join(" ");
      return ["x,letter", ...Array.from({ length: rows }, (_, i) => `${i % 7},${line()} ${random.nextFloat()}`)].join(
        "\n",
      );
    };
    const [old, fresh] = [
      ["please", "send", "my", "card"],
      ["bitte", "meine", "karte", "senden"],
    ];
    writeFileSync(at("letters.csv"), letters(1_500, old, 8));
    writeFileSync(at("more-letters.csv"), letters(900, old, 8));
    writeFileSync(at("other-words.csv"), letters(900, fresh, 8));
    writeFileSync(at("longer.csv"), letters(900, old, 14));
    const moved = async (name: string) => {
      const { report } = await compareFiles(at("letters.csv"), at(name));
      return report.features.filter((one) => one.verdict === "drift").map((one) => one.feature);
    };
    expect(await moved("more-letters.csv")).toEqual([]);
    expect(await moved("other-words.csv")).toContain("letter · word");
    expect(await moved("longer.csv")).toContain("letter · length");
  });

  it("says of a number that only grows why it drifts", async () => {
    const serial = (from: number) =>
      ["id,x", ...Array.from({ length: 500 }, (_, i) => `${from + i},${i % 9}`)].join("\n");
    writeFileSync(at("serial.csv"), serial(1));
    writeFileSync(at("serial-on.csv"), serial(501));
    const found = await run("drift", "check", at("serial.csv"), at("serial-on.csv"));
    expect(found.code).toBe(4);
    expect(found.out).toContain("Every value of id lies beyond the reference");
    const left = await run("drift", "check", at("serial.csv"), at("serial-on.csv"), "--ignore", "id");
    expect(left.code).toBe(0);
    expect(left.out).not.toContain("Every value");
  });

  it("names the columns of two files that have none in common", async () => {
    writeFileSync(at("empty.csv"), "");
    await expect(compareFiles(at("before.csv"), at("empty.csv"))).rejects.toThrow(
      /the first has x, city, flag, constant, the second column0\.$/,
    );
  });

  it("calls a lost column drift", async () => {
    const lost = await run("drift", "check", at("before.csv"), at("lost.csv"), "--columns", "x,flag", "--json");
    expect(lost.code).toBe(4);
    expect(JSON.parse(lost.out)).toMatchObject({ data: { lost: ["x"], added: [] } });
  });

  it("writes a report that needs nothing else and in which texts of the file are texts", async () => {
    const done = await run("drift", "check", at("before.csv"), at("moved.csv"), "--html", at("report.html"));
    expect(done.code).toBe(4);
    expect(done.err).toContain("report.html");
    const html = readFileSync(at("report.html"), "utf8");
    expect(html).toContain("Bern, old &lt;b&gt;town&lt;/b&gt;");
    expect(html).not.toMatch(/<b>town|<script|src=|href=|url\(/);
    expect(html.match(/<section>/g)).toHaveLength(4);
  });

  it.each([
    [["before.csv", "nothing.csv"], 2, "FILE_INVALID"],
    [["before.csv", "same.txt"], 2, "FORMAT_UNSUPPORTED"],
    [["before.csv", "same.csv", "--ignore", "ctiy"], 2, "COLUMN_UNKNOWN"],
    [["before.csv", "same.csv", "--level", "2"], 2, "CONFIG_INVALID"],
    [["before.csv", "same.csv", "--min-rows", "many"], 2, "USAGE"],
  ])("refuses %j with exit code %i and %s", async (words, code, name) => {
    const [before = "", now = "", ...options] = words;
    const refused = await run("drift", "check", at(before), at(now), ...options, "--json");
    expect(refused.code).toBe(code);
    expect(JSON.parse(refused.out)).toMatchObject({ ok: false, error: { code: name } });
  });

  it("names the nearest column", async () => {
    await expect(compareFiles(at("before.csv"), at("same.csv"), { columns: "x,ctiy" })).rejects.toThrow(
      /Closest: "city"/,
    );
  });
});
