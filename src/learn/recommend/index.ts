/** Recommendation: matrix factorization and popularity, and the fold-in that follows events. */
export { type Interactions, observationsByUser, type SparseRows, transposed } from "./interactions.ts";
export { matrixFactorization, popularity, type RecommendRequest } from "./matrix-factorization.ts";
export { createRecommender, type RankQuestion, type Recommender, type Taste } from "./recommender.ts";
export type { Ranked } from "./top.ts";
