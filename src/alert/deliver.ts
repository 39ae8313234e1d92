/**
 * Delivery of alerts from the stored outbox. The id of a delivery stays the same over retries, so a receiver can tell a repeat;
 * retries back off over more than a day, then the delivery is given up and says so.
 */
import { type AlertDelivery, type AlertStore, asRetrainError, RetrainError } from "../core/index.ts";
import { type ChannelTools, send } from "./channels.ts";
import type { AlertChannelSpec } from "./spec.ts";

/** Deliveries of one pass. */
const PASS_SIZE = 20;
/** A sender that dies holds its deliveries this long. Longer than all channels' timeouts of one delivery together. */
const LEASE_MS = 60_000;
/** Waits between tries in ms: 5 s to 8 h, 29 h in all, as receivers are down over a night more often than over a day. */
export const RETRY_WAITS_MS: readonly number[] = [
  5_000, 30_000, 120_000, 600_000, 1_800_000, 7_200_000, 14_400_000, 28_800_000, 28_800_000, 21_600_000,
];

/** Which channels have taken which delivery: a retry for one must not repeat it on the others. Lost with the process. */
export type SentMarks = Map<string, Set<number>>;

/** One pass over what is due. @returns how many deliveries were finished. */
export async function deliverDue(
  store: AlertStore,
  channels: readonly AlertChannelSpec[],
  tools: ChannelTools & { readonly sent: SentMarks },
): Promise<number> {
  const due = await store.claimDeliveries(PASS_SIZE, LEASE_MS);
  // Side by side: one dead receiver must not hold the others beyond their lease, or another process would send them again.
  const finished = await Promise.all(due.map((delivery) => finish(store, channels, delivery, tools)));
  return finished.filter(Boolean).length;
}

async function finish(
  store: AlertStore,
  channels: readonly AlertChannelSpec[],
  delivery: AlertDelivery,
  tools: ChannelTools & { readonly sent: SentMarks },
): Promise<boolean> {
  const problem = await deliverOne(channels, delivery, tools);
  if (problem === undefined) {
    tools.sent.delete(delivery.id);
    await store.finishDelivery(delivery.id, { ok: true });
    return true;
  }
  const wait = RETRY_WAITS_MS[delivery.attempt - 1];
  if (wait === undefined) {
    tools.logger.error(
      { delivery: delivery.id, alert: delivery.alert.type, error: problem },
      "an alert could not be delivered and is given up",
    );
    tools.sent.delete(delivery.id);
  }
  const retry = wait === undefined ? {} : { retryAt: tools.systemClock.now() + wait };
  await store.finishDelivery(delivery.id, { ok: false, error: problem, ...retry });
  return false;
}

async function deliverOne(
  channels: readonly AlertChannelSpec[],
  delivery: AlertDelivery,
  tools: ChannelTools & { readonly sent: SentMarks },
): Promise<string | undefined> {
  const sent = tools.sent.get(delivery.id) ?? new Set<number>();
  tools.sent.set(delivery.id, sent);
  const problems = (
    await Promise.all(
      channels.map(async (channel, index) => {
        if (sent.has(index)) return [];
        try {
          await send(channel, delivery, tools);
          sent.add(index);
          return [];
        } catch (error) {
          const message =
            error instanceof RetrainError || !(error instanceof Error) ? asRetrainError(error).message : error.message;
          return [`${channel.kind}: ${message}`];
        }
      }),
    )
  ).flat();
  return problems.length === 0 ? undefined : problems.join("; ");
}
