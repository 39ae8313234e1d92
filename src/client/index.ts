/** `retrain/client`: a small typed client on `fetch`, without dependencies, for Node, browsers, Deno and Bun. */
export { createClient, type ClientOptions, DEFAULT_URL, pages, type RetrainClient, type Row } from "./client.ts";
export { RetrainApiError } from "./errors.ts";
export type { RequestBody } from "./request.ts";
export type { StreamItem, StreamOptions } from "./stream.ts";
