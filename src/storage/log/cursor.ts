/** The order of the log. */
import type { LogCursor } from "../../core/index.ts";

export function compareToCursor(event: LogCursor, cursor: LogCursor): number {
  if (event.transactionId !== cursor.transactionId) return event.transactionId < cursor.transactionId ? -1 : 1;
  return event.seq < cursor.seq ? -1 : event.seq > cursor.seq ? 1 : 0;
}
