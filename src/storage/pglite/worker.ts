/**
 * The thread of the embedded database. PostgreSQL in WebAssembly runs each request to its end; in the main thread that
 * would stop every other request of the server meanwhile. This file is the thread's entry point.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { PGlite, type PGliteOptions } from "@electric-sql/pglite";
import { DurableNodeFS, parseFault } from "./durable-fs.ts";
import type { FromWorker, OpenMessage, Reply, ThreadData, ToWorker } from "./messages.ts";
import { SessionScheduler } from "./session-scheduler.ts";
import { SyncedFiles } from "./synced-files.ts";
import { readTemplate, type Template, unpackTemplate } from "./template.ts";

/**
 * fsync is on, and by fsync(): the fdatasync of the WebAssembly build does nothing. 16 MB of buffers keep the thread's
 * memory 130 MB below the default's; the working set is metadata and the tail of the log.
 */
const START_PARAMETERS = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== "-F"),
  "-c",
  "wal_sync_method=fsync",
  "-c",
  "shared_buffers=16MB",
];

/** PostgreSQL's own jump out of a statement on ERROR; anything else would have ended a process. */
const ERROR_JUMP_STATUS = 100;

/** More than one request's own messages can cause, and reached at once by a loop. */
const MOST_ABNORMAL_EXITS = 100;

/** The newest lines of the server's log, told with the reason of a crash. */
const LOG_LINES = 5;

const port = parentPort;
if (port) {
  // Begun before the folder is known: most of what opening costs besides the reading of files.
  const begun: Begun = { compiled: compile() };
  const { template } = (workerData ?? {}) as Partial<ThreadData>;
  if (template !== undefined) begun.template = { folder: template, tar: readTemplate(template) };
  // A failure is told where the outcome is asked for.
  begun.compiled.catch(() => {});
  begun.template?.tar.catch(() => {});
  port.once("message", (message: OpenMessage) => void serve(message, begun, (answer) => port.postMessage(answer)));
}

interface Begun {
  readonly compiled: Promise<CompiledModule>;
  /** Forgotten once unpacked: it is 30 MB. */
  template?: Required<Template>;
}

/** What of WebAssembly is used here; the compiler's library of ECMAScript alone does not describe it. */
type CompiledModule = NonNullable<PGliteOptions["pgliteWasmModule"]>;
declare const WebAssembly: { compile(bytes: Uint8Array): Promise<CompiledModule> };

function pgliteFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("@electric-sql/pglite"));
}

async function compile(): Promise<CompiledModule> {
  return WebAssembly.compile(await readFile(join(pgliteFolder(), "pglite.wasm")));
}

async function serve(
  { directory, template, fault, replies }: OpenMessage,
  begun: Begun,
  tell: (message: FromWorker) => void,
): Promise<void> {
  if (template !== undefined) await makeCluster(directory, template, begun);
  const files = new DurableNodeFS(directory, parseFault(fault), await SyncedFiles.of(directory));
  const logLines: string[] = [];
  const database = await openCluster(files, begun.compiled, logLines);
  files.opened();
  const fatal = (reason: string) => tell({ kind: "fatal", reason: [reason, ...logLines].join("\n") });
  const loop = watchMainLoop(database, fatal);
  const probeFsyncs = await probe(database, files);
  const scheduler = new SessionScheduler({
    execute: (bytes) => {
      loop.abnormalExits = 0;
      return execute(database, bytes, fatal);
    },
    deliver: (connection, bytes) => replies.postMessage({ connection, bytes } satisfies Reply),
    onFatal: fatal,
  });
  port?.on("message", (message: ToWorker) => {
    if (message.kind === "batch") scheduler.submit(message.connection, message.bytes, message);
    else if (message.kind === "drop") scheduler.drop(message.connection);
    else void database.close().then(() => tell({ kind: "closed" }));
  });
  tell({ kind: "ready", probeFsyncs });
}

async function makeCluster(directory: string, folder: string, begun: Begun): Promise<void> {
  const template = begun.template?.folder === folder ? begun.template : { folder };
  delete begun.template;
  // A template is only as good as the version that made it: the same one.
  const manifest = await readFile(join(pgliteFolder(), "..", "package.json"), "utf8");
  await unpackTemplate(directory, template, (JSON.parse(manifest) as { version: string }).version);
}

async function openCluster(
  files: DurableNodeFS,
  compiled: Promise<CompiledModule>,
  logLines: string[],
): Promise<PGlite> {
  try {
    return await PGlite.create({
      fs: files,
      startParams: START_PARAMETERS,
      pgliteWasmModule: await compiled,
      onStderr: (line) => {
        logLines.push(line);
        if (logLines.length > LOG_LINES) logLines.shift();
        return false;
      },
    });
  } catch (error) {
    // What PGlite throws says only that something was aborted.
    throw new Error([...logLines, String(error)].join("\n"), { cause: error });
  }
}

/** How many fsyncs one commit makes: a transactional message in the log is the smallest commit that must reach the disk. */
async function probe(database: PGlite, files: DurableNodeFS): Promise<number> {
  const before = files.fsyncs;
  await database.exec("select pg_logical_emit_message(true, 'retrain', 'durable?')");
  return files.fsyncs - before;
}

/**
 * PGlite swallows whatever leaves PostgreSQL's main loop and calls it again. After a fault of the WebAssembly code the
 * request is not consumed, so that it runs for ever. A thread in that loop hears nothing, but it can still speak: the
 * main thread ends it. A PANIC leaves the loop too, once; the scheduler reads it in the reply.
 */
function watchMainLoop(database: PGlite, fatal: (reason: string) => void): MainLoop {
  const module = database.Module as unknown as { _PostgresMainLoopOnce: () => void };
  const runOnce = module._PostgresMainLoopOnce;
  const loop = { abnormalExits: 0 };
  module._PostgresMainLoopOnce = () => {
    try {
      runOnce();
    } catch (error) {
      if ((error as { status?: number }).status !== ERROR_JUMP_STATUS) loop.abnormalExits += 1;
      if (loop.abnormalExits === MOST_ABNORMAL_EXITS) fatal(`the database does not come to an end: ${String(error)}`);
      throw error;
    }
  };
  return loop;
}

/** Counted per request. */
interface MainLoop {
  abnormalExits: number;
}

/**
 * One request. The streaming call is used because the plain one parses each reply and keeps what it parsed. It does
 * its work before it returns; the promise only says so.
 */
function execute(database: PGlite, bytes: Uint8Array, fatal: (reason: string) => void): Uint8Array {
  const chunks: Uint8Array[] = [];
  database
    .execProtocolRawStream(bytes, { syncToFs: false, onRawData: (chunk) => void chunks.push(chunk.slice()) })
    .catch((error: unknown) => fatal(`the database failed: ${String(error)}`));
  if (chunks.length === 1) return chunks[0] as Uint8Array;
  const reply = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    reply.set(chunk, at);
    at += chunk.length;
  }
  return reply;
}
