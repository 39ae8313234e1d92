/** Refused rows: their reasons, and replay or drop of some or all of them. */
import { Button, Modal, Stack } from "@mantine/core";
import { useState } from "react";
import type { QuarantinedRow } from "../../../src/server/contract.ts";
import { useAction } from "../api/actions.ts";
import { useApiPages } from "../api/queries.ts";
import { instant, plural } from "../format.ts";
import { Await, Empty, Refused } from "../parts/feedback.tsx";
import { DataTable } from "../parts/layout.tsx";
import { More } from "../parts/more.tsx";
import { State } from "../parts/state.tsx";

export function QuarantineList(props: { readonly model: string; readonly state: QuarantinedRow["state"] | "all" }) {
  const { model, state } = props;
  const query = { state: state === "all" ? undefined : state };
  const found = useApiPages("GET /models/:model/quarantine", { model }, query);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  return (
    <Await of={{ data: found.items, error: found.error, refetch: found.refetch }} lines={4}>
      {(rows) => {
        if (rows.length === 0) {
          return (
            <Empty
              sentence={state === "waiting" ? "No row waits: all that arrived fits the schema." : "No such row."}
              command={`retrain ingest ${model} rows.csv`}
            />
          );
        }
        const waiting = rows.filter((row) => row.state === "waiting");
        const ids = waiting.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
        return (
          <>
            {waiting.length === 0 ? null : <Actions model={model} ids={ids} onDone={() => setChosen(new Set())} />}
            <DataTable
              label="Quarantined rows"
              head={["", "State", "Received (UTC)", "Row", "Reasons", "As it arrived"]}
            >
              {rows.map((row) => (
                <QuarantineRow
                  key={row.id}
                  row={row}
                  isChosen={chosen.has(row.id)}
                  onChoose={(isChosen) => setChosen(withId(chosen, row.id, isChosen))}
                />
              ))}
            </DataTable>
            <More of={found} shown={rows.length} />
          </>
        );
      }}
    </Await>
  );
}

function withId(chosen: ReadonlySet<string>, id: string, isChosen: boolean): ReadonlySet<string> {
  const next = new Set(chosen);
  if (isChosen) next.add(id);
  else next.delete(id);
  return next;
}

function QuarantineRow(props: {
  readonly row: QuarantinedRow;
  readonly isChosen: boolean;
  readonly onChoose: (isChosen: boolean) => void;
}) {
  const { row, isChosen, onChoose } = props;
  return (
    <tr>
      <td>
        {row.state === "waiting" ? (
          <input
            type="checkbox"
            className="choose"
            checked={isChosen}
            onChange={(event) => onChoose(event.currentTarget.checked)}
            aria-label={`Choose row ${row.rowNumber} of batch ${row.batchId}`}
          />
        ) : null}
      </td>
      <td>
        <State of="quarantine" value={row.state} />
      </td>
      <td className="nowrap">{instant(row.receivedAt)}</td>
      <td className="nowrap">
        {row.rowNumber}
        <div className="dimmed small">{row.form}</div>
      </td>
      <td className="text">
        {row.reasons.map((reason, index) => (
          <div key={index}>
            <span className="mono">{reason.code}</span>: {reason.message}
          </div>
        ))}
      </td>
      <td className="text">
        <pre className="json" tabIndex={0}>
          {row.raw}
        </pre>
      </td>
    </tr>
  );
}

function Actions(props: { readonly model: string; readonly ids: readonly string[]; readonly onDone: () => void }) {
  const { model, ids, onDone } = props;
  const [isDropping, setIsDropping] = useState(false);
  const replay = useAction("POST /models/:model/quarantine/replay", { model });
  const drop = useAction("POST /models/:model/quarantine/drop", { model });
  const body = ids.length === 0 ? {} : { ids };
  const what = ids.length === 0 ? "all waiting rows" : plural(ids.length, "chosen row");
  const close = () => setIsDropping(false);
  return (
    <div className="filters">
      <Button
        variant="default"
        size="compact-sm"
        loading={replay.isPending}
        onClick={() => replay.mutate(body, { onSuccess: onDone })}
      >
        Replay {what}
      </Button>
      <Button variant="default" size="compact-sm" onClick={() => setIsDropping(true)}>
        Drop {what}
      </Button>
      <span role="status" className="dimmed small">
        {replay.data === undefined
          ? ""
          : `${plural(replay.data.replayed, "row")} replayed, ${replay.data.stillWaiting} still waiting.`}
        {drop.data === undefined ? "" : ` ${plural(drop.data.dropped, "row")} dropped.`}
      </span>
      {replay.error === null ? null : <Refused error={replay.error} />}
      <Modal opened={isDropping} onClose={close} title={`Drop ${what}?`} closeButtonProps={{ "aria-label": "Close" }}>
        <Stack gap="md">
          <p>They stay listed as dropped, but no longer wait to be replayed, and nothing is trained on them.</p>
          {drop.error === null ? null : <Refused error={drop.error} />}
          <div className="actions end">
            <Button variant="default" onClick={close}>
              Keep them
            </Button>
            <Button
              loading={drop.isPending}
              data-autofocus
              onClick={() =>
                drop.mutate(body, {
                  onSuccess: () => {
                    close();
                    onDone();
                  },
                })
              }
            >
              Drop
            </Button>
          </div>
        </Stack>
      </Modal>
    </div>
  );
}
