/** Try a forecast: a series in, its coming periods out, with their intervals. Nothing is logged. */
import { Button, NumberInput, TextInput } from "@mantine/core";
import { type FormEvent, useCallback, useState } from "react";
import type { ModelDescription, PredictManyAnswer } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { Chart } from "../chart/chart.tsx";
import { forecastOption } from "../chart/forecast-option.ts";
import type { Ink } from "../chart/ink.ts";
import { day, number, share } from "../format.ts";
import { Command, Refused } from "../parts/feedback.tsx";
import { Section } from "../parts/layout.tsx";

export function TryForecast({
  model,
  description,
}: {
  readonly model: string;
  readonly description: ModelDescription;
}) {
  const column = description.features[0]?.name ?? "series";
  const [series, setSeries] = useState("");
  const [steps, setSteps] = useState<number | string>("");
  const ask = useAction("POST /models/:model/predict", { model }, { log: "0" });
  const row = { [column]: series, ...(typeof steps === "number" ? { steps } : {}) };
  const answer = ask.data !== undefined && "predictions" in ask.data ? (ask.data as PredictManyAnswer) : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate(row);
  };
  return (
    <div className="predict">
      <form className="card" onSubmit={submit}>
        <h2>A series</h2>
        <div className="predict-fields">
          <TextInput
            label={column}
            size="sm"
            value={series}
            onChange={(event) => setSeries(event.currentTarget.value)}
          />
          <NumberInput label="Periods ahead" size="sm" min={1} placeholder="all" value={steps} onChange={setSteps} />
        </div>
        <div className="actions predict-actions">
          <Button type="submit" loading={ask.isPending} disabled={series === ""}>
            Forecast
          </Button>
          <span className="dimmed small">From its newest known value. Not logged.</span>
        </div>
      </form>
      {ask.error === null ? null : <Refused error={ask.error} />}
      {answer === undefined ? null : <ForecastAnswer answer={answer} />}
      <Section title="The same from a terminal">
        <Command text={`retrain predict ${model} '${JSON.stringify(row).replaceAll("'", "'\\''")}' --no-log`} />
      </Section>
    </div>
  );
}

function ForecastAnswer({ answer }: { readonly answer: PredictManyAnswer }) {
  const found = answer.predictions.flatMap(({ forecast, score }) =>
    forecast === undefined ? [] : [{ ...forecast, value: score ?? Number.NaN }],
  );
  const option = useCallback((ink: Ink) => forecastOption(found, ink), [answer]);
  const [first] = found;
  if (first === undefined) return null;
  return (
    <Section title="What the model says" lead={`${answer.version} of ${answer.model}`}>
      <Chart
        title={`The coming periods of ${first.series}`}
        summary={`From ${day(first.originAt)}; the next is ${number(first.value)}, ${number(first.low)} to ${number(first.high)} with ${share(first.level)}.`}
        table={{
          head: ["Period", "Step", "Forecast", "Low", "High"],
          rows: found.map(({ at, step, value, low, high }) => [day(at), step, value, low, high]),
        }}
        option={option}
        height={320}
      />
    </Section>
  );
}
