/** Rows compared as wholes, when somebody asks: the server trains small models for it. */
import { Button } from "@mantine/core";
import { useState } from "react";
import type { MultivariateDrift, MultivariateView } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { number, plural, share } from "../format.ts";
import { Await } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";

const LEAD =
  "Features can look as before one by one and yet no longer go together. A classifier tries to tell current rows from the rows the champion learned from, and principal components say whether rows still lie where those did.";
const SHOWN_FEATURES = 5;

export function Multivariate({ model, to }: { readonly model: string; readonly to: number | undefined }) {
  const [asked, setAsked] = useState(false);
  const query = to === undefined ? {} : { to };
  const found = useApi("GET /models/:model/drift/multivariate", { model }, { query, enabled: asked });
  return (
    <Section
      title="Rows as wholes"
      lead={LEAD}
      actions={
        <Button
          size="sm"
          variant="default"
          loading={found.isFetching}
          onClick={() => (asked ? void found.refetch() : setAsked(true))}
        >
          {found.data === undefined ? "Compare rows" : "Compare again"}
        </Button>
      }
    >
      {asked ? (
        <Await of={found} lines={3}>
          {(view) => <Answer view={view} />}
        </Await>
      ) : null}
    </Section>
  );
}

function Answer({ view }: { readonly view: MultivariateView }) {
  if (view.result !== null) return <Result result={view.result} />;
  return (
    <p>
      {view.state === "no-champion"
        ? "There is no version yet, so there is nothing to compare with."
        : `${view.version ?? "This version"} was made before rows were kept with a version; the next one can be compared.`}
    </p>
  );
}

function Result({ result }: { readonly result: MultivariateDrift }) {
  const { classifier, reconstruction } = result;
  const features = classifier.features.slice(0, SHOWN_FEATURES);
  const rows = [
    [
      "Domain classifier (AUC)",
      classifier.verdict,
      classifier.auc,
      classifier.interval,
      classifier.threshold,
      classifier.reason,
    ],
    [
      "Reconstruction error (sd)",
      reconstruction.verdict,
      reconstruction.value,
      reconstruction.interval,
      reconstruction.threshold,
      reconstruction.reason,
    ],
  ] as const;
  return (
    <>
      <p>
        {plural(result.currentRows, "current row")} against {plural(result.referenceRows, "row")} the champion learned
        from.
      </p>
      <DataTable
        label="Whole rows"
        head={["How", "Verdict", "Value", "95 %", "Threshold", "In words"]}
        numeric={[2, 3, 4]}
      >
        {rows.map(([how, verdict, value, interval, threshold, reason]) => (
          <tr key={how}>
            <td className="nowrap">{how}</td>
            <td className="nowrap">
              <State of="drift" value={verdict} />
            </td>
            <td className="right">{number(value)}</td>
            <td className="right nowrap">
              {interval === null ? "–" : `${number(interval[0])} … ${number(interval[1])}`}
            </td>
            <td className="right">{number(threshold)}</td>
            <td className="text">{reason}</td>
          </tr>
        ))}
      </DataTable>
      {features.length === 0 ? null : (
        <DataTable label="Told apart by" head={["Told apart by", "Share", "AUC lost without it"]} numeric={[1, 2]}>
          {features.map((one) => (
            <tr key={one.feature}>
              <td>{one.feature}</td>
              <td className="right">{share(one.share)}</td>
              <td className="right">{number(one.aucLost)}</td>
            </tr>
          ))}
        </DataTable>
      )}
    </>
  );
}
