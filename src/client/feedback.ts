/** Feedback of users, for programs. */
import type { Api, FeedbackBody, FeedbackItem, FeedbackQuery, FeedbackSummaryQuery } from "../server/contract.ts";

type Get = <K extends keyof Api>(path: string, query?: object) => Promise<Api[K]>;
type Post = <K extends keyof Api>(path: string, json: unknown) => Promise<Api[K]>;

export function feedbackMethods(get: Get, post: Post) {
  const at = (model: string, path = "") => `/models/${encodeURIComponent(model)}/feedback${path}`;
  return {
    /** What a user says about an answer, or many of them. */
    giveFeedback: (model: string, said: FeedbackItem | readonly FeedbackItem[]) => {
      const body: FeedbackBody = "predictionId" in said ? said : { feedback: said };
      return post<"POST /models/:model/feedback">(at(model), body);
    },
    feedback: (model: string, query: FeedbackQuery = {}) => get<"GET /models/:model/feedback">(at(model), query),
    feedbackSummary: (model: string, query: FeedbackSummaryQuery = {}) =>
      get<"GET /models/:model/feedback/summary">(at(model, "/summary"), query),
  };
}
