/**
 * Trees of `gbdt` as one TreeEnsemble node (ai.onnx.ml 5). Thresholds are the float32 of training and the rule is the same
 * `x <= t`, so a row takes the same branches. A categorical node tests membership in its set of codes; missing categories are a
 * code of their own there, missing numbers follow the node's flag. Sums run in float64.
 */
import type { TrainedWeights } from "../../learn/index.ts";
import { addConstantRows, MISSING_CODE } from "./export-preparation.ts";
import { ML_DOMAIN } from "./graph.ts";
import type { GraphBuilder } from "./graph.ts";

const FLAG_CATEGORY = 1 << 30;
const FLAG_MISSING_LEFT = 1 << 29;
const COLUMN_MASK = FLAG_MISSING_LEFT - 1;
const MODE_LEQ = 0;
const MODE_MEMBER = 6;

interface Ensemble {
  readonly roots: number[];
  readonly features: number[];
  readonly modes: number[];
  readonly splits: number[];
  readonly missingTrue: number[];
  readonly trueIds: number[];
  readonly trueLeafs: number[];
  readonly falseIds: number[];
  readonly falseLeafs: number[];
  readonly leafTargets: number[];
  readonly leafWeights: number[];
  readonly members: number[];
}

interface Arrays {
  readonly roots: Int32Array;
  readonly nodes: Int32Array;
  readonly floats: Float32Array;
  readonly sets: Int32Array;
}

/** Raw scores, rows × outputs in float64: the start plus every tree. */
export function addTreeEnsemble(graph: GraphBuilder, { arrays }: TrainedWeights, codes: string): string {
  const nodes = arrays["nodes"] as Int32Array;
  const start = arrays["start"] as Float32Array;
  const trees: Arrays = {
    roots: arrays["roots"] as Int32Array,
    nodes,
    floats: new Float32Array(nodes.buffer, nodes.byteOffset, nodes.length),
    sets: arrays["sets"] as Int32Array,
  };
  const outputs = start.length;
  const ensemble = collect(trees, outputs);
  const wide = graph.node("Cast", [codes], { to: { int: 11 } });
  const starts = graph.constant({ type: "double", dims: [1, outputs], values: Float64Array.from(start) });
  if (ensemble.roots.length === 0) {
    // No tree was worth keeping: the start alone, once per row.
    return addConstantRows(graph, codes, Float64Array.from(start));
  }
  const sum = graph.node(
    "TreeEnsemble",
    [wide],
    {
      aggregate_function: { int: 1 },
      post_transform: { int: 0 },
      n_targets: { int: outputs },
      tree_roots: { ints: ensemble.roots },
      nodes_featureids: { ints: ensemble.features },
      nodes_modes: { tensor: { type: "uint8", dims: [ensemble.modes.length], values: ensemble.modes } },
      nodes_splits: { tensor: { type: "double", dims: [ensemble.splits.length], values: ensemble.splits } },
      nodes_missing_value_tracks_true: { ints: ensemble.missingTrue },
      nodes_truenodeids: { ints: ensemble.trueIds },
      nodes_trueleafs: { ints: ensemble.trueLeafs },
      nodes_falsenodeids: { ints: ensemble.falseIds },
      nodes_falseleafs: { ints: ensemble.falseLeafs },
      leaf_targetids: { ints: ensemble.leafTargets },
      leaf_weights: {
        tensor: { type: "double", dims: [ensemble.leafWeights.length], values: ensemble.leafWeights },
      },
      ...(ensemble.members.length === 0
        ? {}
        : {
            membership_values: {
              tensor: { type: "double" as const, dims: [ensemble.members.length], values: ensemble.members },
            },
          }),
    },
    { domain: ML_DOMAIN },
  );
  return graph.node("Add", [sum, starts]);
}

function collect(trees: Arrays, outputs: number): Ensemble {
  const ensemble: Ensemble = {
    roots: [],
    features: [],
    modes: [],
    splits: [],
    missingTrue: [],
    trueIds: [],
    trueLeafs: [],
    falseIds: [],
    falseLeafs: [],
    leafTargets: [],
    leafWeights: [],
    members: [],
  };
  trees.roots.forEach((root, t) => {
    ensemble.roots.push(ensemble.features.length);
    addNode(ensemble, trees, root, t % outputs);
  });
  return ensemble;
}

const isLeaf = (trees: Arrays, at: number) => (trees.nodes[at + 1] as number) < 0;

/** Adds the inner node at `at` and what hangs below it; a lone leaf becomes a node whose both sides are that leaf. */
function addNode(ensemble: Ensemble, trees: Arrays, at: number, target: number): number {
  const { nodes, floats } = trees;
  const place = ensemble.features.length;
  const alone = isLeaf(trees, at);
  const meta = alone ? 0 : (nodes[at + 1] as number);
  const isCategory = (meta & FLAG_CATEGORY) !== 0;
  const missingLeft = (meta & FLAG_MISSING_LEFT) !== 0;
  ensemble.features.push(meta & COLUMN_MASK);
  ensemble.modes.push(isCategory ? MODE_MEMBER : MODE_LEQ);
  ensemble.splits.push(alone || isCategory ? 0 : (floats[at] as number));
  ensemble.missingTrue.push(missingLeft ? 1 : 0);
  if (isCategory) pushMembers(ensemble, trees, nodes[at] as number, missingLeft);
  for (const list of [ensemble.trueIds, ensemble.trueLeafs, ensemble.falseIds, ensemble.falseLeafs]) list.push(0);
  const [left, right] = alone ? [at, at] : [nodes[at + 2] as number, nodes[at + 3] as number];
  const add = (child: number, ids: number[], leafs: number[]) => {
    if (isLeaf(trees, child)) {
      leafs[place] = 1;
      ids[place] = ensemble.leafWeights.push(floats[child] as number) - 1;
      ensemble.leafTargets.push(target);
    } else ids[place] = addNode(ensemble, trees, child, target);
  };
  add(left, ensemble.trueIds, ensemble.trueLeafs);
  add(right, ensemble.falseIds, ensemble.falseLeafs);
  return place;
}

/** The codes of a set, ended by NaN as the operator wants it. Bit 0 of a set stands for no code: there "missing" goes. */
function pushMembers({ members }: Ensemble, { sets }: Arrays, offset: number, missingLeft: boolean): void {
  if (missingLeft) members.push(MISSING_CODE);
  for (let code = 1; code < 256; code++) {
    if (((sets[offset + (code >> 5)] as number) >> (code & 31)) & 1) members.push(code);
  }
  members.push(Number.NaN);
}
