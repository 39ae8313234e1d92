/**
 * How a statement is sent: types of the result, refused statements, translated errors. Used for the pool and for
 * transactions alike, and as what Kysely believes to be its pool.
 *
 * Types: int8 comes as a JavaScript number while it is safe (|n| ≤ 2^53 − 1) and as a bigint beyond; date and timestamp
 * without zone stay text, because the driver would read them in the zone of the machine; timestamptz is a Date; numeric
 * stays text; bytea is a Buffer; json and jsonb are parsed. The parsers travel with each statement: the pool's own stay
 * the driver's, which the workflow engine on the same pool expects.
 */
import { type Kysely, Kysely as KyselyClass, PostgresDialect } from "kysely";
import pg from "pg";
import { translateDatabaseError } from "./health.ts";
import { refusedStatement } from "./statements.ts";
import type { Tables } from "./tables.ts";

const INT8 = 20;
const DATE = 1082;
const TIMESTAMP = 1114;

function parseInt8(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

type Parser = (text: string) => unknown;

export const RESULT_TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((id: number, format?: "text" | "binary") => {
    if (format !== "binary") {
      if (id === INT8) return parseInt8;
      if (id === DATE || id === TIMESTAMP) return (text: string) => text;
    }
    return pg.types.getTypeParser(id, format as "text") as Parser;
  }) as typeof pg.types.getTypeParser,
};

export interface QueryResult<R> {
  readonly rows: R[];
  readonly rowCount: number;
}

/** Something that sends one statement; the driver's own result comes back. */
export type Send = (text: string, params: readonly unknown[]) => Promise<pg.QueryResult>;

const preparedNames = new Map<string, string>();

/**
 * Marks a statement as one that is sent over and over: each connection parses and plans it once. Only for texts that are
 * constants of the program, since every distinct text stays in the memory of the session.
 */
export function prepared(text: string): string {
  if (!preparedNames.has(text)) preparedNames.set(text, `s${preparedNames.size}`);
  return text;
}

/** One statement on one client, its errors translated and the refused ones refused. */
export async function sendOn(client: pg.ClientBase, text: string, params: readonly unknown[]): Promise<pg.QueryResult> {
  const refused = refusedStatement(text);
  if (refused) throw refused;
  try {
    const name = preparedNames.get(text);
    const result: pg.QueryResult | pg.QueryResult[] = await client.query({
      text,
      values: params as unknown[],
      types: RESULT_TYPES,
      ...(name === undefined ? {} : { name }),
    });
    // Of several statements in one request, which take no parameters, the last one's.
    return Array.isArray(result) ? (result.at(-1) as pg.QueryResult) : result;
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

/** A Kysely whose every statement goes through `send`. Its own `transaction()` is refused there: see `statements.ts`. */
export function kyselyOver(send: Send): Kysely<Tables> {
  const client = {
    query: (text: string, params?: readonly unknown[]) => send(text, params ?? []),
    release: () => {},
  };
  const pool = { options: {}, connect: async () => client, end: async () => {} };
  return new KyselyClass<Tables>({ dialect: new PostgresDialect({ pool: pool as never }) });
}
