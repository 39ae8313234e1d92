/** Sources by kind. */
import type { SystemClock } from "../../core/index.ts";
import type { Format } from "../read-rows.ts";
import { createFileSource } from "./file.ts";
import { createFolderSource } from "./folder.ts";
import type { Source } from "./source.ts";

/** The resolved description of a source, as `config/` writes it. */
export interface SourceOptions {
  readonly name: string;
  readonly model: string;
  readonly kind: "file" | "folder";
  readonly path: string;
  readonly format?: Format;
  readonly pollMs: number;
  readonly missing: readonly string[];
}

export function createSource(options: SourceOptions, clock: SystemClock): Source {
  return options.kind === "file" ? createFileSource({ ...options, clock }) : createFolderSource({ ...options, clock });
}
