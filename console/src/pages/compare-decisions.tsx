/** What both versions decide: their confusion matrices, at their own thresholds or at any other, and what the errors cost. */
import { NumberInput } from "@mantine/core";
import { useState } from "react";
import type { CompareAnswer, EvaluationReport } from "../../../src/server/contract.ts";
import { number, share, whole } from "../format.ts";
import { DataTable, Section } from "../parts/layout.tsx";

type Curves = NonNullable<EvaluationReport["decisions"]>;

export function DecisionsSection({ answer }: { readonly answer: CompareAnswer }) {
  const { confusion, decisions } = answer.report;
  if (decisions?.champion !== undefined) return <ThresholdSection answer={answer} curves={decisions} />;
  if (confusion?.champion === undefined) return null;
  return (
    <Section title="Decisions" lead="Rows by what was true and what was decided.">
      <div className="pair">
        <Confusion name={answer.a} classes={confusion.classes} cells={confusion.champion} />
        <Confusion name={answer.b} classes={confusion.classes} cells={confusion.candidate} />
      </div>
    </Section>
  );
}

/** Truth false first, then true; decided false first, then true. */
function cellsAt(curves: Curves, which: "candidate" | "champion", step: number): readonly (readonly number[])[] {
  const counts = curves[which];
  const truePositives = counts?.truePositives[step] ?? 0;
  const falsePositives = counts?.falsePositives[step] ?? 0;
  return [
    [curves.negatives - falsePositives, falsePositives],
    [curves.positives - truePositives, truePositives],
  ];
}

interface Costs {
  readonly falsePositive: number;
  readonly falseNegative: number;
}

const costAt = (cells: readonly (readonly number[])[], { falsePositive, falseNegative }: Costs) =>
  (cells[0]?.[1] ?? 0) * falsePositive + (cells[1]?.[0] ?? 0) * falseNegative;

function cheapest(curves: Curves, which: "candidate" | "champion", costs: Costs): number {
  const steps = curves.candidate.truePositives.map((_, step) => costAt(cellsAt(curves, which, step), costs));
  return steps.indexOf(Math.min(...steps));
}

function ThresholdSection({ answer, curves }: { readonly answer: CompareAnswer; readonly curves: Curves }) {
  const { a, b, thresholds, report } = answer;
  const last = curves.candidate.truePositives.length - 1;
  const [chosen, setChosen] = useState<number>();
  const [costs, setCosts] = useState<Costs>({ falsePositive: 1, falseNegative: 1 });
  const step = (own: number | null) => chosen ?? Math.round((own ?? 0.5) * last);
  const classes = report.confusion?.classes ?? ["false", "true"];
  const versions = [
    { name: a, which: "champion", own: thresholds.a, exact: report.confusion?.champion },
    { name: b, which: "candidate", own: thresholds.b, exact: report.confusion?.candidate },
  ] as const;
  const shown = versions.map(({ name, which, own, exact }) => {
    // At its own threshold the matrix is exact; anywhere else it is read from the steps.
    const cells = chosen === undefined && exact !== undefined ? exact : cellsAt(curves, which, step(own));
    return { name, own, cells, best: cheapest(curves, which, costs) / last };
  });
  const setCost = (change: Partial<Record<keyof Costs, string | number>>) => {
    const entries = Object.entries(change).map(([key, value]) => [key, Math.max(0, Number(value) || 0)]);
    setCosts((old) => ({ ...old, ...(Object.fromEntries(entries) as Partial<Costs>) }));
  };
  return (
    <Section
      title="Decisions"
      lead={
        chosen === undefined
          ? `Rows by what was true and what was decided, each version at its own threshold: ${a} from ${number(thresholds.a)}, ${b} from ${number(thresholds.b)}.`
          : `Rows by what was true and what was decided, both from ${number(chosen / last)} on.`
      }
    >
      <div className="filters">
        <label className="threshold">
          <span className="filter-label">
            Threshold: {chosen === undefined ? "each its own" : number(chosen / last)}
          </span>
          <input
            type="range"
            min={0}
            max={last}
            value={step(thresholds.b)}
            aria-valuetext={chosen === undefined ? "each its own" : number(chosen / last)}
            onChange={(event) => setChosen(Number(event.currentTarget.value))}
          />
        </label>
        <button
          type="button"
          className="plain-button"
          disabled={chosen === undefined}
          onClick={() => setChosen(undefined)}
        >
          Each its own
        </button>
        <NumberInput
          label="A false alarm costs"
          size="sm"
          w={180}
          hideControls
          min={0}
          value={costs.falsePositive}
          onChange={(value) => setCost({ falsePositive: value })}
        />
        <NumberInput
          label="A miss costs"
          size="sm"
          w={180}
          hideControls
          min={0}
          value={costs.falseNegative}
          onChange={(value) => setCost({ falseNegative: value })}
        />
      </div>
      <DataTable
        label="Rates and costs at the threshold"
        head={["Version", "Precision", "Recall", "False alarms", "Misses", "Cost", "Cheapest threshold"]}
        numeric={[1, 2, 3, 4, 5, 6]}
      >
        {shown.map(({ name, cells, best }) => {
          const [falseAlarms, hits, misses] = [cells[0]?.[1] ?? 0, cells[1]?.[1] ?? 0, cells[1]?.[0] ?? 0];
          return (
            <tr key={name}>
              <td className="strong">{name}</td>
              <td className="right">{hits + falseAlarms === 0 ? "–" : share(hits / (hits + falseAlarms))}</td>
              <td className="right">{hits + misses === 0 ? "–" : share(hits / (hits + misses))}</td>
              <td className="right">{whole(falseAlarms)}</td>
              <td className="right">{whole(misses)}</td>
              <td className="right strong">{number(costAt(cells, costs))}</td>
              <td className="right">{number(best)}</td>
            </tr>
          );
        })}
      </DataTable>
      <div className="pair">
        {shown.map(({ name, cells }) => (
          <Confusion key={name} name={name} classes={classes} cells={cells} />
        ))}
      </div>
    </Section>
  );
}

function Confusion(props: {
  readonly name: string;
  readonly classes: readonly string[];
  readonly cells: readonly (readonly number[])[];
}) {
  const { name, classes, cells } = props;
  return (
    <DataTable
      label={`Decisions of ${name}`}
      head={[`${name}: true class`, ...classes.map((one) => `decided ${one}`)]}
      numeric={classes.map((_, i) => i + 1)}
    >
      {classes.map((truth, row) => {
        const own = cells[row] ?? [];
        const total = own.reduce((sum, one) => sum + one, 0);
        return (
          <tr key={truth}>
            <td className="strong">{truth}</td>
            {own.map((count, column) => (
              <td key={classes[column]} className={row === column ? "right strong" : "right"}>
                {whole(count)}
                <div className="dimmed small">{total === 0 ? "–" : share(count / total)}</div>
              </td>
            ))}
          </tr>
        );
      })}
    </DataTable>
  );
}
