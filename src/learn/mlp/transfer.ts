/**
 * Transfer: the hidden layers of another network under a new head. What the base learned to see in its inputs is reused; what
 * it concluded is not. Frozen layers keep their weights to the bit, the other reused ones learn carefully, the head learns at
 * the full rate (J. Yosinski et al. 2014, "How transferable are features in deep neural networks?").
 */
import { fail, nearestWord } from "../../core/index.ts";
import type { TrainedWeights } from "../trainer.ts";
import { readLayers } from "./layers.ts";
import type { Layer } from "./layers.ts";

export interface TransferLayers {
  readonly base: TrainedWeights;
  /** The layers of this run as a full training would start them: their sizes, and the head's weights. */
  readonly fresh: readonly Layer[];
  /** Names of hidden layers that never learn. */
  readonly freeze: readonly string[];
  /** Learning rate of the head. */
  readonly rate: number;
  /** Learning rate of reused layers that are not frozen. */
  readonly reusedRate: number;
}

/** @throws TRANSFER_BASE_UNFIT where a hidden layer differs in size, CONFIG_INVALID where a frozen layer is none */
export function transferLayers(options: TransferLayers): { readonly layers: Layer[]; readonly rates: number[] } {
  const { base, fresh, freeze, rate, reusedRate } = options;
  const hidden = fresh.slice(0, -1);
  const names = hidden.map(({ name }) => name);
  const wrong = frozenProblem(freeze, names);
  if (wrong !== undefined) {
    throw fail("CONFIG_INVALID", { message: `\`freeze\` ${wrong}`, remedy: `Name some of ${names.join(", ")}.` });
  }
  const reused = readLayers(base).slice(0, -1);
  const sizes = (layers: readonly Layer[]) => layers.map(({ inputs, outputs }) => `${inputs} × ${outputs}`).join(", ");
  if (sizes(reused) !== sizes(hidden)) {
    throw fail("TRANSFER_BASE_UNFIT", {
      message: `The hidden layers of the base are ${sizes(reused)}; this model's are ${sizes(hidden)}.`,
      remedy: "Give the trainer the `hidden` of the base, and the model the same features.",
    });
  }
  return {
    layers: [...reused, fresh[fresh.length - 1] as Layer],
    rates: fresh.map(({ name }, i) => (i === hidden.length ? rate : freeze.includes(name) ? 0 : reusedRate)),
  };
}

/** What is wrong with a list of frozen layers: `freezes "hidden3", …`. Undefined where nothing is. */
export function frozenProblem(freeze: readonly string[], hidden: readonly string[]): string | undefined {
  const unknown = freeze.find((name) => !hidden.includes(name));
  if (unknown === undefined) return undefined;
  if (unknown === "output") return 'freezes "output", but the head is new and has to learn.';
  const near = nearestWord(unknown, hidden);
  return `freezes "${unknown}", which is no hidden layer.${near === undefined ? "" : ` Closest: "${near}".`}`;
}
