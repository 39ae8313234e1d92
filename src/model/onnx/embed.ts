/**
 * A trained head behind a frozen backbone: the backbone turns features into a vector, the head answers it. Here both answer in
 * place, for training processes; `remote.ts` keeps the backbone in a process of its own, for servers.
 */
import { fail } from "../../core/index.ts";
import type { Features } from "../../core/index.ts";
import { askEmbedding, embeddingBlock, embedRows, readEmbedding, rowsOfFeatures } from "../../data/index.ts";
import { rowsOfFrame, withEmbedding } from "../../data/index.ts";
import type { Embedding, EmbeddingRows, Frame } from "../../data/index.ts";
import type { TrainedWeights } from "../../learn/index.ts";
import type { Predictor } from "../predictor.ts";
import { openSyncSession } from "./sync-session.ts";
import type { SyncSession } from "./sync-session.ts";

/** A vector of another batch differs by some 1e-7 of its length; scaling and the layers of the head multiply that. */
export const EMBEDDED_TOLERANCE = 1e-4;
/** The array of a version's weights that holds the file of its backbone. */
const BACKBONE = "backbone";

/** The weights with the file of the backbone, which from then on travels with the version. */
export function withBackbone(weights: TrainedWeights, backbone: Uint8Array): TrainedWeights {
  return { ...weights, arrays: { ...weights.arrays, [BACKBONE]: backbone } };
}

/** @throws ARTIFACT_CORRUPT where a version that needs a backbone has none */
export function backboneOf({ arrays }: TrainedWeights): Uint8Array {
  const found = arrays[BACKBONE];
  if (found instanceof Uint8Array) return found;
  throw fail("ARTIFACT_CORRUPT", {
    message: "The preparation of the version begins with a backbone, and its weights hold none.",
    remedy: "Restore the artifact from a backup, or go back to another version.",
  });
}

/** Sessions by the file's hash: candidate, champion and every step of a job share the same one. */
const sessions = new Map<string, SyncSession>();
/** A job compares two versions; each has one backbone. */
const OPEN_SESSIONS = 2;

function sessionOf(embedding: Embedding, backbone: Uint8Array): SyncSession {
  const known = sessions.get(embedding.sha256);
  if (known !== undefined) return known;
  for (const [key, session] of sessions) {
    if (sessions.size < OPEN_SESSIONS) break;
    session.close();
    sessions.delete(key);
  }
  const opened = openSyncSession(backbone);
  sessions.set(embedding.sha256, opened);
  return opened;
}

/** The vectors of rows, `rows × size`, in blocks. Blocks this thread. @throws DEPENDENCY_MISSING, MODEL_INVALID, OUTPUT_INVALID */
export function embed(embedding: Embedding, backbone: Uint8Array, rows: EmbeddingRows): Float32Array {
  const question = askEmbedding(embedding, rows);
  const answer =
    question.asked.length === 0 ? [] : sessionOf(embedding, backbone).run(question.feeds, embedding.output);
  return readEmbedding(embedding, rows, question, answer);
}

/** What is known of a frame's vectors. */
interface FrameVectors {
  readonly values: Float32Array;
  /** One byte per row: whether its vector is there. */
  readonly known: Uint8Array;
  readonly frame: Frame;
}
/** Frames live as long as their job; each row is embedded once, whoever asks. */
const framesSeen = new WeakMap<Frame, Map<string, FrameVectors>>();

export const embeddingKey = (embedding: Embedding): string => JSON.stringify(embedding);

function vectorsOf(frame: Frame, embedding: Embedding, given?: Float32Array): FrameVectors {
  const all = framesSeen.get(frame) ?? new Map<string, FrameVectors>();
  framesSeen.set(frame, all);
  const key = embeddingKey(embedding);
  const found = all.get(key);
  if (found !== undefined && given === undefined) return found;
  const values = given ?? new Float32Array(frame.rows * embedding.size);
  const known = new Uint8Array(frame.rows).fill(given === undefined ? 0 : 1);
  const made = { values, known, frame: withEmbedding(frame, embedding, values) };
  all.set(key, made);
  return made;
}

/** The frame with all of its vectors, where they were given before. */
export function knownEmbedding(frame: Frame, embedding: Embedding): Frame | undefined {
  const found = framesSeen.get(frame)?.get(embeddingKey(embedding));
  return found === undefined || found.known.includes(0) ? undefined : found.frame;
}

/** Gives a frame its vectors, `rows × size`; they are asked for no more. @returns the frame with them */
export function giveEmbedding(frame: Frame, embedding: Embedding, values: Float32Array): Frame {
  return vectorsOf(frame, embedding, values).frame;
}

/** The frame with the vectors of at least these rows. */
export function embedFrame(frame: Frame, embedding: Embedding, backbone: Uint8Array, rows: Uint32Array): Frame {
  const vectors = vectorsOf(frame, embedding);
  const wanted = rows.filter((row) => vectors.known[row] === 0);
  const block = embeddingBlock(embedding);
  for (let from = 0; from < wanted.length; from += block) {
    const some = wanted.subarray(from, from + block);
    const values = embed(embedding, backbone, rowsOfFrame(frame, some));
    some.forEach((row, i) => {
      vectors.values.set(values.subarray(i * embedding.size, (i + 1) * embedding.size), row * embedding.size);
      vectors.known[row] = 1;
    });
  }
  return vectors.frame;
}

/** The head's predictor behind its backbone. Loads the backbone with the first question. */
export function behindBackbone(head: Predictor, embedding: Embedding, backbone: Uint8Array): Predictor {
  const block = embeddingBlock(embedding);
  const embedded = (rows: readonly Features[]): Features[] => {
    const out: Features[] = [];
    for (let from = 0; from < rows.length; from += block) {
      const some = rows.slice(from, from + block);
      out.push(...embedRows(embedding, some, embed(embedding, backbone, rowsOfFeatures(embedding, some))));
    }
    return out;
  };
  const one = (row: Features) => embedded([row])[0] as Features;
  return {
    ...head,
    tolerance: EMBEDDED_TOLERANCE,
    predictRow: (row) => head.predictRow(one(row)),
    predictRows: (rows) => head.predictRows(embedded(rows)),
    trace: (row) => head.trace(one(row)),
    scoreFrame: (frame, rows) => head.scoreFrame(embedFrame(frame, embedding, backbone, rows), rows),
  };
}
