/** The newest events as the only writer last read them: several folds read the same ones in a tick, and one of them asks. */
import type { EventKind, LogCursor, LoggedEvent } from "../../core/index.ts";
import { compareToCursor } from "./read.ts";

/** Events kept per model; a longer batch is read again. */
const MAX_EVENTS = 5_000;

interface Page {
  readonly from: LogCursor;
  readonly to: LogCursor;
  readonly events: readonly LoggedEvent[];
  /** How often the model had been appended to when the page was read. */
  readonly appends: number;
}

export class ReadMemory {
  private readonly pages = new Map<string, Page>();

  /** A page of all kinds with nothing after it. One that begins where the last ended is added to that. */
  remember(model: string, page: Page): void {
    const last = this.pages.get(model);
    const continues = last !== undefined && compareToCursor(last.to, page.from) === 0;
    const whole = continues ? { ...page, from: last.from, events: [...last.events, ...page.events] } : page;
    if (whole.events.length <= MAX_EVENTS) this.pages.set(model, whole);
    else if (page.events.length <= MAX_EVENTS) this.pages.set(model, page);
    else this.pages.delete(model);
  }

  /**
   * Everything after the cursor, when it is all here; undefined when the log has to be asked. Nothing up to the last event given
   * is kept: the folds of a tick ask one after the other, and rows with images would otherwise stay in memory until the next ones come.
   */
  after(
    model: string,
    cursor: LogCursor,
    options: { readonly limit: number; readonly kinds?: readonly EventKind[]; readonly appends: number },
  ): readonly LoggedEvent[] | undefined {
    const page = this.pages.get(model);
    if (page === undefined || page.appends !== options.appends) return undefined;
    if (compareToCursor(cursor, page.from) < 0) return undefined;
    const { kinds } = options;
    const events = page.events.filter(
      (event) => compareToCursor(event, cursor) > 0 && (kinds === undefined || kinds.includes(event.kind)),
    );
    if (events.length >= options.limit) return undefined;
    const last = events.at(-1);
    if (last !== undefined) {
      const from = { transactionId: last.transactionId, seq: last.seq };
      const kept = page.events.filter((event) => compareToCursor(event, from) > 0);
      this.pages.set(model, { ...page, from, events: kept });
    }
    return events;
  }
}
