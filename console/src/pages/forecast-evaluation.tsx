/** How a forecaster did from its rolling origins: what was tried, how errors grow with the steps, and a few series to look at. */
import { useCallback, useState } from "react";
import type { EvaluationReport } from "../../../src/server/contract.ts";
import { Chart } from "../chart/chart.tsx";
import { forecastOption } from "../chart/forecast-option.ts";
import type { Ink } from "../chart/ink.ts";
import { day, number, share, whole, plural } from "../format.ts";
import { DataTable, Section } from "../parts/layout.tsx";
import { Segments } from "../parts/segments.tsx";

type Forecast = NonNullable<EvaluationReport["forecast"]>;

export function ForecastSection({ forecast }: { readonly forecast: Forecast }) {
  const { method, tried, byStep, origins, level } = forecast;
  return (
    <>
      <Section
        title="Forecasts by step"
        lead={`Answered by ${method}, from ${plural(origins, "rolling origin")} of the held-out periods. Intervals should hold ${share(level)} of the values.`}
      >
        <DataTable
          label="Errors and intervals by step"
          head={["Step", "Values", "WAPE ↓", "In the interval"]}
          numeric={[1, 2, 3]}
        >
          {byStep.map(({ step, rows, wape, coverage }) => (
            <tr key={step}>
              <td>{step}</td>
              <td className="right">{whole(rows)}</td>
              <td className="right">{number(wape)}</td>
              <td className="right">{share(coverage)}</td>
            </tr>
          ))}
        </DataTable>
        <p className="dimmed small">
          On the validation periods: {tried.map((one) => `${one.method} ${number(one.wape)}`).join(", ")} (WAPE).
        </p>
      </Section>
      <Examples examples={forecast.examples} />
    </>
  );
}

function Examples({ examples }: { readonly examples: Forecast["examples"] }) {
  const [chosen, setChosen] = useState<string>();
  const shown = examples.find(({ series }) => series === chosen) ?? examples[0];
  const option = useCallback(
    (ink: Ink) => forecastOption(shown?.points ?? [], ink, { actual: "Value", baseline: "Last season" }),
    [shown],
  );
  if (shown === undefined) return null;
  const { points } = shown;
  return (
    <Section title="Held-out series">
      {examples.length < 2 ? null : (
        <Segments
          label="Series"
          options={examples.map(({ series }) => [series, series] as const)}
          value={shown.series}
          onChange={setChosen}
        />
      )}
      <Chart
        title={`Values and forecasts of ${shown.series}`}
        summary={`${plural(points.length, "held-out period")}, ${day(points[0]?.at ?? 0)} to ${day(points.at(-1)?.at ?? 0)}; the shaded range is the interval.`}
        table={{
          head: ["Period", "Value", "Forecast", "Low", "High", "Last season"],
          rows: points.map((one) => [day(one.at), one.actual, one.value, one.low, one.high, one.baseline]),
        }}
        option={option}
        height={320}
      />
    </Section>
  );
}
