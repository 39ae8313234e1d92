/** The ways of training that a run with the strategy `best` tried: what each cost, what it reached, and how it got there. */
import { useCallback } from "react";
import type { CandidateChoice, RunRecord, TriedCandidate } from "../../../src/server/contract.ts";
import { Chart } from "../chart/chart.tsx";
import type { Ink } from "../chart/ink.ts";
import { axisLook, type ChartOption, legendLook } from "../chart/option.ts";
import { duration, number, whole, words } from "../format.ts";
import { metricLabel } from "../metrics.ts";
import { DataTable, Section } from "../parts/layout.tsx";

export function CandidatesSection({ run }: { readonly run: RunRecord }) {
  const details = run.steps.find(({ step }) => step === "train")?.details;
  const choice = details?.["choice"] as unknown as CandidateChoice | undefined;
  if (choice === undefined) return null;
  const label = metricLabel(choice.metric);
  return (
    <Section title="Ways of training">
      <p>
        Chosen by {label.toLowerCase()} on {whole(choice.rows)} validation rows. The gate judges the chosen one on
        held-out rows, which chose nothing. {choice.note ?? ""}
      </p>
      <DataTable label="Ways of training" head={["Way", "State", label, "Rows", "Epochs", "Took", "Why"]}>
        {choice.candidates.map((one) => (
          <tr key={one.name}>
            <th scope="row">{one.name}</th>
            <td>{words(one.state)}</td>
            <td>{number(one.value)}</td>
            <td>{one.trainRows === undefined ? "–" : whole(one.trainRows)}</td>
            <td>{one.epochs === undefined ? "–" : whole(one.epochs)}</td>
            <td>{duration(one.durationMs)}</td>
            <td>{one.reason ?? ""}</td>
          </tr>
        ))}
      </DataTable>
      <CandidateCurves candidates={choice.candidates.filter(({ trace }) => (trace?.length ?? 0) > 1)} />
    </Section>
  );
}

function CandidateCurves({ candidates }: { readonly candidates: readonly TriedCandidate[] }) {
  const option = useCallback((ink: Ink) => curvesOption(candidates, ink), [candidates]);
  if (candidates.length === 0) return null;
  return (
    <Chart
      title="Validation loss of every way, per epoch"
      summary={candidates.map(({ name, trace }) => `${name} ends at ${number(trace?.at(-1)?.[2])}`).join("; ")}
      table={{
        head: ["Way", "Epoch", "Train loss", "Validation loss"],
        rows: candidates.flatMap(({ name, trace }) =>
          (trace ?? []).map(([epoch, train, validation]) => [name, epoch, train, validation]),
        ),
      }}
      option={option}
      height={260}
    />
  );
}

function curvesOption(candidates: readonly TriedCandidate[], ink: Ink): ChartOption {
  const axis = axisLook(ink);
  return {
    animation: false,
    legend: { ...legendLook(ink), top: 0, left: 0 },
    grid: { left: 8, right: 20, top: 52, bottom: 26, containLabel: true },
    xAxis: {
      type: "value",
      name: "Epoch",
      nameLocation: "middle",
      nameGap: 26,
      min: "dataMin",
      max: "dataMax",
      ...axis,
    },
    yAxis: { type: "value", scale: true, name: "Validation loss", ...axis },
    tooltip: { trigger: "axis", axisPointer: { lineStyle: { color: ink.dim } } },
    series: candidates.map(({ name, trace, state }, i) => ({
      name,
      type: "line",
      showSymbol: false,
      color: ink.series[i % ink.series.length],
      lineStyle: { width: state === "chosen" ? 3 : 1.5, type: state === "chosen" ? "solid" : [5, 4] },
      data: (trace ?? []).map(([epoch, , validation]) => [epoch, validation]),
    })),
  };
}
