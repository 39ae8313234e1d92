/** Why did it (not) retrain? The whole policy judged on what is known now: every trigger with its values, every guard. */
import { Link } from "@tanstack/react-router";
import type { TriggerExplanation, TriggerJudgement } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { duration, instant } from "../format.ts";
import { Await } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";

export function WhySection({ model }: { readonly model: string }) {
  const found = useApi("GET /models/:model/triggers", { model }, { refetchMs: 30_000 });
  return (
    <Await of={found} lines={6}>
      {(why) => (
        <Section title="Why did it (not) retrain?" lead={<Lead why={why} />}>
          <TriggerTable why={why} />
          <GuardTable why={why} />
        </Section>
      )}
    </Await>
  );
}

function Lead({ why }: { readonly why: TriggerExplanation }) {
  const { lastRun } = why;
  return (
    <>
      {why.answer}{" "}
      {lastRun === null ? (
        "It has never been retrained."
      ) : (
        <>
          It last retrained on {instant(lastRun.queuedAt)} UTC, for this reason: {lastRun.reason}{" "}
          <Link className="link" to="/runs/$id" params={{ id: lastRun.id }}>
            Open the run
          </Link>
        </>
      )}
      {why.nextAt === null ? null : <> Time alone changes something next at {instant(why.nextAt)} UTC.</>}
    </>
  );
}

interface Placed {
  readonly node: TriggerJudgement;
  readonly depth: number;
  /** Where it stands in the expression. */
  readonly key: string;
}

function flatten(node: TriggerJudgement, depth: number, key: string): readonly Placed[] {
  return [{ node, depth, key }, ...node.of.flatMap((one, i) => flatten(one, depth + 1, `${key}.${i}`))];
}

/** Triggers whose limit is a span of time. */
const TIMED: ReadonlySet<TriggerJudgement["kind"]> = new Set(["interval", "staleness", "debounce"]);
const INSTANTS = /At$|^(at|until|due|next|since|trainedThrough)$/;

function shown(key: string, value: unknown): string | undefined {
  if (typeof value === "number" && key.endsWith("Ms")) return duration(value);
  if (typeof value === "number")
    return INSTANTS.test(key) ? instant(value) : Number(value.toPrecision(4)).toLocaleString("en-US");
  if (typeof value === "string" || typeof value === "boolean") return String(value);
  return Array.isArray(value) && value.length > 0 && value.length < 6 ? value.map(String).join(", ") : undefined;
}

const limitText = ({ kind }: TriggerJudgement, limit: number) =>
  TIMED.has(kind) ? duration(limit) : Number(limit.toPrecision(4)).toLocaleString("en-US");

function Values({ node }: { readonly node: TriggerJudgement }) {
  if (node.of.length > 0 && node.kind !== "debounce") return null;
  const pairs = Object.entries(node.inputs).flatMap(([key, value]) => {
    const text = key === "limitFrom" ? undefined : shown(key, value);
    return text === undefined ? [] : [[key.replace(/Ms$/, ""), text] as const];
  });
  const { limitFrom } = node.inputs;
  const from = typeof limitFrom === "string" ? ` (from ${limitFrom})` : "";
  if (node.threshold !== undefined) pairs.push(["limit", `${limitText(node, node.threshold)}${from}`]);
  return (
    <dl className="values">
      {pairs.map(([key, text]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function TriggerTable({ why }: { readonly why: TriggerExplanation }) {
  const rows = [...(why.first === null ? [] : flatten(why.first, 0, "first")), ...flatten(why.triggers, 0, "policy")];
  return (
    <DataTable label="Every trigger as it stands" head={["Trigger", "Says", "Reason", "Values", "Rule"]}>
      {rows.map(({ node, depth, key }) => (
        <tr key={key}>
          <td className="strong nowrap" style={{ paddingInlineStart: `${0.75 + depth * 1.25}rem` }}>
            {node.subject}
          </td>
          <td>
            <State of="outcome" value={node.outcome} />
          </td>
          <td className="text">{node.reason}</td>
          <td>
            <Values node={node} />
          </td>
          <td className="text">{node.rule}</td>
        </tr>
      ))}
    </DataTable>
  );
}

function GuardTable({ why }: { readonly why: TriggerExplanation }) {
  return (
    <DataTable label="Every guard as it stands" head={["Guard", "Lets a run through", "Reason"]}>
      {why.guards.map((one) => (
        <tr key={one.guard}>
          <td className="strong">{one.guard}</td>
          <td>
            <State of="outcome" value={one.refuses ? "no" : "yes"} />
          </td>
          <td className="text">{one.reason}</td>
        </tr>
      ))}
    </DataTable>
  );
}
