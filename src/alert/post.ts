/** One POST: no redirects, ten seconds in all, and the answer's body is thrown away. */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { isPrivateAddress, publicLookup, refused } from "./address.ts";

/** Long enough for a slow receiver, short enough that a dead one does not hold the next alert. */
const TIMEOUT_MS = 10_000;

export interface PostRequest {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly allowPrivate: boolean;
  /** Default ten seconds. */
  readonly timeoutMs?: number;
}

/** A body up to this is read so that the connection can be used again; a longer one is cut off. */
const DRAIN_BYTES = 65_536;

/** @returns the status. @throws WEBHOOK_REFUSED for a private address, and whatever the network throws. */
export function post(options: PostRequest): Promise<number> {
  const url = new URL(options.url);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!options.allowPrivate && isIP(host) !== 0 && isPrivateAddress(host)) return Promise.reject(refused(host));
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(options.body)),
          ...options.headers,
        },
        // Of the whole exchange: a receiver that sends a byte a second would never be idle.
        signal: AbortSignal.timeout(timeoutMs),
        ...(options.allowPrivate ? {} : { lookup: publicLookup }),
      },
      (response) => {
        resolve(response.statusCode ?? 0);
        let drained = 0;
        response.on("data", (chunk: Buffer) => {
          drained += chunk.length;
          if (drained > DRAIN_BYTES) response.destroy();
        });
        // The status is the answer; what happens to the body afterwards changes nothing.
        response.on("error", () => {});
      },
    );
    request.on("error", (error) =>
      reject(
        error.name === "AbortError" || error.name === "TimeoutError"
          ? new Error(`no answer within ${timeoutMs} ms`)
          : error,
      ),
    );
    request.end(options.body);
  });
}
