/** What each channel sends: a signed webhook (Standard Webhooks 1.0), a Slack-compatible webhook, or a line in the log. */
import { Webhook } from "standardwebhooks";
import type { AlertDelivery, Logger, SystemClock } from "../core/index.ts";
import { post } from "./post.ts";
import type { AlertChannelSpec } from "./spec.ts";

export interface ChannelTools {
  readonly systemClock: SystemClock;
  readonly logger: Logger;
}

/** @throws when the receiver did not take it. */
export async function send(channel: AlertChannelSpec, delivery: AlertDelivery, tools: ChannelTools): Promise<void> {
  if (channel.kind === "log") {
    logAlert(delivery, tools.logger);
    return;
  }
  const status =
    channel.kind === "webhook"
      ? await sendWebhook(channel, delivery, tools.systemClock)
      : await sendSlack(channel, delivery);
  if (status < 200 || status > 299) throw new Error(`the receiver answered ${status}`);
}

function logAlert({ alert, event }: AlertDelivery, logger: Logger): void {
  const fields = { alert: alert.type, model: alert.model, severity: alert.severity, event };
  const text = `${event === "resolved" ? "resolved: " : ""}${alert.title}: ${alert.message}`;
  if (alert.severity === "info" || event === "resolved") logger.info(fields, text);
  else if (alert.severity === "warning") logger.warn(fields, text);
  else logger.error(fields, text);
}

/** The payload: `type` is `retrain.<alert type>` or `retrain.<alert type>.resolved`; `data` the alert with its evidence. */
export function webhookBody({ alert, event }: AlertDelivery): string {
  const { key: _, ...data } = alert;
  const at = event === "resolved" ? (alert.resolvedAt ?? alert.lastAt) : alert.firstAt;
  return JSON.stringify({
    type: `retrain.${alert.type}${event === "resolved" ? ".resolved" : ""}`,
    timestamp: new Date(at).toISOString(),
    data: { ...data, event },
  });
}

async function sendWebhook(
  channel: Extract<AlertChannelSpec, { kind: "webhook" }>,
  delivery: AlertDelivery,
  clock: SystemClock,
): Promise<number> {
  const body = webhookBody(delivery);
  // Signed with the machine's time, in a replay too: receivers refuse a timestamp more than five minutes off.
  const seconds = Math.floor(clock.now() / 1000);
  return await post({
    url: channel.url,
    body,
    allowPrivate: channel.allowPrivate,
    headers: {
      "webhook-id": delivery.id,
      "webhook-timestamp": String(seconds),
      "webhook-signature": new Webhook(channel.secret).sign(delivery.id, new Date(seconds * 1000), body),
    },
  });
}

/** Slack's text syntax gives &, < and > a meaning. */
const escapeSlack = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** Why, in words, where a monitor found out. */
function diagnosisOf({ evidence }: AlertDelivery["alert"]): readonly string[] {
  const { diagnosis } = evidence;
  return Array.isArray(diagnosis) ? diagnosis.filter((one) => typeof one === "string") : [];
}

async function sendSlack(
  channel: Extract<AlertChannelSpec, { kind: "slack" }>,
  { alert, event }: AlertDelivery,
): Promise<number> {
  const sign =
    event === "resolved"
      ? ":white_check_mark: Resolved:"
      : alert.severity === "critical"
        ? ":rotating_light:"
        : ":warning:";
  const title = `${sign} ${escapeSlack(alert.title)}`;
  // Of a resolved alert the message is what resolved it; what was wrong is no news any more.
  const diagnosis = event === "resolved" ? [] : diagnosisOf(alert).map((sentence) => `• ${sentence}`);
  const told = [alert.message, ...diagnosis].join("\n");
  const text = `${title}\n${escapeSlack(told.slice(0, 2_500))}`;
  const blocks = [{ type: "section", text: { type: "mrkdwn", text } }];
  return await post({
    url: channel.url,
    body: JSON.stringify({ text: title, blocks }),
    headers: {},
    allowPrivate: channel.allowPrivate,
  });
}
