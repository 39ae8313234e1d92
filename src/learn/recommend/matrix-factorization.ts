/**
 * `matrixFactorization`: users and items as vectors whose product ranks what a user may like. What is kept are the items alone:
 * a user's vector is solved from its interactions when it asks, so nobody waits for a retraining. `popularity` is the baseline:
 * what most users took.
 */
import { fail, type Json, type JsonObject } from "../../core/index.ts";
import { parameterDefaults, resolveParameters } from "../params.ts";
import type { TrainedWeights, TrainingPoint } from "../trainer.ts";
import { throwIfCanceled } from "../turn.ts";
import type { KernelChoice } from "../wasm.ts";
import { openFactorMemory, penaltyOf, rowWidth } from "./factors.ts";
import {
  checkStrengths,
  countsOf,
  type Interactions,
  meanStrength,
  observationsByUser,
  transposed,
} from "./interactions.ts";
import { RECOMMEND_PARAMETERS, type RecommendParams } from "./params.ts";

export interface RecommendRequest {
  readonly interactions: Interactions;
  readonly params: JsonObject;
  /** Integer in [0, 2^32). */
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onPoint: (point: TrainingPoint) => Promise<void>;
  /** Weights of an earlier version: items it knows begin where it left them. */
  readonly base?: TrainedWeights;
  /** A checkpoint of the very same request. */
  readonly resume?: TrainedWeights;
  readonly onCheckpoint?: (state: () => TrainedWeights) => Promise<void>;
  /** Default auto; the tests compare the two. */
  readonly kernels?: KernelChoice;
}

export const matrixFactorization = {
  name: "matrixFactorization",
  tasks: ["recommend"],
  strategies: ["full", "warm-start"],
  defaults: parameterDefaults(RECOMMEND_PARAMETERS),
  resolveParams: (params: Json): JsonObject => resolveParameters("matrixFactorization", RECOMMEND_PARAMETERS, params),
  fit: fitFactors,
} as const;

export const popularity = {
  name: "popularity",
  tasks: ["recommend"],
  strategies: ["full"],
  defaults: {},
  resolveParams: (params: Json): JsonObject => resolveParameters("popularity", {}, params),
  fit: fitPopularity,
} as const;

/**
 * @throws DATASET_EMPTY where nobody liked anything, TRAINER_CANCELED, TRAINER_FAILED beyond 4 GiB. Cost of `als`: about
 * 0.1 s a round for 1M observations and 32 factors on one thread. The same interactions, parameters and seed give the same bits.
 */
async function fitFactors(request: RecommendRequest): Promise<TrainedWeights> {
  const params = matrixFactorization.resolveParams(request.params) as unknown as RecommendParams;
  throwIfCanceled(request.signal);
  const { byUser, byItem } = observed(request);
  const start = startOf(request, params);
  const memory = openFactorMemory({
    byUser,
    byItem,
    params,
    seed: request.seed,
    kernels: request.kernels ?? "auto",
    ...start,
  });
  const shared = {
    task: "recommend",
    method: params.method,
    factors: params.factors,
    width: rowWidth(params),
    items: request.interactions.items,
    penalty: penaltyOf(params, request.interactions.users.length, request.interactions.items.length),
    confidence: params.confidence,
    learningRate: params.learningRate,
    rankL2: params.rankL2,
    unit: meanStrength(byUser),
    users: request.interactions.users.length,
    observations: byUser.indices.length,
  };
  const weights = (epoch: number, isCheckpoint: boolean): TrainedWeights => ({
    trainer: matrixFactorization.name,
    shape: { ...shared, epoch },
    arrays: {
      items: memory.items(),
      counts: countsOf(byItem),
      userGram: memory.userGram(),
      // A finished model solves users anew; a round that goes on starts from where they are.
      ...(isCheckpoint ? { users: memory.users() } : {}),
    },
    bestEpoch: epoch,
  });
  const done = request.resume === undefined ? 0 : (request.resume.shape["epoch"] as number);
  for (let epoch = done + 1; epoch <= params.epochs; epoch++) {
    const trainLoss = await memory.runEpoch(epoch, request.signal);
    await request.onPoint({ epoch, metrics: { trainLoss } });
    throwIfCanceled(request.signal);
    if (epoch < params.epochs) await request.onCheckpoint?.(() => weights(epoch, true));
  }
  return weights(params.epochs, false);
}

async function fitPopularity(request: RecommendRequest): Promise<TrainedWeights> {
  throwIfCanceled(request.signal);
  const { byItem, byUser } = observed(request);
  await request.onPoint({ epoch: 1, metrics: { items: byItem.starts.length - 1 } });
  return {
    trainer: popularity.name,
    shape: {
      task: "recommend",
      method: "popularity",
      items: request.interactions.items,
      users: request.interactions.users.length,
      observations: byUser.indices.length,
      epoch: 1,
    },
    arrays: { counts: countsOf(byItem) },
    bestEpoch: 1,
  };
}

function observed({ interactions }: RecommendRequest) {
  checkStrengths(interactions);
  const byUser = observationsByUser(interactions);
  if (byUser.indices.length === 0)
    throw fail("DATASET_EMPTY", {
      message: `None of ${interactions.userOf.length} interactions has a strength above 0, so there is nothing to recommend.`,
      remedy: "Send interactions whose label is a positive strength, or widen `data.window`.",
    });
  return { byUser, byItem: transposed(byUser, interactions.items.length) };
}

/** Rows of a checkpoint, or of the items an earlier version knows. */
function startOf(request: RecommendRequest, params: RecommendParams) {
  const width = rowWidth(params);
  const rows = (all: Float32Array | undefined, count: number) =>
    Array.from({ length: count }, (_, i) => all?.subarray(i * width, (i + 1) * width) ?? null);
  const { resume, base, interactions } = request;
  if (resume !== undefined) {
    return {
      startItems: rows(resume.arrays["items"] as Float32Array, interactions.items.length),
      startUsers: rows(resume.arrays["users"] as Float32Array, interactions.users.length),
    };
  }
  if (base === undefined || base.shape["width"] !== width || base.shape["method"] !== params.method) return {};
  const known = new Map((base.shape["items"] as readonly string[]).map((name, i) => [name, i]));
  const factors = base.arrays["items"] as Float32Array;
  return {
    startItems: interactions.items.map((name) => {
      const i = known.get(name);
      return i === undefined ? null : factors.subarray(i * width, (i + 1) * width);
    }),
  };
}
