/** The team's side of labeling: progress, agreement, who is how reliable, what people disagree on, what the labels brought. */
import { Button, TextInput } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { type FormEvent, useCallback, useState } from "react";
import type {
  LabelHistory,
  LabelingStats,
  LabelingTask,
  LabelValue,
  ModelDescription,
} from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { useApi } from "../api/queries.ts";
import { Chart } from "../chart/chart.tsx";
import type { Ink } from "../chart/ink.ts";
import { axisLook, legendLook } from "../chart/option.ts";
import { plural } from "../format.ts";
import { metricLabel } from "../metrics.ts";
import { Await, Empty, Refused } from "../parts/feedback.tsx";
import { DataTable, Facts, Section } from "../parts/layout.tsx";
import { Time } from "../parts/time.tsx";
import { ItemView } from "./labeling-item.tsx";
import { Choice, nameOf } from "./labeling-parts.tsx";
import "../css/labeling.css";

const percent = (share: number | null | undefined) => (share == null ? "–" : `${(100 * share).toFixed(1)} %`);
const decimal = (value: number | null | undefined) => (value == null ? "–" : value.toFixed(2));

export function LabelingTeamPage() {
  const { model } = useParams({ from: "/models/$model/labeling/team" });
  const stats = useApi("GET /models/:model/tasks/stats", { model });
  const build = useAction("POST /models/:model/tasks/build", { model });
  return (
    <Await of={stats} lines={6}>
      {(found) => (
        <>
          <Section
            title="The queue"
            lead={found.advice.reason}
            actions={
              <>
                <Button variant="default" loading={build.isPending} onClick={() => build.mutate({})}>
                  Choose a batch
                </Button>
                <Link to="/models/$model/labeling" params={{ model }} className="link">
                  Label
                </Link>
              </>
            }
          >
            {build.error === null ? null : <Refused error={build.error} />}
            <div className="card">
              <Facts
                items={[
                  ["Open", found.states.open],
                  ["Done", found.states.done],
                  ["To adjudicate", found.states.adjudicate],
                  ["Drawn evenly", found.origins.random ?? 0],
                  ["Chosen by score", found.origins.strategy ?? 0],
                  ["Gold questions", found.origins.gold ?? 0],
                ]}
              />
            </div>
          </Section>
          <Adjudication model={model} />
          <People stats={found} />
          <Fair stats={found} />
          <Checked stats={found} />
          <Curve stats={found} model={model} />
          <Batches stats={found} />
          <History model={model} />
        </>
      )}
    </Await>
  );
}

function Adjudication({ model }: { readonly model: string }) {
  const tasks = useApi("GET /models/:model/tasks", { model }, { query: { state: "adjudicate", limit: 20 } });
  const items = tasks.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Section title="To adjudicate" lead="People disagree, flagged these, or could not tell. Your answer ends it.">
      {items.map((task) => (
        <Verdict key={task.id} model={model} task={task} />
      ))}
    </Section>
  );
}

function choicesOf(description: ModelDescription | undefined): readonly LabelValue[] {
  if (description?.task === "binary") return [false, true];
  const categories = description?.label["categories"];
  return Array.isArray(categories) ? (categories as readonly string[]) : [];
}

function Verdict({ model, task }: { readonly model: string; readonly task: LabelingTask }) {
  const detail = useApi("GET /models/:model/tasks/:id", { model, id: task.id });
  const decide = useAction("POST /models/:model/tasks/:id/adjudicate", { model, id: task.id });
  const discard = useAction("POST /models/:model/tasks/:id/discard", { model, id: task.id });
  const [number, setNumber] = useState("");
  const annotations = detail.data?.annotations ?? [];
  const values = new Set<LabelValue>([
    ...choicesOf(useApi("GET /models/:model", { model }).data?.description),
    ...(task.classes ?? []),
    ...annotations.flatMap(({ value }) => value ?? []),
  ]);
  const isNumeric = [...values].some((value) => typeof value === "number") || typeof task.decision === "number";
  return (
    <article className="card labeling-card" aria-label={`Example ${task.exampleId}`}>
      <header className="labeling-heading">
        <span className="mono dimmed">{task.exampleId}</span>
      </header>
      <ItemView task={task} />
      <ul className="small">
        {annotations.map((one) => (
          <li key={one.id}>
            <strong>{one.labeler}</strong>:{" "}
            {one.kind === "answer" && one.value !== undefined ? nameOf(one.value) : one.kind}
            {one.comment === undefined ? null : <span className="dimmed"> “{one.comment}”</span>}
          </li>
        ))}
      </ul>
      {isNumeric ? (
        <form
          className="number-answer"
          onSubmit={(event) => {
            event.preventDefault();
            if (number.trim() !== "" && Number.isFinite(Number(number))) decide.mutate({ value: Number(number) });
          }}
        >
          <TextInput
            label="The true value"
            value={number}
            onChange={(event) => setNumber(event.currentTarget.value)}
            inputMode="decimal"
          />
          <Button type="submit">Decide</Button>
        </form>
      ) : (
        <div className="choices" role="group" aria-label="Verdict">
          {[...values].map((value) => (
            <Choice key={String(value)} index={9} value={value} onClick={() => decide.mutate({ value })} />
          ))}
        </div>
      )}
      {task.origin === "review" ? null : (
        <div className="actions">
          <Button variant="subtle" size="compact-sm" onClick={() => discard.mutate({})}>
            It has no answer
          </Button>
        </div>
      )}
      {decide.error === null ? null : <Refused error={decide.error} />}
      {discard.error === null ? null : <Refused error={discard.error} />}
    </article>
  );
}

function People({ stats }: { readonly stats: LabelingStats }) {
  const { agreement, labelers } = stats;
  const { kappa, fleiss } = agreement;
  return (
    <Section title="People" lead={agreement.sentence}>
      {labelers.length === 0 ? (
        <Empty sentence="Nobody has answered yet." />
      ) : (
        <>
          <DataTable
            label="People"
            numeric={[1, 2, 3, 4, 5, 6, 7]}
            head={[
              "Who",
              "Answers",
              "Skips",
              "Flags",
              "Median time",
              "Agrees with others",
              "Gold right",
              "Estimated quality",
            ]}
          >
            {labelers.map((one) => (
              <tr key={one.labeler}>
                <td className="strong">{one.labeler}</td>
                <td className="right">{one.answers}</td>
                <td className="right">{one.skips}</td>
                <td className="right">{one.flags}</td>
                <td className="right nowrap">
                  {one.medianMs === null ? "–" : `${(one.medianMs / 1000).toFixed(1)} s`}
                </td>
                <td className="right">{percent(one.agreesWithConsensus)}</td>
                <td className="right nowrap">
                  {one.gold.asked === 0 ? "–" : `${one.gold.right} of ${one.gold.asked}`}
                </td>
                <td className="right">{percent(one.estimatedAccuracy)}</td>
              </tr>
            ))}
          </DataTable>
          <div className="card">
            <Facts
              items={[
                ["Answered by two or more", agreement.overlapping],
                ["Krippendorff's alpha", decimal(agreement.alpha)],
                [
                  kappa === null ? "Cohen's kappa" : `Cohen's kappa, ${kappa.between.join(" and ")}`,
                  decimal(kappa?.value),
                ],
                ["Weighted kappa", decimal(kappa?.weighted)],
                [fleiss === null ? "Fleiss' kappa" : `Fleiss' kappa, ${fleiss.raters} people`, decimal(fleiss?.value)],
              ]}
            />
          </div>
        </>
      )}
    </Section>
  );
}

function Fair({ stats }: { readonly stats: LabelingStats }) {
  if (stats.performance.length === 0) return null;
  return (
    <Section
      title="How good the versions are"
      lead="From evenly drawn examples alone: the ones chosen by score are the hard ones and would make every version look worse."
    >
      <DataTable
        label="Performance from fair labels"
        head={["Version", "Measure", "Value", "95 % interval", "Labels", "Left out"]}
        numeric={[2, 3, 4, 5]}
      >
        {stats.performance.map((one) => (
          <tr key={one.version}>
            <td className="strong">{one.version}</td>
            <td>{one.metric === "mae" ? "mean absolute error" : "error rate"}</td>
            <td className="right">{one.metric === "mae" ? decimal(one.value) : percent(one.value)}</td>
            <td className="right nowrap">
              {one.interval === null
                ? "–"
                : one.interval.map((end) => (one.metric === "mae" ? decimal(end) : percent(end))).join(" to ")}
            </td>
            <td className="right">{one.labels}</td>
            <td className="right">{one.leftOut}</td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

function Checked({ stats }: { readonly stats: LabelingStats }) {
  if (stats.reviewed.length === 0) return null;
  return (
    <Section
      title="How often answers were wrong"
      lead="From reviews and audits together: each label counts as many times as its answer was unlikely to be asked about."
    >
      <DataTable
        label="Errors from reviews and audits"
        head={["Version", "Wrong", "95 % interval", "Answers", "Reviews with a label", "Audits with a label"]}
        numeric={[1, 2, 3, 4, 5]}
      >
        {stats.reviewed.map((one) => (
          <tr key={one.version}>
            <td className="strong">{one.version}</td>
            <td className="right">{one.value === null ? "cannot tell" : percent(one.value)}</td>
            <td className={one.interval === null ? "right" : "right nowrap"}>
              {one.interval === null ? (one.reason ?? "–") : one.interval.map((end) => percent(end)).join(" to ")}
            </td>
            <td className="right">{one.answers}</td>
            <td className="right">{`${one.reviewed.labelled} of ${one.reviewed.asked}`}</td>
            <td className="right">{`${one.audited.labelled} of ${one.audited.asked}`}</td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

function Curve({ stats, model }: { readonly stats: LabelingStats; readonly model: string }) {
  const draw = useAction("POST /models/:model/tasks/curve", { model });
  const { curve } = stats;
  const button = (
    <Button variant="default" size="compact-sm" loading={draw.isPending} onClick={() => draw.mutate({})}>
      {curve === null ? "Draw it" : "Draw it again"}
    </Button>
  );
  const option = useCallback(
    (ink: Ink) => ({
      grid: { left: 56, right: 18, top: 34, bottom: 44 },
      legend: { ...legendLook(ink), top: 0 },
      tooltip: { trigger: "axis" as const },
      xAxis: { type: "value" as const, name: "labels", nameLocation: "middle" as const, nameGap: 28, ...axisLook(ink) },
      yAxis: { type: "value" as const, scale: true, ...axisLook(ink) },
      series: [
        ["chosen by score", curve?.strategy ?? [], "solid", "circle"] as const,
        ["other labels", curve?.random ?? [], "dashed", "rect"] as const,
      ].map(([name, points, type, symbol], i) => ({
        name,
        type: "line" as const,
        symbol,
        symbolSize: 7,
        data: points.map(({ labels, value }) => [labels, value]),
        lineStyle: { type, color: i === 0 ? ink.series[0] : ink.series[1] },
        itemStyle: { color: i === 0 ? ink.series[0] : ink.series[1] },
      })),
    }),
    [curve],
  );
  if (draw.error !== null || curve === null) {
    return (
      <Section title="What the labels brought" actions={button}>
        {draw.error === null ? (
          <Empty sentence="The learning curve trains the model on growing parts of the labels and has not been drawn yet." />
        ) : (
          <Refused error={draw.error} />
        )}
      </Section>
    );
  }
  const [chosen, drawn] = [curve.strategy.at(-1), curve.random.at(-1)];
  const summary = `${metricLabel(curve.metric)} on ${plural(curve.holdoutRows, "fair row")}: ${chosen === undefined ? "–" : `${chosen.value.toFixed(3)} with ${plural(chosen.labels, "label")} chosen by score`}, ${drawn === undefined ? "–" : `${drawn.value.toFixed(3)} with ${plural(drawn.labels, "other label")}`}; ${curve.higherIsBetter ? "higher" : "lower"} is better.`;
  return (
    <Section title="What the labels brought" actions={button}>
      <Chart
        title="Learning curve"
        summary={summary}
        table={{
          head: ["Labels", "Chosen by score", "Other labels"],
          rows: [...new Set([...curve.strategy, ...curve.random].map(({ labels }) => labels))]
            .sort((left, right) => left - right)
            .map((labels) => [
              labels,
              curve.strategy.find((point) => point.labels === labels)?.value ?? null,
              curve.random.find((point) => point.labels === labels)?.value ?? null,
            ]),
        }}
        option={option}
      />
    </Section>
  );
}

function Batches({ stats }: { readonly stats: LabelingStats }) {
  if (stats.batches.length === 0) return null;
  return (
    <Section title="Batches">
      <DataTable
        label="Batches"
        head={["When", "Strategy", "Asked", "Drawn evenly", "Out of", "Version"]}
        numeric={[2, 3, 4]}
      >
        {stats.batches.map((batch) => (
          <tr key={batch.id}>
            <td>
              <Time at={batch.createdAt} />
            </td>
            <td className="text">
              {batch.strategy}
              {batch.note === undefined ? null : <div className="dimmed small">{batch.note}</div>}
            </td>
            <td className="right">{batch.picked}</td>
            <td className="right">{batch.random}</td>
            <td className="right">{batch.poolSize}</td>
            <td>{batch.version ?? "–"}</td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

/** Who said what about one example, and what counts. */
function History({ model }: { readonly model: string }) {
  const [text, setText] = useState("");
  const [id, setId] = useState("");
  const history = useApi("GET /models/:model/examples/:id/labels", { model, id }, { enabled: id !== "" });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setId(text.trim());
  };
  return (
    <Section title="The labels of one example">
      <form className="number-answer" onSubmit={submit}>
        <TextInput label="Example id" value={text} onChange={(event) => setText(event.currentTarget.value)} />
        <Button type="submit" variant="default" disabled={text.trim() === ""}>
          Show
        </Button>
      </form>
      {id === "" ? null : <Await of={history}>{(found) => <Statements history={found} />}</Await>}
    </Section>
  );
}

function Statements({ history }: { readonly history: LabelHistory }) {
  if (history.statements.length === 0) return <Empty sentence={`Nobody has said what ${history.exampleId} is.`} />;
  return (
    <DataTable label={`Labels of ${history.exampleId}`} head={["Known since", "Source", "Label", "Counts", "Comment"]}>
      {history.statements.map((one, i) => (
        <tr key={i}>
          <td>
            <Time at={one.receivedAt} />
          </td>
          <td className="nowrap">
            {one.source}
            {one.selective ? <span className="dimmed small"> (asked because of its score)</span> : null}
          </td>
          <td className="strong">{one.value === null ? "taken back" : nameOf(one.value)}</td>
          <td>{one.isEffective ? "yes" : "no"}</td>
          <td className="text">{one.comment ?? ""}</td>
        </tr>
      ))}
    </DataTable>
  );
}
