/** `retrain export`, `retrain import`, `retrain export-key`: a version from one server to the next. */
import { readFile, writeFile } from "node:fs/promises";
import { fail, plural } from "../../core/index.ts";
import type { OnnxFile } from "../../model/onnx/inspect.ts";
import { EXIT, note, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";
import { followRun } from "./run.ts";
import { runText } from "./runs.ts";

export interface ExportOptions extends RemoteOptions {
  readonly out?: string;
  readonly format: string;
}
export interface ImportOptions extends RemoteOptions {
  /** False by --no-wait. */
  readonly wait: boolean;
}

/** What a file of each format is called. */
const ENDINGS: Readonly<Record<string, string>> = {
  retrain: "retrain",
  onnx: "onnx",
  "onnx-counts": "onnx",
};

export async function exportVersion(model: string, version: string, options: ExportOptions): Promise<void> {
  const ending = ENDINGS[options.format];
  if (ending === undefined) {
    throw fail("USAGE", {
      message: `There is no format "${options.format}".`,
      remedy: `Use one of ${Object.keys(ENDINGS).join(", ")}.`,
    });
  }
  const content = await connect(options).exportVersion(model, version, { format: options.format });
  const file = options.out ?? `${model}-${version}.${ending}`;
  await writeFile(file, content, { flag: "wx" }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EEXIST") throw cause;
    throw fail("FILE_EXISTS", { message: `${file} is there already.`, remedy: "Name another file with --out.", cause });
  });
  const ports = ending === "onnx" ? await readPorts(content) : undefined;
  const data = { file, sizeBytes: content.byteLength, ...ports };
  printData(options, data, () => {
    const said = `${file}: ${model} ${version}, ${plural(content.byteLength, "byte")}.`;
    return ports === undefined ? said : `${said}\n\n${portsText(ports)}`;
  });
}

type Ports = Pick<OnnxFile, "inputs" | "outputs">;

/** What goes in and out of an ONNX file; undefined of one that is too large to be read here. */
async function readPorts(content: Uint8Array): Promise<Ports | undefined> {
  const { inspectOnnx, MAX_ONNX_BYTES } = await import("../../model/onnx/inspect.ts");
  if (content.byteLength > MAX_ONNX_BYTES) return undefined;
  const { inputs, outputs } = inspectOnnx(content);
  return { inputs, outputs };
}

function portsText({ inputs, outputs }: Ports): string {
  const rows = (side: string, ports: Ports["inputs"]) =>
    ports.map(({ name, type, dims }) => {
      const shape = dims.map((size) => (size < 0 ? "any" : String(size))).join(" × ");
      return [side, name, type, shape === "" ? "one number" : shape];
    });
  return table(["", "name", "type", "shape"], [...rows("in", inputs), ...rows("out", outputs)]);
}

export async function importVersion(model: string, file: string, options: ImportOptions): Promise<number> {
  const client = connect(options);
  const content = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw fail("NOT_FOUND", {
      message: `${file} cannot be read: ${cause.message}.`,
      remedy: "Name an exported file.",
      cause,
    });
  });
  const imported = await client.importVersion(
    model,
    new Uint8Array(content),
    file.endsWith(".onnx") ? "onnx" : "retrain",
  );
  note(
    options,
    `${imported.version.name} is registered${imported.signedBy === null ? "" : `; signed by ${imported.signedBy}`}.`,
  );
  if (!options.wait || imported.runId === null) {
    printData(options, imported, () => imported.version.name);
    return EXIT.ok;
  }
  const { run, points, exitCode } = await followRun(client, imported.runId, options);
  printData(options, { ...imported, run }, () => runText(run, points));
  return exitCode;
}

export async function exportKey(options: RemoteOptions): Promise<void> {
  const answer = await connect(options).exportKey();
  printData(options, answer, () => answer.publicKey);
}
