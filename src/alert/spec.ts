/** Resolved alert channels. */
export type AlertChannelSpec =
  | { readonly kind: "webhook"; readonly url: string; readonly secret: string; readonly allowPrivate: boolean }
  | { readonly kind: "slack"; readonly url: string; readonly allowPrivate: boolean }
  | { readonly kind: "log" };
