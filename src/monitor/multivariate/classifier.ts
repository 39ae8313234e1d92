/**
 * The domain classifier: trees learn to tell current rows from reference rows and are asked about rows they have not seen (five folds).
 * What they can do, as an AUC, is a distance of the two joint distributions; the features they do it by are the explanation
 * (S. Rabanser et al. 2019, "Failing loudly"; the two-sample test of D. Lopez-Paz and M. Oquab 2017, "Revisiting classifier
 * two-sample tests"). Rows of one entity that come again and again give themselves away: equal rows therefore share a fold.
 */
import { createRandom, type DomainClassification, seedFrom, shuffleInPlace } from "../../core/index.ts";
import { createPreparedWriter, fitPreparation, type Frame } from "../../data/index.ts";
import { type ColumnInfo, type Matrix, type ScoreRows, findTrainer } from "../../learn/index.ts";
import { aucInterval, deLong, normalIsf, normalSf } from "../../stats/index.ts";
import type { MultivariateOptions } from "./options.ts";
import type { JoinedRows } from "./rows.ts";

const FOLDS = 5;
/**
 * Small trees, many rounds, early stopping. Sixteen leaves find pairs of features whose every one looks the same; the weight a leaf
 * must have (a quarter a row) keeps them from learning rows by heart.
 */
const PARAMS = { epochs: 120, patience: 15, learningRate: 0.1, maxLeaves: 16, minChildWeight: 4, l2: 2, bins: 64 };

interface Fold {
  readonly rows: Uint32Array;
  readonly matrix: Float32Array;
  readonly labels: Float64Array;
  readonly scores: Float64Array;
  readonly score: ScoreRows;
}

/** Cost: five fits on four fifths of the rows, some hundred milliseconds for thousands of rows; gives the event loop its turns. */
export async function classifyDomain(
  joined: JoinedRows,
  options: MultivariateOptions,
  signal: AbortSignal,
): Promise<DomainClassification> {
  const { frame } = joined;
  const all = Uint32Array.from({ length: frame.rows }, (_, i) => i);
  const preparation = fitPreparation({ frame, rows: all, input: "codes", classes: [false, true] });
  const writer = createPreparedWriter(preparation);
  const matrix = writer.writeFrame(frame, all);
  const { width } = writer;
  const columns = frame.columns.map(
    ({ name, kind }): ColumnInfo => ({ name, kind: kind === "category" ? kind : "number" }),
  );
  const { of: foldOf, rowsPerVote } = chooseFolds(matrix, { rows: frame.rows, width, seed: options.seed });
  const folds: Fold[] = [];
  for (let k = 0; k < FOLDS; k++) {
    const fold = await fitFold({ joined, matrix, width, columns, foldOf, k, signal, seed: options.seed });
    if (fold !== undefined) folds.push(fold);
  }
  const found = combine(folds);
  if (found === undefined) return unable("The held-out rows of a side are too few to judge a classifier by.");
  const { auc } = found;
  const noise = Math.sqrt(found.nullVariance * rowsPerVote);
  const floor = 0.5 + normalIsf(options.level) * noise;
  const threshold = Math.max(options.minimumAuc, floor);
  const isDrift = auc > threshold;
  const isBetween = auc > options.minimumAuc && !isDrift;
  const from = threshold === floor && floor > options.minimumAuc ? "sampling noise" : "minimum effect";
  const verdict = isDrift ? "drift" : isBetween ? "cannot-tell" : "no-drift";
  const features = isDrift ? await attribute(folds, { frame, width, seed: options.seed }) : [];
  const told = `A classifier tells current rows from reference rows with an AUC of ${auc.toFixed(3)}`;
  const reason = {
    drift: `${told} (0.5: not at all; threshold ${threshold.toFixed(3)}), mostly by ${features
      .slice(0, 3)
      .map(({ feature }) => feature)
      .join(", ")}.`,
    "no-drift": `${told}; above ${threshold.toFixed(3)} it would matter (${from}).`,
    "cannot-tell": `${told}, which chance alone can do with so few rows (${threshold.toFixed(3)}).`,
  }[verdict];
  const p = normalSf((auc - 0.5) / noise);
  return {
    verdict,
    reason,
    auc,
    interval: aucInterval(auc, found.variance * rowsPerVote),
    threshold,
    thresholdFrom: from,
    p,
    features,
  };
}

export function unable(reason: string): DomainClassification {
  const nothing = { auc: null, interval: null, threshold: null, thresholdFrom: null, p: null, features: [] };
  return { verdict: "cannot-tell", reason, ...nothing };
}

/** So many equal rows on average are not one entity that came again but a table of a few categories, whose rows are to be learned. */
const EQUAL_ROWS = 10;

interface Folds {
  readonly of: Uint8Array;
  /** Rows per row that says something of its own: where equal rows stand together, they count once. */
  readonly rowsPerVote: number;
}

/** Equal rows share a fold, unless they are what there is to learn from. */
function chooseFolds(
  matrix: Float32Array,
  { rows, width, seed }: { readonly rows: number; readonly width: number; readonly seed: number },
): Folds {
  const bits = new Uint32Array(matrix.buffer, matrix.byteOffset, matrix.length);
  const hashes = new Uint32Array(rows);
  for (let row = 0; row < rows; row++) {
    let hash = 0x811c9dc5 ^ seed;
    for (let i = 0; i < width; i++) {
      hash = Math.imul(hash ^ (bits[row * width + i] as number), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hashes[row] = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  }
  const rowsPerVote = rows / new Set(hashes).size;
  const isTogether = rowsPerVote <= EQUAL_ROWS;
  const random = createRandom(seedFrom(seed, "folds"));
  const of = Uint8Array.from(hashes, (hash) =>
    isTogether ? (hash >>> 8) % FOLDS : Math.floor(random.nextFloat() * FOLDS),
  );
  return { of, rowsPerVote: isTogether ? rowsPerVote : 1 };
}

interface FoldRequest {
  readonly joined: JoinedRows;
  readonly matrix: Float32Array;
  readonly width: number;
  readonly columns: readonly ColumnInfo[];
  readonly foldOf: Uint8Array;
  readonly k: number;
  readonly signal: AbortSignal;
  readonly seed: number;
}

async function fitFold(request: FoldRequest): Promise<Fold | undefined> {
  const { joined, matrix, width, columns, foldOf, k, signal, seed } = request;
  const isCurrent = (row: number) => (row >= joined.reference ? 1 : 0);
  const pick = (test: (row: number) => boolean) => {
    const rows = Uint32Array.from(foldOf.keys()).filter(test);
    const values = new Float32Array(rows.length * width);
    rows.forEach((row, i) => values.set(matrix.subarray(row * width, (row + 1) * width), i * width));
    return {
      rows,
      x: { rows: rows.length, columns: width, values } satisfies Matrix,
      labels: Float64Array.from(rows, isCurrent),
    };
  };
  // The next fold stops the trees early; neither has been seen by the other.
  const next = (k + 1) % FOLDS;
  const parts = [
    pick((row) => foldOf[row] !== k && foldOf[row] !== next),
    pick((row) => foldOf[row] === next),
    pick((row) => foldOf[row] === k),
  ] as const;
  const hasBoth = (labels: Float64Array) => labels.includes(0) && labels.includes(1);
  if (!parts.every(({ labels }) => hasBoth(labels))) return undefined;
  const [train, validation, held] = parts;
  const gbdt = findTrainer("gbdt");
  const trained = await gbdt.fit({
    task: "binary",
    columns,
    train: { x: train.x, y: { values: train.labels, classCount: 2 } },
    validation: { x: validation.x, y: { values: validation.labels, classCount: 2 } },
    params: gbdt.resolveParams(PARAMS),
    seed: seedFrom(seed, "fold", k),
    signal,
    onPoint: async () => undefined,
  });
  const score = rowsScorerOf(gbdt, trained);
  return { rows: held.rows, matrix: held.x.values, labels: held.labels, scores: scoreAll(score, held.x), score };
}

function rowsScorerOf(
  trainer: ReturnType<typeof findTrainer>,
  trained: Awaited<ReturnType<typeof trainer.fit>>,
): ScoreRows {
  const many = trainer.rowsScorer?.(trained, "binary");
  if (many !== undefined) return many;
  const one = trainer.scorer(trained, "binary");
  const out = new Float64Array(2);
  return (x, rows, into) => {
    const width = x.length / rows;
    for (let row = 0; row < rows; row++) {
      one(x, row * width, out);
      into.set(out, row * 2);
    }
  };
}

/** Probability of being a current row. */
function scoreAll(score: ScoreRows, x: Matrix): Float64Array {
  const both = new Float64Array(x.rows * 2);
  score(x.values, x.rows, both);
  return Float64Array.from({ length: x.rows }, (_, row) => both[row * 2 + 1] as number);
}

/** Models of different folds are not on one scale: their AUC are averaged, by rows. */
function combine(
  folds: readonly Fold[],
): { readonly auc: number; readonly variance: number; readonly nullVariance: number } | undefined {
  let rows = 0;
  let auc = 0;
  let variance = 0;
  let nullVariance = 0;
  for (const { labels, scores } of folds) {
    const found = deLong({ labels, champion: scores, challenger: scores });
    if (found === null) continue;
    const n = labels.length;
    const current = labels.reduce((sum, label) => sum + label, 0);
    const reference = n - current;
    rows += n;
    auc += n * found.aucChampion;
    variance += n * n * found.varianceChampion;
    // Of the Mann-Whitney statistic when both sides are one.
    nullVariance += (n * n * (n + 1)) / (12 * current * reference);
  }
  if (rows === 0) return undefined;
  return { auc: auc / rows, variance: variance / (rows * rows), nullVariance: nullVariance / (rows * rows) };
}

/** AUC lost when a column's held-out values change places (L. Breiman 2001, "Random forests", section 10). */
async function attribute(
  folds: readonly Fold[],
  { frame, width, seed }: { readonly frame: Frame; readonly width: number; readonly seed: number },
): Promise<DomainClassification["features"]> {
  const rows = folds.reduce((sum, fold) => sum + fold.rows.length, 0);
  const random = createRandom(seedFrom(seed, "shuffle"));
  const lost = new Float64Array(width);
  for (const fold of folds) {
    const before = aucOf(fold.labels, fold.scores);
    const order = fold.rows.map((_, i) => i);
    for (let column = 0; column < width; column++) {
      shuffleInPlace(order, random);
      const values = fold.matrix.slice();
      order.forEach((from, to) => {
        values[to * width + column] = fold.matrix[from * width + column] as number;
      });
      const after = aucOf(fold.labels, scoreAll(fold.score, { rows: fold.rows.length, columns: width, values }));
      lost[column] = (lost[column] as number) + ((before - after) * fold.rows.length) / rows;
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const total = lost.reduce((sum, one) => sum + Math.max(0, one), 0);
  return frame.columns
    .map(({ name }, i) => ({
      feature: name,
      share: total > 0 ? Math.max(0, lost[i] as number) / total : 0,
      aucLost: lost[i] as number,
    }))
    .sort((left, right) => right.aucLost - left.aucLost || (left.feature < right.feature ? -1 : 1));
}

const aucOf = (labels: Float64Array, scores: Float64Array) =>
  deLong({ labels, champion: scores, challenger: scores })?.aucChampion ?? 0.5;
