/** What a version looks at: bars by feature, most important first, and the coefficients of a linear model. */
import type { FeatureImportance, VersionImportance } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { share, signed, whole } from "../format.ts";
import { ContributionBar, ShareBar } from "../parts/drawings.tsx";
import { Await } from "../parts/feedback.tsx";
import { DataTable, Section } from "../parts/layout.tsx";

/** Features and coefficients of one table; the rest is in the answer of the API. */
const MOST = 30;

export function ImportanceSection({ model, version }: { readonly model: string; readonly version: string }) {
  const found = useApi("GET /models/:model/versions/:version/importance", { model, version });
  return (
    <Section title="What it looks at" lead={leadOf(found.data)}>
      <Await of={found} lines={5}>
        {(importance) =>
          importance.features.length === 0 ? (
            <p className="dimmed">{importance.reason}</p>
          ) : (
            <>
              <FeatureTable importance={importance} />
              <CoefficientTable importance={importance} />
            </>
          )
        }
      </Await>
    </Section>
  );
}

function leadOf(importance: VersionImportance | undefined): string | undefined {
  if (importance === undefined || importance.features.length === 0) return undefined;
  const gains = "Gain is what a feature's splits were worth in training. ";
  const answers = "Change of the answers is how much they move on held-out rows with another row's value. ";
  const has = (key: keyof FeatureImportance) => importance.features.some((one) => one[key] !== undefined);
  return `${has("gainShare") ? gains : ""}${has("answerShare") ? answers : ""}Neither is a cause.`;
}

function FeatureTable({ importance: { features } }: { readonly importance: VersionImportance }) {
  const hasGain = features.some((one) => one.gainShare !== undefined);
  const hasAnswers = features.some((one) => one.answerShare !== undefined);
  if (!hasGain && !hasAnswers) return null;
  const head = [
    "Feature",
    ...(hasGain ? ["Gain", "", "Splits"] : []),
    ...(hasAnswers ? ["Change of the answers", ""] : []),
  ];
  return (
    <>
      <DataTable label="Features by importance" head={head} numeric={hasGain ? [2, 3, 5] : [2]}>
        {features.slice(0, MOST).map((one) => (
          <tr key={one.feature}>
            <td className="strong">{one.feature}</td>
            {hasGain ? (
              <>
                <BarCells value={one.gainShare} />
                <td className="right">{one.splits === undefined ? "–" : whole(one.splits)}</td>
              </>
            ) : null}
            {hasAnswers ? <BarCells value={one.answerShare} /> : null}
          </tr>
        ))}
      </DataTable>
      {features.length > MOST ? (
        <p className="dimmed small">{whole(features.length - MOST)} more are not shown.</p>
      ) : null}
    </>
  );
}

function BarCells({ value }: { readonly value: number | undefined }) {
  return (
    <>
      <td>{value === undefined ? null : <ShareBar value={value} />}</td>
      <td className="right nowrap">{share(value)}</td>
    </>
  );
}

function CoefficientTable({ importance: { features, outputs } }: { readonly importance: VersionImportance }) {
  const rows = features
    .flatMap(({ feature, coefficients }) =>
      (coefficients ?? []).flatMap(({ column, values }) =>
        values.map((value, output) => ({ feature, column, value, output: outputs[output] ?? "" })),
      ),
    )
    .sort((left, right) => Math.abs(right.value) - Math.abs(left.value))
    .slice(0, MOST);
  if (rows.length === 0) return null;
  const reach = Math.abs(rows[0]?.value ?? 0);
  return (
    <DataTable
      label="Standardized coefficients"
      head={["Column", "Raises", "Coefficient, per standard deviation or where present", ""]}
      numeric={[3]}
    >
      {rows.map(({ feature, column, value, output }) => (
        <tr key={`${column} ${output}`}>
          <td>
            {column}
            {feature === column ? null : <div className="dimmed small">from {feature}</div>}
          </td>
          <td>{output}</td>
          <td>
            <ContributionBar value={value} reach={reach} />
          </td>
          <td className="right nowrap">{signed(value)}</td>
        </tr>
      ))}
    </DataTable>
  );
}
