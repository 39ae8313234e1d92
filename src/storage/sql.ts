/** The little the tables need of a database: queries and short transactions. The pool offers it, and so does its guarded form. */
import { canonicalJson, type Json } from "../core/index.ts";

export type SqlValue = string | number | bigint | boolean | null | readonly (string | null)[] | readonly number[];
export type SqlRow = Record<string, unknown>;

export interface Queryable {
  query(text: string, values?: readonly SqlValue[]): Promise<{ readonly rows: SqlRow[]; readonly rowCount: number }>;
}
export interface SqlDatabase extends Queryable {
  /** The function awaits only its own queries: no file, DuckDB or network work inside. */
  transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>;
}

/** bigint columns arrive as text; everything we keep in them is below 2^53. */
export function toNumber(value: unknown): number {
  return Number(value);
}
export function toNumberOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}
export function parseBody<T>(value: unknown): T {
  return JSON.parse(value as string) as T;
}
export function bodyOf(value: unknown): string {
  return canonicalJson(value as Json);
}

/** True for a violated unique index of that name, or of any when none is named. */
export function isUniqueViolation(error: unknown, index?: string): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return code === "23505" && (index === undefined || constraint === index);
}

/** Builds `where` clauses with numbered parameters. */
export class Conditions {
  readonly values: SqlValue[] = [];
  private readonly parts: string[] = [];

  /** `?` in the text stands for the value. */
  add(text: string, value: SqlValue): void {
    this.values.push(value);
    this.parts.push(text.replaceAll("?", `$${this.values.length}`));
  }
  addIf(text: string, value: SqlValue | undefined): void {
    if (value !== undefined) this.add(text, value);
  }
  /** Rows older than the one with this id, newest first: the paging of every list. */
  before(table: string, id: string | undefined): void {
    if (id !== undefined) this.add(`position < (select position from ${table} where id = ?)`, id);
  }
  get where(): string {
    return this.parts.length === 0 ? "" : `where ${this.parts.join(" and ")}`;
  }
}

/** A page of a table whose records are whole in `body`. */
export async function listBodies<T>(
  database: Queryable,
  table: string,
  conditions: Conditions,
  limit: number,
): Promise<T[]> {
  const { rows } = await database.query(
    `select body from ${table} ${conditions.where} order by position desc limit ${Math.max(0, Math.floor(limit))}`,
    conditions.values,
  );
  return rows.map((row) => parseBody<T>(row["body"]));
}
