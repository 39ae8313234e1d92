/** Logs go to stderr: lines a person reads on a terminal, JSON elsewhere. stdout is for data. */
import pino from "pino";
import type { JsonObject, Logger } from "../core/index.ts";
import { systemClock } from "../core/index.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
type Level = (typeof LEVELS)[number];

export function createLogger(level: string, isTerminal: boolean): Logger {
  return isTerminal ? terminalLogger(level) : jsonLogger(level);
}

function jsonLogger(level: string): Logger {
  const target = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  const at = (name: Level) => (fields: JsonObject, message: string) => target[name](fields, message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function terminalLogger(level: string): Logger {
  const lowest = Math.max(0, LEVELS.indexOf(level as Level));
  const at = (name: Level) => (fields: JsonObject, message: string) => {
    if (LEVELS.indexOf(name) < lowest) return;
    const time = new Date(systemClock.now()).toISOString().slice(11, 19);
    const rest = Object.entries(fields).map(
      ([key, value]) => `${key}=${typeof value === "string" ? oneLine(value) : JSON.stringify(value)}`,
    );
    process.stderr.write(
      `${time} ${name.padEnd(5)} ${oneLine(message)}${rest.length > 0 ? `  ${rest.join(" ")}` : ""}\n`,
    );
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A value from outside must not be able to write a line of its own. */
const oneLine = (text: string) => text.replace(/[\r\n]+/g, "\\n");
