/**
 * What a parent and its job child say to each other over the IPC channel. The pool in `engine/children` is one end, the loop in
 * `job-child.ts` the other; both compile against this file, so a message one side does not know is a type error.
 *
 * A child does one job at a time. It says `ready` once after loading, and again nothing: the end of a job means it is free.
 * Everything is structured-cloned ("advanced" serialization), yet results and progress are plain JSON, because they are stored.
 */
import type { JsonObject } from "./records.ts";

export interface JobErrorMessage {
  /** A code of `errors.ts`. Text, because another build of the child may know other codes. */
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly details: JsonObject;
}

export type ParentMessage =
  | { readonly kind: "run"; readonly id: string; readonly type: string; readonly input: JsonObject }
  /** Asks the job to end; the parent kills the child when it has not ended after two seconds. */
  | { readonly kind: "cancel"; readonly id: string };

export type ChildMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly id: string; readonly message: JsonObject }
  | { readonly kind: "done"; readonly id: string; readonly result: JsonObject }
  | { readonly kind: "failed"; readonly id: string; readonly error: JobErrorMessage };
