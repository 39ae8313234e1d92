import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatOfContentType, formatOfPath, readRows, type Format, type RowReading } from "../../src/collect/index.ts";
import { RetrainError } from "../../src/core/index.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
/** Reads it whole, and again byte by byte as a stream: the cuts must not matter. */
async function read(format: Format, input: Uint8Array): Promise<RowReading[]> {
  const whole: RowReading[] = [];
  for await (const reading of readRows(format, input)) whole.push(reading);
  const pieces: RowReading[] = [];
  async function* cut() {
    for (let i = 0; i < input.length; i++) yield input.subarray(i, i + 1);
  }
  if (format !== "parquet" && input.length < 5_000) {
    for await (const reading of readRows(format, cut())) pieces.push(reading);
    expect(pieces).toEqual(whole);
  }
  return whole;
}
async function refusal(format: Format, text: string): Promise<RetrainError> {
  const error = await read(format, bytes(text)).catch((one: unknown) => one);
  expect(error).toBeInstanceOf(RetrainError);
  return error as RetrainError;
}
const rows = (readings: readonly RowReading[]) =>
  readings.map((one) => ("row" in one ? { ...one.row } : `${one.rowNumber}:${one.problem.code}`));

describe("CSV", () => {
  it("reads texts as they are, with byte order mark, CRLF, quotes, doubled quotes and line breaks in fields", async () => {
    const text = '\ufeffid,text,n\r\n1,"a, ""b""\nc",5\r\n\r\n2,ü, 6 \r\n3,"",NA';
    expect(rows(await read("csv", bytes(text)))).toEqual([
      { id: "1", text: 'a, "b"\nc', n: "5" },
      { id: "2", text: "ü", n: " 6 " },
      { id: "3", text: "", n: "NA" },
    ]);
  });

  it("numbers rows, marks them as text, and keeps the raw line", async () => {
    const [reading] = await read("csv", bytes("a,b\n1,2\n"));
    expect(reading).toEqual({ rowNumber: 1, row: { a: "1", b: "2" }, text: true, raw: "1,2" });
  });

  it.each([
    ["semicolons", "a;b\n1,5;2\n", { a: "1,5", b: "2" }],
    ["tabs", "a\tb\n1\t2\n", { a: "1", b: "2" }],
    ["one column", "a\n1\n", { a: "1" }],
    ["a separator inside a quoted header", '"a;x","b;y;z"\n1,2\n', { "a;x": "1", "b;y;z": "2" }],
  ])("finds %s", async (_, text, row) => {
    expect(rows(await read("csv", bytes(text)))).toEqual([row]);
  });

  it("loses one row to one bad line", async () => {
    const text = 'a,b\n1\n1,2,3\n4"x,5\n"6"x,7\n8,9\n';
    expect(rows(await read("csv", bytes(text)))).toEqual([
      "1:ROW_RAGGED",
      "2:ROW_RAGGED",
      "3:ROW_QUOTES",
      "4:ROW_QUOTES",
      { a: "8", b: "9" },
    ]);
  });

  it("names the line of a quote that never closes", async () => {
    const readings = await read("csv", bytes('a,b\n1,2\n3,"4\n5,6\n'));
    expect(rows(readings)).toEqual([{ a: "1", b: "2" }, "2:ROW_QUOTES"]);
    expect(readings[1]).toMatchObject({ problem: { message: "The quote opened in line 3 is never closed." } });
  });

  it("refuses bytes that are not UTF-8 in their row only", async () => {
    const input = Buffer.concat([bytes("a\n"), Buffer.from([0xe9, 0x0a]), bytes("ok\n\ufffd\n")]);
    expect(rows(await read("csv", input))).toEqual(["1:TEXT_ENCODING", { a: "ok" }, { a: "\ufffd" }]);
  });

  it("refuses a row of megabytes in bounded memory, and goes on", async () => {
    const input = Buffer.concat([bytes("a\n"), Buffer.alloc(3_000_000, 120), bytes("\nok\n")]);
    const readings = await read("csv", input);
    expect(rows(readings)).toEqual(["1:ROW_TOO_LONG", { a: "ok" }]);
    expect((readings[0] as { raw: string }).raw.length).toBeLessThan(2_100);
  });

  it.each([
    ["a column named twice", "a,b,a\n1,2,3\n", "HEADER_DUPLICATE", '"a" twice'],
    ["a column without a name", "a,,b\n1,2,3\n", "FILE_INVALID", "Column 2"],
    ["__proto__", "a,__proto__\n1,2\n", "FILE_INVALID", "__proto__"],
    [
      "10,000 columns",
      `${Array.from({ length: 10_000 }, (_, i) => `c${i}`).join(",")}\n`,
      "FILE_INVALID",
      "10,000 columns",
    ],
    ["an open quote", '"a,b\n1,2\n', "FILE_INVALID", "never closed"],
  ])("refuses a header with %s", async (_, text, code, words) => {
    const error = await refusal("csv", text);
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  it("keeps a value that looks like code or like a property", async () => {
    const [reading] = await read("csv", bytes("constructor,b\n=1+1,__proto__\n"));
    expect(rows([reading as RowReading])).toEqual([{ constructor: "=1+1", b: "__proto__" }]);
    expect(({} as Record<string, unknown>)["b"]).toBeUndefined();
  });

  it("reads what csv-parse reads, for any table written by its rules", async () => {
    const field = fc.string({ unit: fc.constantFrom("a", "é", ",", '"', "\n", " ", ";", "1", "\r\n") });
    const table = fc
      .integer({ min: 1, max: 4 })
      .chain((width) =>
        fc.array(fc.array(field, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 6 }),
      );
    const quote = (text: string) =>
      /[",\n\r;]/.test(text) || text.trim() === "" ? `"${text.replaceAll('"', '""')}"` : text;
    await fc.assert(
      fc.asyncProperty(table, async (values) => {
        const header = (values[0] as string[]).map((_, i) => `c${i}`).join(",");
        const text = `${header}\n${values.map((row) => row.map(quote).join(",")).join("\n")}\n`;
        // A line of nothing but spaces is blank for us, as `skip_empty_lines` is for it: the writer above quotes such fields.
        const wanted = parse(text, { columns: true, skip_empty_lines: true }) as Record<string, string>[];
        const ours = await read("csv", bytes(text));
        // The parsers differ in one thing: line ends inside quotes stay as they are there and become LF here.
        const unix = (row: Record<string, string>) =>
          Object.fromEntries(Object.entries(row).map(([key, value]) => [key, value.replaceAll("\r\n", "\n")]));
        expect(rows(ours)).toEqual(wanted.map(unix));
      }),
      { numRuns: 400, seed: 11 },
    );
  });

  it("never throws anything but a RetrainError, whatever the bytes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom<Format>("csv", "ndjson", "json"),
        async (input, format) => {
          try {
            await read(format, input);
          } catch (error) {
            if (!(error instanceof RetrainError)) throw error;
          }
        },
      ),
      { numRuns: 500, seed: 12 },
    );
  });
});

describe("NDJSON", () => {
  it("reads one object a line, skips blank lines, and loses one row to one bad line", async () => {
    const text = '\ufeff{"a":1}\n\n  \n{"a":}\n[1]\n"x"\nnull\n{"a":2}\r\n{"a":3}';
    expect(rows(await read("ndjson", bytes(text)))).toEqual([
      { a: 1 },
      "2:ROW_UNREADABLE",
      "3:ROW_NOT_OBJECT",
      "4:ROW_NOT_OBJECT",
      "5:ROW_NOT_OBJECT",
      { a: 2 },
      { a: 3 },
    ]);
  });

  it("keeps __proto__ as a column and changes no prototype", async () => {
    const [reading] = await read("ndjson", bytes('{"__proto__":{"polluted":1}}\n'));
    expect(reading !== undefined && "row" in reading && Object.keys(reading.row)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("survives nesting of 100,000 levels and numbers beyond any range", async () => {
    const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    const readings = await read("ndjson", bytes(`${deep}\n{"a":1e999}\n`));
    expect(readings).toHaveLength(2);
    expect(readings[1]).toMatchObject({ row: { a: Number.POSITIVE_INFINITY } });
  });

  it("refuses a line of megabytes and goes on", async () => {
    const input = Buffer.concat([Buffer.alloc(1_200_000, 32), bytes('x\n{"a":1}\n')]);
    expect(rows(await read("ndjson", input))).toEqual(["1:ROW_TOO_LONG", { a: 1 }]);
  });
});

describe("JSON", () => {
  it.each<[string, string, unknown[]]>([
    ["an array", ' [ {"a":1} , {"a":"],[{\\"}"} ] ', [{ a: 1 }, { a: '],[{"}' }]],
    ["an empty array", "[]", []],
    ["one object", '\ufeff{"a":{"b":[1,2]}}\n', [{ a: { b: [1, 2] } }]],
    [
      "elements that are no rows",
      '[1,{"a":1},[2],null,{bad}]',
      ["1:ROW_NOT_OBJECT", { a: 1 }, "3:ROW_NOT_OBJECT", "4:ROW_NOT_OBJECT", "5:ROW_UNREADABLE"],
    ],
    ["text with escapes at the cuts", '[{"a":"\\\\\\"é\u{1f600}"}]', [{ a: '\\"é\u{1f600}' }]],
  ])("reads %s", async (_, text, wanted) => {
    expect(rows(await read("json", bytes(text)))).toEqual(wanted);
  });

  it.each([
    ["nothing", "", "is empty"],
    ["a number", "5", 'unexpected "5"'],
    ["an array without its end", '[{"a":1}', "ends in the middle"],
    ["a comma too many", '[{"a":1},]', 'unexpected "]"'],
    ["two commas", '[{"a":1},,{"a":2}]', 'unexpected ","'],
    ["text after the end", "[] x", 'unexpected "x"'],
    ["one object a line", '{"a":1}\n{"a":2}\n', "NDJSON"],
  ])("refuses %s", async (_, text, words) => {
    const error = await refusal("json", text);
    expect(error.code).toBe("FILE_INVALID");
    expect(`${error.message} ${error.remedy}`).toContain(words);
  });

  it("reads what JSON.parse reads, for any array of objects", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.dictionary(fc.string(), fc.jsonValue())), fc.boolean(), async (value, pretty) => {
        const text = JSON.stringify(value, null, pretty ? 2 : 0);
        const readings = await read("json", bytes(text));
        expect(readings.map((one) => ("row" in one ? one.row : one))).toEqual(JSON.parse(text));
      }),
      { numRuns: 200, seed: 13 },
    );
  });
});

describe("formats", () => {
  it("are told by content type and by ending", () => {
    expect(formatOfContentType("text/csv; charset=utf-8")).toBe("csv");
    expect(formatOfContentType("application/x-ndjson")).toBe("ndjson");
    expect(formatOfPath("/a/b.JSONL")).toBe("ndjson");
    expect(formatOfPath("b.csv.gz")).toBe("csv");
    expect(() => formatOfContentType("image/png")).toThrow(/not one we read/);
    expect(() => formatOfPath("b.jsn")).toThrow(/Closest: .json/);
  });
});
