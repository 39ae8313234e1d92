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
    const note = answer.runId === null && !options.json ? await standing(client, model, version) : "";
    printData(options, answer, () => `${said}${note}`);
    return EXIT.ok;
  }
  const { run, points, exitCode } = await followRun(client, answer.runId, options);
  printData(options, { ...answer, run }, () => `${said}\n${runText(run, points)}`);
  return exitCode;
}

/** Why nothing is judged again by this word. */
async function standing(client: ReturnType<typeof connect>, model: string, version: string): Promise<string> {
  const { gate, role } = await client.version(model, version);
  if (role === "champion" || gate.outcome === "promote") return " It has passed its gate already.";
  if (gate.outcome === "hold") return ` It is still held. ${gate.reason}`;
  return ` Its gate has refused it, which no approval changes: ${gate.reason} \`retrain promote ${model} ${version} --reason "…"\` puts it live all the same.`;
}
