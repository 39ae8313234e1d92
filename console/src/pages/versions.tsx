/** Every version of a model, newest first. */
import { Link, useParams } from "@tanstack/react-router";
import type { VersionRecord } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { number, words, plural } from "../format.ts";
import { metricWithDirection } from "../metrics.ts";
import { Await, Empty } from "../parts/feedback.tsx";
import { DataTable } from "../parts/layout.tsx";
import { State } from "../parts/state.tsx";
import { Time } from "../parts/time.tsx";

/** More columns than this cannot be compared at a glance; a version's own page has them all. */
const SHOWN_METRICS = 4;

export function VersionsPage() {
  const { model } = useParams({ from: "/models/$model/versions" });
  const versions = useApi("GET /models/:model/versions", { model });
  return (
    <Await of={versions} lines={6}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty
            sentence="No version yet: the first one is trained as soon as there are enough labelled rows."
            command={`retrain run ${model}`}
          />
        ) : (
          <VersionTable versions={items} />
        )
      }
    </Await>
  );
}

function VersionTable({ versions }: { readonly versions: readonly VersionRecord[] }) {
  const metrics = Object.keys(versions[0]?.metrics ?? {}).slice(0, SHOWN_METRICS);
  const before = 4;
  return (
    <DataTable
      label="Versions"
      head={["Version", "State", "Made (UTC)", "Trained on", ...metrics.map(metricWithDirection), "Strategy", "Gate"]}
      numeric={metrics.map((_, index) => before + index)}
    >
      {versions.map((version) => (
        <tr key={version.name}>
          <td className="strong">
            <Link to="/models/$model/versions/$version" params={{ model: version.model, version: version.name }}>
              {version.name}
            </Link>
          </td>
          <td>
            <State of="version" value={version.state} />
            {version.role === null ? null : <div className="dimmed small">{version.role}</div>}
          </td>
          <td>
            <Time at={version.createdAt} />
          </td>
          <td className="nowrap">{plural(version.datasetRows, "row")}</td>
          {metrics.map((metric) => (
            <td key={metric} className="right">
              {number(version.metrics[metric])}
            </td>
          ))}
          <td className="nowrap">{words(version.strategy)}</td>
          <td className="text">
            <State of="outcome" value={version.gate.outcome} />
            <div className="dimmed small clamp" title={version.gate.reason}>
              {version.gate.reason}
            </div>
          </td>
        </tr>
      ))}
    </DataTable>
  );
}
