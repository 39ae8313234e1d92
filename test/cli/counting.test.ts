/** The kernels that count a file's numbers against their TypeScript twin: the same chunks, the same grids and counts. */
import { describe, expect, it } from "vitest";
import { withDuckDb } from "../../src/cli/column-file.ts";
import { PROFILE_KERNEL_VERSION } from "../../src/cli/counting/kernels.ts";
import { NumberColumns } from "../../src/cli/counting/number-columns.ts";
import { hasWasm } from "../../src/learn/wasm.ts";

/** `npm test` builds the kernels first; without the file there is nothing to compare. */
const compare = describe.skipIf(!hasWasm("profile", PROFILE_KERNEL_VERSION));

/** Smooth, skewed (many edges in one slot), few-valued, constant and empty columns, with every value that is not one. */
const COLUMNS = (shift: number) => ({
  smooth: `(hash(i + ${shift}) % 99991)::DOUBLE / 99991 + ${shift}`,
  skewed: `exp((hash(i * 13 + ${shift}) % 4001)::DOUBLE / 100)`,
  short: "((hash(i * 3) % 1009)::FLOAT / 10)",
  few: `(hash(i * 5) % ${12 + shift})::UTINYINT`,
  odd: `CASE i % 50 WHEN 0 THEN 'inf'::DOUBLE WHEN 1 THEN 1e300 WHEN 2 THEN 'nan'::DOUBLE WHEN 3 THEN -1e39 WHEN 4 THEN '-inf'::DOUBLE
    WHEN 5 THEN NULL ELSE i + ${shift} END`,
  large: `(i + ${shift})::BIGINT * 1000000007`,
  constant: `${shift}.0::DOUBLE`,
  nothing: shift === 0 ? "NULL::DOUBLE" : "CASE WHEN i % 2 = 0 THEN NULL ELSE i::DOUBLE END",
});
const ROWS = [5_003, 2_050] as const;

async function counted(kernels: "wasm" | "twin") {
  return withDuckDb(async (connection) => {
    const names = Object.keys(COLUMNS(0));
    const columns = new NumberColumns({ names, rows: ROWS[0], kernels: kernels === "wasm" ? "auto" : "twin" });
    const chunksOf = async (shift: number, rows: number) => {
      const list = Object.values(COLUMNS(shift)).join(", ");
      const result = await connection.run(`SELECT ${list} FROM range(${rows}) AS r(i)`);
      const chunks = await result.fetchAllChunks();
      return chunks.map((chunk) => [chunk.rowCount, names.map((_, i) => chunk.getColumnVector(i))] as const);
    };
    for (const [rows, vectors] of await chunksOf(0, ROWS[0])) columns.keep(rows, vectors);
    const reference = columns.reference();
    const more = await chunksOf(0, 1);
    expect(() => columns.keep(...(more[0] as (typeof more)[0]))).toThrow("more rows");
    for (const [rows, vectors] of await chunksOf(3, ROWS[1])) columns.add(rows, vectors);
    return { ...reference, current: columns.current() };
  });
}

compare("counting a file's numbers", () => {
  it("gives the same grids and counts by WebAssembly and by TypeScript", async () => {
    const [wasm, twin] = [await counted("wasm"), await counted("twin")];
    expect(wasm).toEqual(twin);
    const rowsOf = (profiles: typeof wasm.profiles) =>
      profiles.map(({ counts, below, above, unseen, missing, nonFinite }) =>
        [...counts, below, above, unseen, missing, nonFinite].reduce((sum, count) => sum + count, 0),
      );
    expect(new Set(rowsOf(wasm.profiles))).toEqual(new Set([ROWS[0]]));
    expect(new Set(rowsOf(wasm.current))).toEqual(new Set([ROWS[1]]));
    const odd = wasm.profiles[4];
    // 5,003 rows hold 101 of the first values of fifty and of the second, third; too large for float32 is missing, as NaN and NULL are.
    expect(odd?.nonFinite).toBe(101 + 100);
    expect(odd?.missing).toBe(101 + 101 + 100 + 100);
    expect(wasm.current[7]?.unseen).toBe(ROWS[1] / 2);
  });
});
