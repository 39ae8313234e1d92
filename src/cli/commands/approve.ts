/** `retrain approve`: a person's word about a version, and what its gate makes of it. */
import { EXIT, printData } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";
import { followRun } from "./run.ts";
import { runText } from "./runs.ts";

export interface ApproveOptions extends RemoteOptions {
  readonly reason: string;
  readonly refuse?: boolean;
  /** False by --no-wait. */
  readonly wait: boolean;
}

export async function approve(model: string, version: string, options: ApproveOptions): Promise<number> {
  const client = connect(options);
  const verdict = options.refuse === true ? "refuse" : "approve";
  const answer = await client.approve(model, version, { verdict, reason: options.reason });
  const said = `${answer.approval.person} (${answer.approval.role}) ${verdict === "approve" ? "approved" : "refused"} ${version}.`;
  if (!options.wait || answer.runId === null) {
    printData(options, answer, () => said);
    return EXIT.ok;
  }
  const { run, points, exitCode } = await followRun(client, answer.runId, options);
  printData(options, { ...answer, run }, () => `${said}\n${runText(run, points)}`);
  return exitCode;
}
