/** What the evaluation of a recommender says beyond metrics, and a slate beyond its first item. */

export interface RecommendEvaluation {
  /** What answers: als, bpr or popularity. */
  readonly method: string;
  /** Items of a slate. */
  readonly k: number;
  /** Users with held-out items they had not taken before, and how many of them nothing was known of. */
  readonly users: number;
  readonly coldUsers: number;
  /** Items known in training; held-out interactions that could be hit, and those that repeat an earlier one. */
  readonly catalog: number;
  readonly interactions: number;
  readonly repeated: number;
  /** Share of the catalog that appears in at least one slate. */
  readonly coverage: { readonly candidate: number; readonly champion?: number; readonly baseline: number };
  /** By how much is known of a user: NDCG of the candidate and of popularity. */
  readonly byHistory: readonly {
    readonly history: string;
    readonly users: number;
    readonly ndcg: number;
    readonly hitRate: number;
    readonly baseline: number;
  }[];
  /** A few users: what they took before, what they were offered, and what they took of it. */
  readonly examples: readonly {
    readonly user: string;
    readonly history: readonly string[];
    readonly slate: readonly { readonly item: string; readonly score: number; readonly hit: boolean }[];
    readonly taken: readonly string[];
  }[];
}

/** What a prediction says beside its first item. */
export interface RecommendDetails {
  readonly user: string;
  /** Best first. */
  readonly items: readonly { readonly item: string; readonly score: number }[];
  /** `taste`: solved from the user's own interactions; `popularity`: nothing of the user is known. */
  readonly by: "taste" | "popularity";
  /** Items of the user that were left out because it took them already. */
  readonly seen: number;
  /** Items of the slate that the version was not trained on: folded in from events. */
  readonly foldedIn: number;
}
