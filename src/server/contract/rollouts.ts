/** Rollouts and experiments, over HTTP. */
import type { RolloutRecord, Routing } from "../../core/rollouts.ts";
import type { OutcomeInput, RolloutDetail, RolloutPlan } from "../../loop/rollouts/contract.ts";
import type { Page } from "./page.ts";

/** POST /models/{model}/outcomes */
export interface OutcomesBody {
  readonly outcomes: readonly OutcomeInput[];
}
/** POST /models/{model}/rollouts: puts a registered version into the model's stages. */
export interface RolloutBody {
  readonly version: string;
}
export interface RolloutApi {
  readonly "GET /models/:model/rollouts": Page<RolloutRecord>;
  readonly "GET /models/:model/rollouts/plan": RolloutPlan;
  readonly "POST /models/:model/rollouts": Routing;
  readonly "POST /models/:model/rollouts/:action": RolloutRecord;
  readonly "POST /models/:model/outcomes": { readonly accepted: number };
  readonly "GET /experiments/:id": RolloutDetail;
}
export type {
  Comparison,
  ExperimentLook,
  GuardrailFinding,
  PhaseEvidence,
  RolloutPhase,
  RolloutRecord,
  RolloutState,
  SampleRatio,
  ServingCounts,
  StageSpec,
} from "../../core/rollouts.ts";
export type {
  OutcomeInput,
  PowerEstimate,
  RolloutAction,
  RolloutDetail,
  RolloutPlan,
} from "../../loop/rollouts/contract.ts";
