/** The HTTP server over a loop. */
export { createServer, loadServer, type Server, type ServerOptions } from "./server.ts";
export { maskSecrets } from "./routes/admin.ts";
export { createSecret, hashSecret, isWellFormed } from "./tokens.ts";
export { NONCE_PLACE } from "./console-files.ts";
