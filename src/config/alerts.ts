/** `alert`: who hears of refused, failed and stale models. */
import {
  booleanField,
  type Field,
  type FieldPlace,
  refuse,
  textField,
  variantField,
  withDefault,
} from "../core/index.ts";
import type { AlertChannelSpec } from "./spec.ts";

export type AlertConfig =
  | { readonly kind: "webhook"; readonly url: string; readonly secret: string; readonly allowPrivate?: boolean }
  | { readonly kind: "slack"; readonly url: string; readonly allowPrivate?: boolean }
  | { readonly kind: "log" };

export const alert = {
  /** Signed by Standard Webhooks; the secret is `whsec_` and base64 of 24 to 64 bytes. */
  webhook: (options: Omit<Extract<AlertConfig, { kind: "webhook" }>, "kind">): AlertConfig => ({
    kind: "webhook",
    ...options,
  }),
  /** An incoming webhook of Slack, or of anything that takes its form. */
  slack: (options: Omit<Extract<AlertConfig, { kind: "slack" }>, "kind">): AlertConfig => ({
    kind: "slack",
    ...options,
  }),
  /** One line in the server's log. */
  log: (): AlertConfig => ({ kind: "log" }),
} as const;

function urlField(): Field<string> {
  const text = textField("Where to post.", { rule: "an http or https address without user name and password" });
  return {
    info: text.info,
    read(value: unknown, place: FieldPlace) {
      const url = text.read(value, place);
      const parsed = URL.canParse(url) ? new URL(url) : undefined;
      const fits =
        parsed !== undefined && /^https?:$/.test(parsed.protocol) && parsed.username === "" && parsed.password === "";
      // The address may hold a secret in its path, so the message does not repeat it.
      if (!fits) throw refuse(place, "a text that is none", text.info);
      return url;
    },
  };
}

function secretField(): Field<string> {
  const info = { rule: "`whsec_` followed by base64 of 24 to 64 bytes", description: "Signs the payload." };
  return {
    info,
    read(value: unknown, place: FieldPlace) {
      const match = typeof value === "string" ? /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(value) : null;
      const bytes = match === null ? 0 : Buffer.from(match[1] as string, "base64").length;
      if (bytes < 24 || bytes > 64)
        throw refuse(place, value === undefined ? undefined : "a text of another form", info);
      place.record(place.path, place.originOf(place.path));
      return value as string;
    },
  };
}

const allowPrivate = withDefault(booleanField("Whether the address may be a private or loopback one."), false);

export const alertField: Field<AlertChannelSpec> = variantField("Who hears of alerts.", "kind", {
  webhook: { url: urlField(), secret: secretField(), allowPrivate },
  slack: { url: urlField(), allowPrivate },
  log: {},
});
