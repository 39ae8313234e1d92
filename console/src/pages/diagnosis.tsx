/** What moved, what it costs, where it hurts most, since when; and realised performance by slice. */
import { useParams } from "@tanstack/react-router";
import type { Diagnosis, SlicePerformance } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { instant, number, share, whole, plural } from "../format.ts";
import { metricLabel } from "../metrics.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";

export function DiagnosisPage() {
  const { model } = useParams({ from: "/models/$model/diagnosis" });
  const found = useApi("GET /models/:model/diagnosis", { model });
  const slices = useApi("GET /models/:model/slices", { model });
  return (
    <>
      <Await of={found} lines={6}>
        {(diagnosis) => (
          <>
            <Words diagnosis={diagnosis} />
            <Features diagnosis={diagnosis} />
            <Rows diagnosis={diagnosis} />
          </>
        )}
      </Await>
      <Await of={slices} lines={4}>
        {(performance) => <Slices performance={performance} model={model} />}
      </Await>
    </>
  );
}

function Words({ diagnosis }: { readonly diagnosis: Diagnosis }) {
  return (
    <Section
      title="What is going on"
      lead={`As of ${instant(diagnosis.at)} UTC, over the newest ${plural(diagnosis.sampledRows, "prediction")}.`}
    >
      <ul className="sentences">
        {diagnosis.sentences.map((one) => (
          <li key={one}>{one}</li>
        ))}
      </ul>
    </Section>
  );
}

function Features({ diagnosis }: { readonly diagnosis: Diagnosis }) {
  if (diagnosis.features.length === 0) return null;
  return (
    <Section
      title="What moved"
      lead="Each feature against the version's holdout. The effect is what the move alone should change of the mean loss."
    >
      <DataTable
        label="Features by the effect of their move"
        head={["Feature", "Moved", "Distance", "Importance", `Effect on ${metricLabel(diagnosis.metric)}`, "Most"]}
        numeric={[2, 3, 4]}
      >
        {diagnosis.features.slice(0, 30).map((one) => (
          <tr key={one.feature}>
            <td className="strong">{one.feature}</td>
            <td>{one.moved ? "moved" : <span className="dimmed">within noise</span>}</td>
            <td className="number">{number(one.distance)}</td>
            <td className="number">{share(one.importance)}</td>
            <td className="number">{`${one.effect > 0 ? "+" : ""}${number(one.effect)}`}</td>
            <td className="text">
              {one.cells
                .slice(0, 2)
                .map((cell) => `${cell.cell}: ${share(cell.before)} → ${share(cell.now)}`)
                .join("; ")}
            </td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

function Rows({ diagnosis }: { readonly diagnosis: Diagnosis }) {
  if (diagnosis.rows.length === 0) return null;
  return (
    <Section title="Rows to look at" lead="The labelled ones among them with the largest losses.">
      <DataTable
        label="Predictions with the largest losses"
        head={["Example", "At (UTC)", "Answer", "Label", "Loss", "Features"]}
        numeric={[4]}
      >
        {diagnosis.rows.map((row) => (
          <tr key={`${row.exampleId} ${row.at}`}>
            <td className="strong">{row.exampleId}</td>
            <td className="nowrap">{instant(row.at)}</td>
            <td>{String(row.decision)}</td>
            <td>{String(row.label)}</td>
            <td className="number">{number(row.loss)}</td>
            <td className="text">
              {Object.entries(row.features)
                .slice(0, 8)
                .map(([name, value]) => `${name} ${value === null ? "missing" : String(value)}`)
                .join(", ")}
            </td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

function Slices({ performance, model }: { readonly performance: SlicePerformance; readonly model: string }) {
  const { rows, metric, version } = performance;
  return (
    <Section
      title="By slice"
      lead={`Realised ${metricLabel(metric)} of ${version ?? "no version"}, examples whose labels are due.`}
    >
      {rows.length === 0 ? (
        <Empty
          sentence="Nothing whose label is due has been predicted yet."
          command={`retrain performance ${model} --slices`}
        />
      ) : (
        <DataTable
          label="Realised performance by slice"
          head={["Slice", metricLabel(metric), "90 % interval", "On its holdout", "Predictions", "Labelled"]}
          numeric={[1, 2, 3, 4, 5]}
        >
          {rows.map((row) => (
            <tr key={row.slice}>
              <td className="strong">{row.slice}</td>
              <td className="number">{row.value === null ? "–" : number(row.value)}</td>
              <td className="number">
                {row.interval === null ? "–" : `${number(row.interval[0])} to ${number(row.interval[1])}`}
              </td>
              <td className="number">{row.holdout === null ? "–" : number(row.holdout)}</td>
              <td className="number">{whole(row.predictions)}</td>
              <td className="number">{row.predictions === 0 ? "–" : share(row.labelled / row.predictions)}</td>
            </tr>
          ))}
        </DataTable>
      )}
    </Section>
  );
}
