/** Review before release, for programs. */
import type { Api, ReviewDecisionBody, ReviewQuery, ReviewsQuery } from "../server/contract.ts";

type Get = <K extends keyof Api>(path: string, query?: object) => Promise<Api[K]>;
type Post = <K extends keyof Api>(path: string, json: unknown) => Promise<Api[K]>;

const part = encodeURIComponent;

export function reviewMethods(get: Get, post: Post) {
  const at = (model: string, path = "") => `/models/${part(model)}/reviews${path}`;
  return {
    reviews: (model: string, query: ReviewsQuery = {}) => get<"GET /models/:model/reviews">(at(model), query),
    /** @param query `wait`: seconds to wait for the decision; below the client's own `timeoutMs` */
    review: (model: string, predictionId: string, query: ReviewQuery = {}) =>
      get<"GET /models/:model/reviews/:predictionId">(at(model, `/${part(predictionId)}`), query),
    decideReview: (model: string, predictionId: string, body: ReviewDecisionBody) =>
      post<"POST /models/:model/reviews/:predictionId/decide">(at(model, `/${part(predictionId)}/decide`), body),
  };
}
