/** Try a recommender: a user in, its slate out. Nothing is logged. */
import { Button, NumberInput, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import type { ModelDescription, PredictOneAnswer } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { number, whole, plural } from "../format.ts";
import { Command, Refused } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";

export function TryRecommend({
  model,
  description,
}: {
  readonly model: string;
  readonly description: ModelDescription;
}) {
  const column = description.features[0]?.name ?? "user";
  const [user, setUser] = useState("");
  const [k, setK] = useState<number | string>("");
  const [candidates, setCandidates] = useState("");
  const ask = useAction("POST /models/:model/predict", { model }, { log: "0" });
  const chosen = candidates
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  const row = {
    [column]: user,
    ...(typeof k === "number" ? { k } : {}),
    ...(chosen.length === 0 ? {} : { candidates: chosen }),
  };
  const answer = ask.data !== undefined && "recommend" in ask.data ? (ask.data as PredictOneAnswer) : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate(row);
  };
  return (
    <div className="predict">
      <form className="card" onSubmit={submit}>
        <h2>A user</h2>
        <div className="predict-fields">
          <TextInput label={column} size="sm" value={user} onChange={(event) => setUser(event.currentTarget.value)} />
          <NumberInput
            label="Items"
            size="sm"
            min={1}
            max={100}
            placeholder="as configured"
            value={k}
            onChange={setK}
          />
          <TextInput
            label="Only among"
            size="sm"
            placeholder="all items; or names, separated by commas"
            value={candidates}
            onChange={(event) => setCandidates(event.currentTarget.value)}
          />
        </div>
        <div className="actions predict-actions">
          <Button type="submit" loading={ask.isPending} disabled={user === ""}>
            Recommend
          </Button>
          <span className="dimmed small">From everything known of the user now. Not logged.</span>
        </div>
      </form>
      {ask.error === null ? null : <Refused error={ask.error} />}
      {answer === undefined ? null : <Slate answer={answer} />}
      <Section title="The same from a terminal">
        <Command text={`retrain predict ${model} '${JSON.stringify(row).replaceAll("'", "'\\''")}' --no-log`} />
      </Section>
    </div>
  );
}

function Slate({ answer }: { readonly answer: PredictOneAnswer }) {
  const { recommend } = answer;
  if (recommend === undefined) return null;
  const { user, items, by, seen, foldedIn } = recommend;
  const how =
    by === "taste"
      ? `solved from its own interactions; ${plural(seen, "item")} it took already ${seen === 1 ? "is" : "are"} left out`
      : "a stranger, who gets what is popular";
  const fresh = foldedIn === 0 ? "" : ` ${whole(foldedIn)} of the items came after the version was trained.`;
  return (
    <Section title="What the model offers" lead={`${answer.version} of ${answer.model} for ${user}: ${how}.${fresh}`}>
      {items.length === 0 ? (
        <p className="dimmed">Nothing is left to offer.</p>
      ) : (
        <DataTable label={`The slate of ${user}`} head={["Place", "Item", "Score"]} numeric={[0, 2]}>
          {items.map(({ item, score }, place) => (
            <tr key={item}>
              <td className="right">{place + 1}</td>
              <td>{item}</td>
              <td className="right">{number(score)}</td>
            </tr>
          ))}
        </DataTable>
      )}
    </Section>
  );
}
