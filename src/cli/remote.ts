/** How a command reaches the running server: --url, then RETRAIN_URL, then the address the data directory here tells, then the default. */
import { join } from "node:path";
import { createClient, DEFAULT_URL, type RetrainClient } from "../client/index.ts";
import { readAddress } from "./address.ts";
import { fail } from "../core/index.ts";
import type { OutputOptions } from "./output.ts";

export interface RemoteOptions extends OutputOptions {
  readonly url?: string;
  readonly token?: string;
}

export function serverUrl(options: RemoteOptions): string {
  const { RETRAIN_URL } = process.env;
  if (options.url !== undefined) return options.url;
  if (RETRAIN_URL !== undefined && RETRAIN_URL !== "") return RETRAIN_URL;
  return readAddress(join(process.cwd(), ".retrain"))?.url ?? DEFAULT_URL;
}

export function connect(options: RemoteOptions): RetrainClient {
  const token = options.token ?? process.env["RETRAIN_TOKEN"];
  const url = serverUrl(options);
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw fail("USAGE", {
      message: `${JSON.stringify(url)} is no address of a server.`,
      remedy: "Write it like http://127.0.0.1:4400, with --url or in RETRAIN_URL.",
    });
  }
  return createClient({ url, ...(token === undefined || token === "" ? {} : { token }) });
}
