/** `retrain doctor`: what could keep the server from running here. Exit code 4 when something is wrong. */
import { accessSync, constants, existsSync, mkdirSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { loadConfig, type RetrainSpec } from "../../config/index.ts";
import { systemClock } from "../../core/index.ts";
import { readAddress } from "../address.ts";
import { colors, EXIT, type OutputOptions, printData } from "../output.ts";

export interface DoctorOptions extends OutputOptions {
  readonly config: string;
}
interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "wrong";
  readonly says: string;
}

const MIN_NODE = [20, 19] as const;
/** Less free space than this fills within a day of modest traffic. */
const LOW_DISK_BYTES = 1024 * 1024 * 1024;
/** Any earlier year means a clock that was never set. */
const OLDEST_NOW = Date.UTC(2025, 0, 1);

export async function doctor(options: DoctorOptions): Promise<number> {
  const findings: Finding[] = [checkNode(), checkClock()];
  const spec = await checkConfig(options.config, findings);
  if (spec !== undefined) {
    findings.push(...checkDirectory(spec.storage.directory));
    findings.push(await checkPort(spec));
  }
  const isWrong = findings.some(({ state }) => state === "wrong");
  printData(options, { findings }, () => findings.map(line).join("\n"));
  return isWrong ? EXIT.found : EXIT.ok;
}

function line({ check, state, says }: Finding): string {
  const mark = { ok: colors.green("ok     "), warning: colors.yellow("warning"), wrong: colors.red("wrong  ") }[state];
  return `${mark}  ${check.padEnd(13)}  ${says}`;
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isOld = major < MIN_NODE[0] || (major === MIN_NODE[0] && minor < MIN_NODE[1]);
  const says = isOld
    ? `Node ${process.versions.node} is older than ${MIN_NODE.join(".")}: upgrade it.`
    : `Node ${process.versions.node}`;
  return { check: "node", state: isOld ? "wrong" : "ok", says };
}

function checkClock(): Finding {
  const now = systemClock.now();
  const says = new Date(now).toISOString();
  return {
    check: "clock",
    state: now < OLDEST_NOW ? "wrong" : "ok",
    says: now < OLDEST_NOW ? `${says}: set the clock.` : says,
  };
}

async function checkConfig(where: string, findings: Finding[]): Promise<RetrainSpec | undefined> {
  try {
    const { spec, path } = await loadConfig(where, { environment: process.env });
    findings.push({ check: "configuration", state: "ok", says: path });
    return spec;
  } catch (error) {
    const { message, remedy = "" } = error as { message: string; remedy?: string };
    findings.push({ check: "configuration", state: "wrong", says: `${message} ${remedy}` });
    return undefined;
  }
}

function checkDirectory(directory: string): readonly Finding[] {
  const place = existsSync(directory) ? directory : dirname(directory);
  try {
    if (place !== directory) mkdirSync(place, { recursive: true });
    accessSync(place, constants.R_OK | constants.W_OK);
  } catch (error) {
    return [
      { check: "directory", state: "wrong", says: `${directory} cannot be written: ${(error as Error).message}` },
    ];
  }
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const isLow = free < LOW_DISK_BYTES;
  return [
    { check: "directory", state: "ok", says: directory },
    { check: "disk", state: isLow ? "warning" : "ok", says: `${(free / 1024 / 1024 / 1024).toFixed(1)} GiB free` },
  ];
}

async function checkPort(spec: RetrainSpec): Promise<Finding> {
  const { host, port } = spec.server;
  const running = readAddress(spec.storage.directory);
  if (running !== undefined) {
    return { check: "server", state: "ok", says: `Process ${running.pid} says it serves at ${running.url}.` };
  }
  const problem = await new Promise<string | undefined>((resolve) => {
    const probe = createServer();
    probe.once("error", (error) => resolve(error.message));
    probe.listen(port, host, () => probe.close(() => resolve(undefined)));
  });
  const says =
    problem === undefined
      ? `${host}:${port} is free`
      : `${host}:${port} cannot be used: ${problem}; choose another with --port.`;
  return { check: "port", state: problem === undefined ? "ok" : "wrong", says };
}
