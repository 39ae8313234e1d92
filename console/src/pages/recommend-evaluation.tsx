/** How slates did: by how much is known of a user, how much of the catalog is offered, and a few users to look at. */
import { useState } from "react";
import type { EvaluationReport } from "../../../src/server/contract.ts";
import { number, share, whole, plural } from "../format.ts";
import { DataTable, Section } from "../parts/layout.tsx";
import { Segments } from "../parts/segments.tsx";

type Recommend = NonNullable<EvaluationReport["recommend"]>;

export function RecommendSection({ recommend }: { readonly recommend: Recommend }) {
  const { method, k, users, coldUsers, catalog, interactions, repeated, coverage, byHistory } = recommend;
  return (
    <>
      <Section
        title="Slates by what is known of a user"
        lead={`Answered by ${method}: slates of ${k} out of ${plural(catalog, "item")} for ${plural(users, "user")} (${plural(coldUsers, "stranger")}), judged by ${plural(interactions, "later interaction")}; ${whole(repeated)} repeated or rejecting ones judge nothing.`}
      >
        <DataTable
          label="NDCG and hit rate by number of earlier interactions"
          head={["Earlier interactions", "Users", "NDCG ↑", "NDCG of popularity", "Hit rate ↑"]}
          numeric={[1, 2, 3, 4]}
        >
          {byHistory.map(({ history, users: count, ndcg, baseline, hitRate }) => (
            <tr key={history}>
              <td>{history}</td>
              <td className="right">{whole(count)}</td>
              <td className="right">{number(ndcg)}</td>
              <td className="right">{number(baseline)}</td>
              <td className="right">{share(hitRate)}</td>
            </tr>
          ))}
        </DataTable>
        <p className="dimmed small">
          Of the catalog {share(coverage.candidate)} is offered to somebody
          {coverage.champion === undefined ? "" : `, ${share(coverage.champion)} by the champion`}, and{" "}
          {share(coverage.baseline)} by popularity.
        </p>
      </Section>
      <Examples examples={recommend.examples} />
    </>
  );
}

function Examples({ examples }: { readonly examples: Recommend["examples"] }) {
  const [chosen, setChosen] = useState<string>();
  const shown = examples.find(({ user }) => user === chosen) ?? examples[0];
  if (shown === undefined) return null;
  return (
    <Section title="Held-out users" lead={`${shown.user} took ${shown.history.join(", ")} before.`}>
      {examples.length < 2 ? null : (
        <Segments
          label="User"
          options={examples.map(({ user }) => [user, user] as const)}
          value={shown.user}
          onChange={setChosen}
        />
      )}
      <DataTable label={`The slate of ${shown.user}`} head={["Place", "Item", "Score", "Taken later"]} numeric={[0, 2]}>
        {shown.slate.map(({ item, score, hit }, place) => (
          <tr key={item}>
            <td className="right">{place + 1}</td>
            <td>{item}</td>
            <td className="right">{number(score)}</td>
            <td>{hit ? "yes" : ""}</td>
          </tr>
        ))}
      </DataTable>
      <p className="dimmed small">Taken afterwards: {shown.taken.join(", ")}.</p>
    </Section>
  );
}
