/** Is my model getting worse? Performance over time, then what the latest cycle did and changed. */
import { useParams } from "@tanstack/react-router";
import { useApi } from "../api/queries.ts";
import { Await } from "../parts/feedback.tsx";
import { Performance } from "./performance.tsx";
import { StatusSection } from "./status.tsx";

export function ModelPage() {
  const { model } = useParams({ from: "/models/$model/" });
  const status = useApi("GET /models/:model/status", { model });
  const detail = useApi("GET /models/:model", { model });
  return (
    <>
      <Await of={detail} lines={8}>
        {({ description, summary }) => (
          <Performance model={model} description={description} mainMetric={summary.metric} />
        )}
      </Await>
      <Await of={status} lines={8}>
        {(table) => <StatusSection table={table} />}
      </Await>
    </>
  );
}
