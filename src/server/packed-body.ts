/** Compressed bodies: `gzip` and `deflate`, which clients of the inference protocol offer. */
import { promisify } from "node:util";
import { deflate, gunzip, gzip, inflate } from "node:zlib";
import { fail } from "../core/index.ts";

const UNPACK = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;
const PACK = { gzip: promisify(gzip), deflate: promisify(deflate) } as const;
type Encoding = keyof typeof PACK;
/** Smaller answers fit into one packet as they are. */
const PACK_FROM_BYTES = 1024;

const isEncoding = (name: string): name is Encoding => name === "gzip" || name === "deflate";

/**
 * @param limit of the bytes unpacked: a small body must not unfold into all of the memory
 * @throws BODY_INVALID, BODY_TOO_LARGE
 */
export async function unpack(body: Buffer, encoding: string | undefined, limit: number): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() ?? "identity";
  if (name === "identity" || name === "") return body;
  if (!isEncoding(name)) {
    throw fail("BODY_INVALID", {
      message: `The Content-Encoding ${JSON.stringify(name.slice(0, 40))} is not read.`,
      remedy: "Send the body as it is, or packed with gzip or deflate.",
    });
  }
  try {
    return await UNPACK[name](body, { maxOutputLength: limit });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw fail("BODY_TOO_LARGE", {
        message: `The body unpacks to more than ${limit} bytes.`,
        remedy: "Split the rows over several requests.",
        cause: error,
      });
    }
    throw fail("BODY_INVALID", {
      message: `The body is not what its Content-Encoding ${name} says: ${(error as Error).message}.`,
      remedy: "Pack it again, or leave the header out.",
      cause: error,
    });
  }
}

/** Packs an answer worth it for a client that names an encoding we know; `q=0` refuses one. */
export async function pack(
  body: Buffer,
  accepted: string | string[] | undefined,
): Promise<{ readonly body: Buffer; readonly encoding?: Encoding }> {
  const offers = String(accepted ?? "")
    .split(",")
    .map((offer) => offer.trim().toLowerCase().split(";"))
    .filter(([, quality]) => !/^\s*q=0(\.0*)?$/.test(quality ?? ""))
    .map(([name]) => name ?? "");
  const encoding = offers.find(isEncoding);
  return encoding === undefined || body.length < PACK_FROM_BYTES
    ? { body }
    : { body: await PACK[encoding](body), encoding };
}
