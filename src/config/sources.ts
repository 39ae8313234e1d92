/** `source`: files and folders whose new rows are collected by themselves. */
import {
  choiceField,
  type DurationText,
  durationField,
  listField,
  optional,
  textField,
  variantField,
  withDefault,
} from "../core/index.ts";

export const SOURCE_FORMATS = ["csv", "ndjson", "json", "parquet"] as const;
export type SourceFormat = (typeof SOURCE_FORMATS)[number];

export interface SourceOptions<Name extends string> {
  /** Name of the model whose rows these are. */
  readonly model: Name;
  /** Default: the file's or folder's name. */
  readonly name?: string;
  /** Default: by the file's ending. */
  readonly format?: SourceFormat;
  /** How often it is looked at; default "5s". */
  readonly poll?: DurationText;
  /** Texts that mean missing in CSV files, besides blank and NA. */
  readonly missing?: readonly string[];
}
export type SourceConfig<Name extends string = string> = SourceOptions<Name> & {
  readonly kind: "file" | "folder";
  readonly path: string;
};

export const source = {
  /** A file that grows at its end (CSV, NDJSON), or is replaced as a whole (JSON, Parquet). */
  file: <const Name extends string>(path: string, options: SourceOptions<Name>): SourceConfig<Name> => ({
    kind: "file",
    path,
    ...options,
  }),
  /** A folder into which finished files are put; each is read once and left where it is. */
  folder: <const Name extends string>(path: string, options: SourceOptions<Name>): SourceConfig<Name> => ({
    kind: "folder",
    path,
    ...options,
  }),
} as const;

const table = {
  path: textField("File or folder, relative to the configuration."),
  model: textField("Name of the model whose rows these are."),
  name: optional(
    textField("Name of the source.", {
      pattern: /^[a-z0-9][a-z0-9._-]{0,63}$/,
      rule: "a name of [a-z0-9._-], starting with a letter or digit, at most 64 long",
    }),
  ),
  format: optional(choiceField("Format, where the ending does not tell.", SOURCE_FORMATS)),
  poll: withDefault(durationField("How often it is looked at.", { min: "100ms", max: "1d" }), "5s"),
  missing: withDefault(listField("Texts that mean missing.", textField("A text.")), []),
};
export const sourceField = variantField("Where rows come from.", "kind", { file: table, folder: table });
