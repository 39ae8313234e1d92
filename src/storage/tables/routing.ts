/**
 * Tells listeners of routing changes: at once for this process, by LISTEN for others, and by a look every second, because a
 * notification is lost while a connection is down. A change is told once, in the order of its number.
 */
import type { Routing, SystemClock } from "../../core/index.ts";
import type { Queryable } from "../sql.ts";
import { ROUTING_CHANNEL, toRouting } from "./routing-row.ts";

/** A replica may answer with the old version for this long after a lost notification. */
const POLL_MS = 1000;

/** A routing is told when it is committed, and once more when it becomes the serving one. */
const rank = (routing: Routing) => 2 * routing.number + (routing.active ? 1 : 0);

export interface RoutingWatch {
  onRouting(listener: (routing: Routing) => void): () => void;
  committed(routing: Routing): void;
  close(): Promise<void>;
}

export interface Listening {
  listen(channel: string, listener: (payload: string) => void): Promise<() => Promise<void>>;
}

export async function watchRouting(
  database: Queryable & Listening,
  clock: SystemClock,
  onError: (error: unknown) => void,
): Promise<RoutingWatch> {
  const listeners = new Set<(routing: Routing) => void>();
  const lastNumber = new Map<string, number>();
  const stopped = new AbortController();

  const tell = (routing: Routing) => {
    if (rank(routing) <= (lastNumber.get(routing.model) ?? 0)) return;
    lastNumber.set(routing.model, rank(routing));
    for (const listener of listeners) {
      try {
        listener(routing);
      } catch (error) {
        onError(error);
      }
    }
  };
  const read = async () => {
    const { rows } = await database.query("select * from routing where number > 0 order by model");
    return rows.map((row) => toRouting(row["model"] as string, row));
  };
  const poll = async () => {
    while (!stopped.signal.aborted) {
      try {
        await clock.sleep(POLL_MS, stopped.signal);
        if (listeners.size > 0) for (const routing of await read()) tell(routing);
      } catch (error) {
        if (!stopped.signal.aborted) onError(error);
      }
    }
  };

  // What is routed already is not a change.
  for (const routing of await read()) lastNumber.set(routing.model, rank(routing));
  const unlisten = await database.listen(ROUTING_CHANNEL, (payload) => tell(JSON.parse(payload) as Routing));
  const polling = poll();
  return {
    onRouting(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    committed: tell,
    async close() {
      stopped.abort(new Error("closed"));
      await polling;
      await unlisten();
    },
  };
}
