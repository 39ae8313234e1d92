/** Words that many commands share. */
import { type Command, InvalidArgumentError } from "commander";

/** What commands print on and end with; `runProgram` fills it. */
export interface Ran {
  exitCode: number;
}

/** Options of every command that prints data. */
export function withOutput(command: Command): Command {
  return command
    .option("--json", 'print one line of JSON: {"ok":true,"data":…}')
    .option("-q, --quiet", "print no progress on stderr");
}
/** Options of every command that asks the server. */
export function withServer(command: Command): Command {
  return withOutput(command)
    .option("--url <url>", "address of the server (default: RETRAIN_URL, else the one running here)")
    .option("--token <token>", "token of the server (default: RETRAIN_TOKEN)");
}
/** The examples open the help: most readers want to copy a line. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText("before", `${["Examples:", ...lines.map((line) => `  $ ${line}`)].join("\n")}\n`);
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError("It must be 0 to 65535.");
  return port;
}
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,3}$/.test(text) || count < 1 || count > 500) throw new InvalidArgumentError("It must be 1 to 500.");
  return count;
}
