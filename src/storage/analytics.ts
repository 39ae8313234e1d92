/**
 * DuckDB in memory, over Parquet files: never a database file, because no other process could open one, and never an
 * extension from the network. One connection per piece of work, since a connection runs one statement at a time.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue, listValue, VARCHAR, LIST } from "@duckdb/node-api";

/** Enough for a sort of a few million rows without spilling; less than 512 MB makes DuckDB fail instead of spill. */
const MEMORY_LIMIT = "1GB";

export interface Analytics {
  /** Lends a connection for the time of the work; its temporary tables go with it. */
  use<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * @param name of the folder it spills into, which is its own
 * @param options.threads for work nobody waits for: one takes a fifth less processor time than two, in the same time
 */
export async function openAnalytics(
  directory: string,
  name = "spill",
  options: { readonly threads?: number } = {},
): Promise<Analytics> {
  const spill = join(directory, name);
  await mkdir(spill, { recursive: true });
  const instance = await DuckDBInstance.create(":memory:", {
    memory_limit: MEMORY_LIMIT,
    temp_directory: spill,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    // Rows keep their order in the files we write, which row-group statistics and readers rely on.
    preserve_insertion_order: "true",
    ...(options.threads === undefined ? {} : { threads: String(options.threads) }),
  });
  let idle: DuckDBConnection[] = [];
  return {
    async use(work) {
      const connection = idle.pop() ?? (await instance.connect());
      try {
        return await work(connection);
      } finally {
        idle.push(connection);
      }
    },
    close() {
      for (const connection of idle) connection.closeSync();
      idle = [];
      instance.closeSync();
    },
  };
}

/** A text as an SQL literal, for paths of our own making, which cannot be parameters of COPY. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
/** A name as a quoted SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
export function fileList(paths: readonly string[]): string {
  return `read_parquet([${paths.map(literal).join(", ")}], union_by_name = false)`;
}

/** A list of texts as a parameter, with the type that an empty list needs to be told. */
export function textList(values: readonly string[]): {
  readonly value: DuckDBValue;
  readonly type: ReturnType<typeof LIST>;
} {
  return { value: listValue([...values]), type: LIST(VARCHAR) };
}

/** Column-wise rows of a streamed result, a chunk (at most 2,048 rows) at a time, so that the event loop breathes between. */
export async function* chunksOf(
  connection: DuckDBConnection,
  sql: string,
  values: DuckDBValue[] = [],
  types?: Parameters<DuckDBConnection["stream"]>[2],
): AsyncGenerator<{ readonly rowCount: number; readonly columns: DuckDBValue[][] }> {
  const result = await connection.stream(sql, values, types);
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return;
    yield { rowCount: chunk.rowCount, columns: chunk.getColumns() };
  }
}
