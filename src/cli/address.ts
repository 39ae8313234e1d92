/** Where a running server of a data directory says how to reach it. Written at start, removed at the end; a stale one only misleads a client to nobody. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const addressFile = (directory: string) => join(directory, "server.json");

export function readAddress(directory: string): { readonly url: string; readonly pid: number } | undefined {
  try {
    const read = JSON.parse(readFileSync(addressFile(directory), "utf8")) as { url?: unknown; pid?: unknown };
    return typeof read.url === "string" && typeof read.pid === "number" ? { url: read.url, pid: read.pid } : undefined;
  } catch {
    return undefined;
  }
}

export function writeAddress(directory: string, url: string): void {
  writeFileSync(addressFile(directory), JSON.stringify({ url, pid: process.pid }), { mode: 0o600 });
}

export function removeAddress(directory: string): void {
  if (readAddress(directory)?.pid === process.pid) rmSync(addressFile(directory), { force: true });
}
