/**
 * Every chart of the console: title, one sentence that says what it shows, the same numbers as a table, and both to take away.
 * The library itself is a chunk of its own, loaded when the first chart comes into view.
 */
import { Button, useComputedColorScheme } from "@mantine/core";
import { lazy, type ReactNode, Suspense, useCallback, useId, useMemo, useRef, useState } from "react";
import { Icon } from "../parts/icons.tsx";
import { DataTable } from "../parts/layout.tsx";
import { type Ink, inkOf } from "./ink.ts";
import type { ChartOption, DrawingHandle } from "./option.ts";

const ChartCanvas = lazy(async () => ({ default: (await import("./canvas.tsx")).ChartCanvas }));

export interface ChartTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

export interface ChartProps {
  readonly title: string;
  /** One sentence: what a reader who cannot see the chart should know. */
  readonly summary: string;
  readonly table: ChartTable;
  /** Keep its identity between renders (useCallback): a new one draws the chart again. */
  readonly option: (ink: Ink) => ChartOption;
  readonly height?: number;
  readonly actions?: ReactNode;
  /** Shown between heading and drawing. */
  readonly note?: ReactNode;
}

export function Chart({ title, summary, table, option, height = 300, actions, note }: ChartProps) {
  const id = useId();
  const scheme = useComputedColorScheme("light");
  const ink = inkOf(scheme);
  const [isTable, setIsTable] = useState(false);
  const drawing = useRef<DrawingHandle>(undefined);
  const onReady = useCallback((handle: DrawingHandle | undefined) => {
    drawing.current = handle;
  }, []);
  const built = useMemo(() => option(ink), [option, ink]);
  return (
    <figure className="chart" aria-labelledby={id}>
      <figcaption className="chart-heading">
        <div className="chart-title">
          <h3 id={id}>{title}</h3>
          <p className="chart-summary">{summary}</p>
        </div>
        <div className="actions">
          {actions}
          <Button
            variant="default"
            size="compact-sm"
            aria-pressed={isTable}
            leftSection={<Icon name="grid" size={14} />}
            onClick={() => setIsTable(!isTable)}
          >
            View as table
          </Button>
          <Button
            variant="default"
            size="compact-sm"
            leftSection={<Icon name="download" size={14} />}
            aria-label={`Download ${title} as CSV`}
            onClick={() => save(`${fileName(title)}.csv`, csvOf(table))}
          >
            CSV
          </Button>
          <Button
            variant="default"
            size="compact-sm"
            leftSection={<Icon name="download" size={14} />}
            aria-label={`Download ${title} as PNG`}
            disabled={isTable}
            onClick={() => savePng(`${fileName(title)}.png`, drawing.current?.png(ink.surface))}
          >
            PNG
          </Button>
        </div>
      </figcaption>
      {note}
      {isTable ? (
        <TableView title={title} table={table} />
      ) : (
        <Suspense fallback={<div className="chart-canvas" style={{ height }} aria-busy="true" />}>
          <ChartCanvas option={built} ink={ink} summary={summary} height={height} onReady={onReady} />
        </Suspense>
      )}
    </figure>
  );
}

function TableView({ title, table }: { readonly title: string; readonly table: ChartTable }) {
  return (
    <div className="chart-table">
      <DataTable label={`${title} as table`} head={table.head}>
        {table.rows.map((row, index) => (
          <tr key={index}>
            {row.map((cell, column) => (
              <td key={column}>{cell ?? "–"}</td>
            ))}
          </tr>
        ))}
      </DataTable>
    </div>
  );
}

const fileName = (title: string) =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");

/** A cell that starts like a formula is quoted with an apostrophe: spreadsheets would run it. */
function csvOf({ head, rows }: ChartTable): string {
  const cell = (value: string | number | null) => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const safe = /^[=+@\t\r]|^-(?![\d.])/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
}

function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  follow(address, name);
  URL.revokeObjectURL(address);
}

function savePng(name: string, address: string | undefined): void {
  if (address !== undefined) follow(address, name);
}

function follow(address: string, name: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}
