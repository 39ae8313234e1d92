/** Raising and resolving alerts: stored with their evidence, announced on the bus; channels deliver from the stored outbox. */
import type { DriftMonitor, NewAlert } from "../core/index.ts";
import type { LoopContext } from "./context.ts";

export async function raiseAlert(context: LoopContext, alert: Omit<NewAlert, "at">): Promise<void> {
  const raised = await context.store.alerts.raise({ ...alert, at: context.worldClock.now() });
  if (raised.isNew)
    context.emit("alert.opened", alert.model, {
      id: raised.alert.id,
      type: alert.type,
      title: alert.title,
      severity: alert.severity,
    });
}

export async function resolveAlert(context: LoopContext, key: string, message: string): Promise<void> {
  const resolved = await context.store.alerts.resolve(key, context.worldClock.now(), message);
  if (resolved !== undefined)
    context.emit("alert.resolved", resolved.model, { id: resolved.id, type: resolved.type, title: resolved.title });
}

/** One open alert a model: a promotion closes it. */
export const conceptAlertKey = (model: string) => `monitor.concept-drift:${model}`;
/** One open alert a model and monitor, against one champion: a promotion closes it, and the next comparison may open another. */
export const driftAlertKey = (model: string, monitor: DriftMonitor) => `monitor.${monitor}:${model}`;
