/** Which record reaches whom, through which channel. */
export { isPrivateAddress } from "./address.ts";
export { send, webhookBody } from "./channels.ts";
export { deliverDue, RETRY_WAITS_MS, type SentMarks } from "./deliver.ts";
export type { AlertChannelSpec } from "./spec.ts";
