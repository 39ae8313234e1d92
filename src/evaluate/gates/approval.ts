/** A person's word. Until enough people of the role have approved, the gate cannot tell, and the candidate is held. */
import {
  type ApprovalRecord,
  choiceField,
  durationField,
  formatDuration,
  type GateCheck,
  numberField,
  type Role,
  ROLES,
  withDefault,
} from "../../core/index.ts";
import type { GateSpec } from "../spec.ts";
import { type GateContext, type GateKind, sampleContext } from "./gate.ts";

type Approval = Extract<GateSpec, { kind: "approval" }>;
const fields = {
  role: withDefault(
    choiceField("Whose word counts: this role or a higher one.", ["labeler", "operator", "admin"]),
    "operator",
  ),
  people: withDefault(numberField("How many different people.", { min: 1, max: 20, integer: true }), 1),
  validFor: withDefault(durationField("How long an approval holds.", { min: "1m" }), "7d"),
};

/** The newest word of each person that counts and has not expired. */
export function standing(spec: Approval, approvals: readonly ApprovalRecord[], now: number): readonly ApprovalRecord[] {
  const byPerson = new Map<string, ApprovalRecord>();
  for (const one of approvals) if (hasRank(one.role, spec.role)) byPerson.set(one.person, one);
  return [...byPerson.values()].filter((one) => one.at + spec.validMs > now);
}
const hasRank = (role: Role, needed: Role) => ROLES.indexOf(role) >= ROLES.indexOf(needed);

function judge(spec: Approval, { approvals, now }: GateContext): GateCheck {
  const gate = `approval(${spec.role})`;
  const words = standing(spec, approvals, now);
  const refusals = words.filter((one) => one.verdict === "refuse");
  const base = { gate, rows: 0, threshold: spec.people, value: words.length - refusals.length };
  const said = (list: readonly ApprovalRecord[]) =>
    list.map(({ person, role, reason }) => `${person} (${role}): "${reason}"`).join(", ");
  if (refusals.length > 0) return { ...base, outcome: "no", reason: `Refused by ${said(refusals)}.` };
  if (words.length >= spec.people) return { ...base, outcome: "yes", reason: `Approved by ${said(words)}.` };
  const missing = spec.people - words.length;
  const expired =
    approvals.length > 0 && words.length === 0 ? " Earlier words have expired or come from a lower role." : "";
  return {
    ...base,
    outcome: "cannot-tell",
    reason: `It waits for ${missing} ${missing === 1 ? "person" : "people"} of role ${spec.role} to approve.${expired}`,
  };
}

const spec: Approval = { kind: "approval", role: "operator", people: 1, validMs: 604_800_000 };
const word = (verdict: ApprovalRecord["verdict"]): ApprovalRecord => ({
  id: "a",
  model: "m",
  version: "v2",
  verdict,
  person: "ada",
  role: "operator",
  reason: "Looked at it.",
  at: 999_000,
});
export const approval: GateKind<Approval, typeof fields> = {
  kind: "approval",
  description: "People of a role approve the version; without them it is held.",
  fields: () => fields,
  resolve: ({ role, people, validFor }) => ({ kind: "approval", role, people, validMs: validFor }),
  subject: ({ role, people }) => `approval(${role}${people === 1 ? "" : `, ${people} people`})`,
  rule: ({ role, people, validMs }) =>
    `${people === 1 ? "A person" : `${people} people`} of role ${role} approved it within ${formatDuration(validMs)}.`,
  metrics: () => [],
  judge,
  samples: [
    {
      spec,
      passes: sampleContext({}, { approvals: [word("approve")] }),
      refuses: sampleContext({}, { approvals: [word("refuse")] }),
    },
  ],
};
