/** Try a prediction: a row in, its way to a decision out. Nothing is logged, so trying does not count as use. */
import { Button, NativeSelect, Textarea, TextInput } from "@mantine/core";
import { useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { Json, ModelDescription, PredictOneAnswer } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { useApi } from "../api/queries.ts";
import { Await, Command, Empty, Refused } from "../parts/feedback.tsx";
import { Section } from "../parts/layout.tsx";
import { Segments } from "../parts/segments.tsx";
import { TryForecast } from "./forecast-predict.tsx";
import { PredictionTraceView } from "./prediction-trace.tsx";
import { TryRecommend } from "./recommend-predict.tsx";

export function PredictPage() {
  const { model } = useParams({ from: "/models/$model/predict" });
  const detail = useApi("GET /models/:model", { model });
  return (
    <Await of={detail} lines={6}>
      {({ description, summary }) =>
        summary.champion === null ? (
          <Empty sentence="No version is live yet, so there is nothing to ask." command={`retrain run ${model}`} />
        ) : description.task === "forecast" ? (
          <TryForecast model={model} description={description} />
        ) : description.task === "recommend" ? (
          <TryRecommend model={model} description={description} />
        ) : (
          <TryPrediction model={model} description={description} />
        )
      }
    </Await>
  );
}

type Row = Readonly<Record<string, Json>>;
type Feature = ModelDescription["features"][number];

function TryPrediction({ model, description }: { readonly model: string; readonly description: ModelDescription }) {
  const [isJson, setIsJson] = useState(false);
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>(() => initialTexts(description.features));
  const [json, setJson] = useState("");
  const [problem, setProblem] = useState<string>();
  const ask = useAction("POST /models/:model/predict", { model }, { trace: "1", log: "0" });
  const row = rowOf(description.features, texts);
  const answer = ask.data === undefined || "predictions" in ask.data ? undefined : (ask.data as PredictOneAnswer);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const asked = isJson ? parseRow(json) : row;
    setProblem(typeof asked === "string" ? asked : undefined);
    if (typeof asked !== "string") ask.mutate(asked);
  };
  const toggle = (next: boolean) => {
    if (next && !isJson) setJson(JSON.stringify(row, null, 2));
    setIsJson(next);
  };
  return (
    <div className="predict">
      <form className="card" onSubmit={submit}>
        <div className="section-heading">
          <h2>A row</h2>
          <Segments
            label="Way of writing the row"
            options={[
              ["form", "Form"],
              ["json", "JSON"],
            ]}
            value={isJson ? "json" : "form"}
            onChange={(way) => toggle(way === "json")}
          />
        </div>
        {isJson ? (
          <Textarea
            label="Row as a JSON object"
            value={json}
            onChange={(event) => setJson(event.currentTarget.value)}
            rows={Math.min(description.features.length + 3, 20)}
            error={problem}
            spellCheck={false}
            classNames={{ input: "mono" }}
          />
        ) : (
          <div className="predict-fields">
            {description.features.map((feature) => (
              <FeatureField
                key={feature.name}
                feature={feature}
                value={texts[feature.name] ?? ""}
                onChange={(value) => setTexts({ ...texts, [feature.name]: value })}
              />
            ))}
          </div>
        )}
        <div className="actions predict-actions">
          <Button type="submit" loading={ask.isPending}>
            Predict
          </Button>
          <span className="dimmed small">Empty means missing. Not logged.</span>
        </div>
      </form>
      {ask.error === null ? null : <Refused error={ask.error} />}
      {answer === undefined ? null : <PredictionTraceView answer={answer} />}
      <Section title="The same from a terminal">
        <Command text={`retrain predict ${model} ${quoted(JSON.stringify(row))} --trace --no-log`} />
      </Section>
    </div>
  );
}

/** For a POSIX shell. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function FeatureField(props: {
  readonly feature: Feature;
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  const { feature, value, onChange } = props;
  const choices = choicesOf(feature);
  if (choices !== undefined) {
    return (
      <NativeSelect
        label={feature.name}
        size="sm"
        value={value}
        data={[{ value: "", label: "(missing)" }, ...choices]}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  }
  const isNumber = feature.spec["kind"] === "number";
  return (
    <TextInput
      label={feature.name}
      size="sm"
      value={value}
      inputMode={isNumber ? "decimal" : "text"}
      placeholder={isNumber ? "number" : "text"}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

function choicesOf({ spec }: Feature): { value: string; label: string }[] | undefined {
  if (spec["kind"] === "boolean") return ["false", "true"].map((value) => ({ value, label: value }));
  const categories = spec["categories"];
  if (!Array.isArray(categories)) return undefined;
  return categories.map((value) => ({ value: String(value), label: String(value) }));
}

/** Something to press the button on: the middle of a number's range, the first category. */
function initialTexts(features: readonly Feature[]): Record<string, string> {
  return Object.fromEntries(
    features.map((feature) => {
      const { min, max, kind } = feature.spec;
      if (kind === "number") {
        return [feature.name, typeof min === "number" && typeof max === "number" ? String((min + max) / 2) : ""];
      }
      return [feature.name, choicesOf(feature)?.[0]?.value ?? ""];
    }),
  );
}

function rowOf(features: readonly Feature[], texts: Readonly<Record<string, string>>): Row {
  return Object.fromEntries(
    features.map(({ name, spec }): [string, Json] => {
      const text = (texts[name] ?? "").trim();
      if (text === "") return [name, null];
      // A text that is no number goes out as it is: the server says what is wrong with it.
      if (spec["kind"] === "number") return [name, Number.isFinite(Number(text)) ? Number(text) : text];
      return [name, spec["kind"] === "boolean" ? text === "true" : text];
    }),
  );
}

/** The row, or what is wrong with the text. */
function parseRow(text: string): Row | string {
  try {
    const value = JSON.parse(text) as Json;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Row;
    return 'A row is one object: { "column": value, … }';
  } catch (error) {
    return error instanceof Error ? error.message : "This is not JSON.";
  }
}
