/** A forest plot: one line a row, dots with intervals on one scale, the dot larger where more rows stand behind it. */
import { signed } from "../format.ts";

export interface ForestRow {
  readonly label: string;
  readonly note: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly weight: number;
  /** Drawn as a finding, with a word beside it: color alone would not be seen by everybody. */
  readonly isMarked: boolean;
}

const WIDTH = 320;

export function ForestDrawing({ rows, label }: { readonly rows: readonly ForestRow[]; readonly label: string }) {
  // The scale of the dots decides; one interval of a tiny slice must not flatten all others.
  const reaches = rows.map(({ low, high }) => Math.max(Math.abs(low), Math.abs(high))).sort((x, y) => x - y);
  const reach = (reaches[Math.floor(0.9 * (reaches.length - 1))] || 1e-12) * 1.1;
  const x = (at: number) => Math.min(WIDTH - 2, Math.max(2, WIDTH / 2 + (at / reach) * (WIDTH / 2 - 6)));
  const heaviest = Math.max(...rows.map(({ weight }) => weight));
  return (
    <ul className="forest" aria-label={label}>
      {rows.map((row) => {
        const text = `${row.label}: ${signed(row.value)}, interval ${signed(row.low)} to ${signed(row.high)}, ${row.note}${row.isMarked ? ", worse" : ""}`;
        return (
          <li key={row.label} className="forest-row">
            <span className="forest-label">
              {row.label} <span className="dimmed small nowrap">{row.note}</span>
            </span>
            <svg className="forest-drawing" viewBox={`0 0 ${WIDTH} 20`} role="img" aria-label={text}>
              <line x1={WIDTH / 2} y1="0" x2={WIDTH / 2} y2="20" className="interval-line" />
              <line x1={x(row.low)} y1="10" x2={x(row.high)} y2="10" className="interval-bar" />
              <circle cx={x(row.value)} cy="10" r={3 + 3 * Math.sqrt(row.weight / heaviest)} className="interval-dot" />
            </svg>
            <span className="small nowrap forest-value">
              {signed(row.value)}
              {row.isMarked ? <span className="strong"> worse</span> : null}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
