/** One version: what it can do, what it was made from, and the two things one can do with it. */
import { Button } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import type { VersionRecord } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { useApi } from "../api/queries.ts";
import { instant, number, shortHash, shortId, whole, words, plural } from "../format.ts";
import { metricWithDirection } from "../metrics.ts";
import { Await, Refused } from "../parts/feedback.tsx";
import { Icon } from "../parts/icons.tsx";
import { DataTable, Facts, Section } from "../parts/layout.tsx";
import { ReasonDialog } from "../parts/reason-dialog.tsx";
import { State } from "../parts/state.tsx";
import { ApprovalPanel } from "./approval.tsx";
import { GateTable } from "./gate.tsx";
import { ExportSection } from "./version-export.tsx";
import { ImportanceSection } from "./version-importance.tsx";

export function VersionPage() {
  const { model, version } = useParams({ from: "/models/$model/versions/$version" });
  const found = useApi("GET /models/:model/versions/:version", { model, version });
  return (
    <Await of={found} lines={8}>
      {(record) => (
        <>
          <div className="section-heading version-heading">
            <h2>
              Version {record.name} <State of="version" value={record.state} />
            </h2>
            <VersionActions version={record} />
          </div>
          <Lineage version={record} />
          <MetricsSection version={record} />
          <ImportanceSection model={record.model} version={record.name} />
          <ServingCost version={record} />
          <Section
            title="Gate"
            lead={
              <>
                <State of="outcome" value={record.gate.outcome} /> {record.gate.reason}
              </>
            }
          >
            {record.gate.checks.length === 0 ? (
              <p className="dimmed">The model names no gate, so nothing was checked.</p>
            ) : (
              <GateTable checks={record.gate.checks} />
            )}
            <ApprovalPanel version={record} />
          </Section>
          <ExportSection model={record.model} version={record.name} />
        </>
      )}
    </Await>
  );
}

function VersionActions({ version }: { readonly version: VersionRecord }) {
  const { model, name } = version;
  const [isPromoting, setIsPromoting] = useState(false);
  const promote = useAction("POST /models/:model/versions/:version/promote", { model, version: name });
  const reproduce = useAction("POST /models/:model/versions/:version/reproduce", { model, version: name });
  const close = () => setIsPromoting(false);
  return (
    <>
      <div className="actions">
        <Button disabled={version.role === "champion"} onClick={() => setIsPromoting(true)}>
          Promote
        </Button>
        <Button
          variant="default"
          renderRoot={(props: object) => (
            <Link
              {...props}
              to="/models/$model/compare"
              params={{ model }}
              search={version.role === "champion" ? { a: name } : { b: name }}
            />
          )}
        >
          Compare
        </Button>
        <Button variant="default" loading={reproduce.isPending} onClick={() => reproduce.mutate({})}>
          Reproduce
        </Button>
      </div>
      {reproduce.error === null ? null : <Refused error={reproduce.error} />}
      {reproduce.data === undefined ? null : <Reproduced {...reproduce.data} name={name} />}
      <ReasonDialog
        isOpen={isPromoting}
        title={`Promote ${name}`}
        explanation={
          version.gate.outcome === "promote"
            ? `${name} answers from the next request on.`
            : `The gate did not let ${name} pass: ${version.gate.reason} If you promote it all the same, it answers from the next request on.`
        }
        confirm={`Promote ${name}`}
        isPending={promote.isPending}
        error={promote.error}
        onClose={close}
        onConfirm={(reason) => promote.mutate({ reason }, { onSuccess: close })}
      />
    </>
  );
}

function Reproduced(props: {
  readonly name: string;
  readonly equal: boolean;
  readonly expected: string;
  readonly actual: string;
}) {
  const { name, equal, expected, actual } = props;
  return (
    <div className="card reproduced" role="status">
      <span className="state-shape" data-tone={equal ? "good" : "bad"}>
        <Icon name={equal ? "check" : "cross"} />
      </span>
      {equal
        ? `Trained again from its manifest, ${name} came out equal, byte for byte: ${shortHash(expected)}.`
        : `Trained again from its manifest, ${name} came out different: ${shortHash(expected)} became ${shortHash(actual)}.`}
    </div>
  );
}

function Lineage({ version }: { readonly version: VersionRecord }) {
  return (
    <Section title="Made from">
      <div className="card">
        <Facts
          items={[
            [
              "Run",
              version.imported === undefined ? (
                <Link className="link mono" to="/runs/$id" params={{ id: version.runId }} title={version.runId}>
                  {shortId(version.runId)}
                </Link>
              ) : (
                <span title={version.imported.signedBy}>
                  imported: {version.imported.model} {version.imported.version} of another server
                </span>
              ),
            ],
            ["Dataset rows", whole(version.datasetRows)],
            [
              "Dataset hash",
              <span className="mono" title={version.datasetHash}>
                {shortHash(version.datasetHash)}
              </span>,
            ],
            ["Received up to (UTC)", instant(version.trainedThrough)],
            ["Trainer", version.trainer],
            ["Strategy", words(version.strategy)],
            ["Definition revision", <span className="mono">{version.definitionRevision}</span>],
            [
              "Artifact",
              <span className="mono" title={version.artifact}>
                {shortHash(version.artifact)}
              </span>,
            ],
            ["Made (UTC)", instant(version.createdAt)],
            ["Live from (UTC)", instant(version.promotedAt)],
            ["Live until (UTC)", version.role === "champion" ? "now" : instant(version.retiredAt)],
          ]}
        />
      </div>
    </Section>
  );
}

/** What it costs to serve: measured when it was judged, on the machine that trained it. */
function ServingCost({ version }: { readonly version: VersionRecord }) {
  // An imported version's evidence is read through the run that judged it here.
  const id = version.gateRunId ?? version.runId;
  const isThere = version.imported === undefined || version.gateRunId !== undefined;
  const report = useApi("GET /runs/:id/evaluation", { id }, { enabled: isThere });
  const { latency, sizeBytes } = report.data ?? {};
  if (latency === undefined && sizeBytes === undefined) return null;
  const time = (us: number) => `${number(us / 1000, 3)} ms`;
  return (
    <Section title="Cost of serving">
      <div className="card">
        <Facts
          items={[
            ...(sizeBytes === undefined ? [] : ([["Artifact", `${whole(sizeBytes)} bytes`]] as const)),
            ...(latency === undefined
              ? []
              : ([
                  ["One prediction, middle", time(latency.p50Us)],
                  ["95 of 100 within", time(latency.p95Us)],
                  ["99 of 100 within", `${time(latency.p99Us)}, at most ${time(latency.p99UpperUs)}`],
                  ["Timed", `${plural(latency.calls, "prediction")}, without the network`],
                ] as const)),
          ]}
        />
      </div>
    </Section>
  );
}

function MetricsSection({ version }: { readonly version: VersionRecord }) {
  const names = Object.keys(version.metrics);
  return (
    <Section title="Metrics on its holdout">
      {names.length === 0 ? (
        <p className="dimmed">It was registered without metrics.</p>
      ) : (
        <DataTable label="Metrics of the version" head={["Metric", "Value"]} numeric={[1]}>
          {names.map((name) => (
            <tr key={name}>
              <td>{metricWithDirection(name)}</td>
              <td className="right">{number(version.metrics[name])}</td>
            </tr>
          ))}
        </DataTable>
      )}
    </Section>
  );
}
