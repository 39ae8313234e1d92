/** What the engines refuse or report, worded once. */
import { fail, nearestWord, type RetrainError } from "../core/index.ts";

export function canceledError(workflowId: string): RetrainError {
  return fail("TRAINER_CANCELED", {
    message: `The workflow ${workflowId} was canceled.`,
    remedy: "Start a new run when the model should be trained after all.",
  });
}

export function stoppedError(): RetrainError {
  return fail("ENGINE_STOPPED", {
    message: "The engine is not running.",
    remedy: "Start the server; unfinished workflows go on by themselves.",
    retryable: true,
  });
}

export function unknownWorkflow(id: string): RetrainError {
  return fail("RUN_UNKNOWN", {
    message: `There is no workflow with the id "${id}".`,
    remedy: "List the runs to find its id.",
  });
}

export function idTaken(id: string, registered: string, wanted: string): RetrainError {
  return fail("CONFLICT", {
    message: `The workflow id "${id}" belongs to a workflow "${registered}" and was asked to start "${wanted}".`,
    remedy: "Make ids of different workflows differ.",
  });
}

export function registeredLate(what: string, name: string): Error {
  return fail("INTERNAL", {
    message: `The ${what} "${name}" was registered after the engine had started, which resumes unfinished ones as it starts.`,
    remedy: "Register before start.",
  });
}

export function registeredTwice(what: string, name: string): Error {
  return fail("CONFLICT", { message: `A ${what} "${name}" is registered already.`, remedy: "Give each its own name." });
}

export function startedTwice(): Error {
  return fail("CONFLICT", { message: "The engine was started already.", remedy: "Start it once." });
}

export function notRegistered(name: string, known: Iterable<string>): Error {
  const near = nearestWord(name, known);
  return fail("INTERNAL", {
    message: `No workflow "${name}" is registered.${near === undefined ? "" : ` The nearest is "${near}".`}`,
    remedy: "Register it before the engine starts, in every process that enqueues it.",
  });
}

export function givenUp(id: string, attempts: number): Error {
  return fail("ENGINE_GAVE_UP", {
    message: `The workflow ${id} was started ${attempts} times and each time its process died before the end.`,
    remedy:
      "Read the log around its last starts; memory and crashes of native code are the usual reasons. Then start a new run.",
    details: { attempts },
  });
}
