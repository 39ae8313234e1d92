/**
 * Every command with its words and its help. Actions load their module when they are called, so that `--help` costs commander
 * and this file alone. One function of the table at the end is one line of help.
 */
import { Command, CommanderError, Option } from "commander";
import { readyTemplate } from "../storage/pglite/template.ts";
import { prepareThread } from "../storage/pglite/thread.ts";
import type { DemoOptions } from "./commands/demo.ts";
import type { StartOptions } from "./commands/start.ts";
import { addDriftCommands } from "./program-drift.ts";
import { addReadCommands } from "./program-read.ts";
import { addWriteCommands } from "./program-write.ts";
import { packageVersion } from "./package-info.ts";
import { parsePort, type Ran, withExamples, withOutput } from "./program-options.ts";

/** The whole command line, without running it. */
export function buildProgram(ran: Ran): Command {
  const program = new Command("retrain")
    .description("Keeps models in production fresh: collects, monitors, retrains, judges, rolls out.")
    .version(packageVersion(), "-V, --version")
    .showSuggestionAfterError(true)
    .showHelpAfterError("(add --help for the words of this command)")
    .configureHelp({ sortSubcommands: false });
  withExamples(
    program,
    "retrain demo",
    "retrain init --from customers.csv --label purchased && retrain start",
    `retrain predict customers '{"age":41,"job":"services"}' --trace`,
  );
  addServerCommands(program, ran);
  addWriteCommands(program, ran);
  addReadCommands(program, ran);
  addDriftCommands(program, ran);
  program.addHelpText(
    "after",
    "\nExit codes: 0 ok, 1 failure, 2 usage, 3 gate refused the candidate, 4 check found something, 5 not found, 6 access, 7 conflict, 8 no server, 130 interrupted.",
  );
  return program;
}

function addServerCommands(program: Command, ran: Ran): void {
  withExamples(
    program
      .command("start")
      .description("run the server with the configuration of this folder")
      .option("-c, --config <path>", "configuration file or its folder", ".")
      .option("--host <address>", "address to listen on; any other than loopback needs tokens")
      .option("--port <port>", "port to listen on; 0 picks a free one", parsePort)
      .option("--dir <path>", "data directory")
      .option("--database-url <url>", "PostgreSQL server instead of the embedded database")
      .option("--require-tokens", "ask for tokens on loopback too")
      .addOption(
        new Option("--role <role>", "what this process does; several share one PostgreSQL and one data directory")
          .choices(["all", "api", "worker"])
          .default("all"),
      )
      .option("--instance <name>", "name of this process among them (default: its role, machine and number)"),
    "retrain start",
    "retrain start --port 8080",
  ).action(async (options: StartOptions) => {
    if (options.databaseUrl === undefined) prepareDatabase();
    return (await import("./commands/start.ts")).start(options);
  });

  withExamples(
    withOutput(program.command("demo"))
      .description("replay a history through a real server: a model goes stale, is retrained, judged, replaced")
      .option("--bank", "the bank's phone campaigns 2008-2010 (needs the repository's dev dependencies)")
      .option("--once", "end after the story instead of staying up")
      .option("--port <port>", "port to listen on (default: any free one)", parsePort)
      .option("--dir <path>", "keep the data in this directory instead of a temporary one"),
    "retrain demo",
    "retrain demo --once --json",
  ).action(async (options: DemoOptions) => {
    // In a directory of its own, with a cluster that is not there yet.
    prepareThread(options.dir === undefined ? readyTemplate() : undefined);
    return (await import("./commands/demo.ts")).demo(options);
  });

  withExamples(
    withOutput(program.command("init"))
      .description("write a configuration from a CSV file")
      .requiredOption("--from <file>", "CSV file with a header")
      .requiredOption("--label <column>", "column with the answer to predict")
      .option("--missing <texts>", "texts that mean missing, comma-separated, besides blank and NA")
      .option("--name <model>", "name of the model (default: the file's)")
      .option("--yes", "ask nothing")
      .option("--force", "replace files that are there"),
    "retrain init --from customers.csv --label purchased",
    "retrain init --from customers.csv --label purchased --missing unknown --yes",
  ).action(async (options) => (await import("./commands/init.ts")).init(options));

  const config = program.command("config").description("print or check the configuration of this folder");
  withExamples(
    withOutput(config.command("print"))
      .description("every value and where it came from; secrets masked")
      .option("-c, --config <path>", "configuration file or its folder", "."),
    "retrain config print",
    "retrain config print --json | jq .data.origins",
  ).action(async (options) => (await import("./commands/config.ts")).configPrint(options));
  withExamples(
    withOutput(config.command("check"))
      .description("load and validate the configuration")
      .option("-c, --config <path>", "configuration file or its folder", "."),
    "retrain config check",
  ).action(async (options) => (await import("./commands/config.ts")).configCheck(options));

  withExamples(
    withOutput(program.command("doctor"))
      .description("check this machine: Node, disk, clock, port, rights")
      .option("-c, --config <path>", "configuration file or its folder", "."),
    "retrain doctor",
  ).action(async (options) => {
    ran.exitCode = await (await import("./commands/doctor.ts")).doctor(options);
  });
}

/** The embedded database's thread loads while the program does. Where a file names a server instead, opening that one ends the thread. */
function prepareDatabase(): void {
  if (!process.env["DATABASE_URL"] && !process.env["RETRAIN_DATABASE_URL"]) prepareThread();
}

/** Runs one command line and returns its exit code. Errors are printed here, in the form the caller asked for. */
export async function runProgram(words: readonly string[]): Promise<number> {
  const ran: Ran = { exitCode: 0 };
  const program = buildProgram(ran);
  throwInsteadOfExiting(program);
  try {
    await program.parseAsync(words, { from: "user" });
    return ran.exitCode;
  } catch (error) {
    const json = words.includes("--json");
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (json) await printUsage(error.message.replace(/^error: /, ""));
      return 2;
    }
    const { EXIT, printError } = await import("./output.ts");
    if (error instanceof Error && error.message === "interrupted") return EXIT.interrupted;
    return printError({ json }, error);
  }
}

async function printUsage(message: string): Promise<void> {
  const [{ printError }, { fail }] = await Promise.all([import("./output.ts"), import("../core/index.ts")]);
  printError({ json: true }, fail("USAGE", { message, remedy: "Add --help for the words of the command." }));
}

function throwInsteadOfExiting(command: Command): void {
  command.exitOverride();
  // Usage errors say "did you mean" by themselves; they belong on stderr whatever the command prints.
  for (const child of command.commands) throwInsteadOfExiting(child);
}
