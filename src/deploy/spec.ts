/** Resolved rollout stages. */
export type StageSpec = { readonly kind: "full" };
