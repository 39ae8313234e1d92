/** Drawings small enough to need no chart library: a sparkline, an interval around zero, a share of a bar. */
import { number, share, signed, plural } from "../format.ts";

const WIDTH = 140;
const HEIGHT = 36;
const PAD = 3;

/** Missing values leave gaps. The last point is marked, because "now" is what a row of models is about. */
export function Sparkline({ values, label }: { readonly values: readonly (number | null)[]; readonly label: string }) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return <span className="dimmed small">too few points yet</span>;
  const low = Math.min(...known);
  const high = Math.max(...known);
  const span = high - low || 1;
  const x = (index: number) => PAD + (index / (values.length - 1)) * (WIDTH - 2 * PAD);
  const y = (value: number) => HEIGHT - PAD - ((value - low) / span) * (HEIGHT - 2 * PAD);
  let path = "";
  let isDrawing = false;
  values.forEach((value, index) => {
    if (value !== null) path += `${isDrawing ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    isDrawing = value !== null;
  });
  const last = values.findLastIndex((value) => value !== null);
  const text = `${label}: ${number(known[0])} to ${number(known.at(-1))} over ${plural(known.length, "point")}, lowest ${number(low)}, highest ${number(high)}`;
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={text}>
      <path d={path} fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinejoin="round" strokeLinecap="round" />
      <circle cx={x(last)} cy={y(values[last] ?? low)} r="3" fill="currentColor" />
    </svg>
  );
}

export interface IntervalProps {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Zero for differences; the limit for a gate. */
  readonly line: number;
  readonly lineLabel: string;
}

/** A dot with its interval against a dashed line. The scale is the row's own, centered on the line. */
export function IntervalDrawing({ value, low, high, line, lineLabel }: IntervalProps) {
  const reach = Math.max(Math.abs(low - line), Math.abs(high - line), Math.abs(value - line), 1e-12) * 1.15;
  const x = (at: number) => 80 + ((at - line) / reach) * 74;
  const text = `${number(value)}, interval ${number(low)} to ${number(high)}, ${lineLabel} ${number(line)}`;
  return (
    <svg className="interval" viewBox="0 0 160 20" role="img" aria-label={text}>
      <line x1="80" y1="0" x2="80" y2="20" className="interval-line" />
      <line x1={x(low)} y1="10" x2={x(high)} y2="10" className="interval-bar" />
      <line x1={x(low)} y1="6" x2={x(low)} y2="14" className="interval-bar" />
      <line x1={x(high)} y1="6" x2={x(high)} y2="14" className="interval-bar" />
      <circle cx={x(value)} cy="10" r="4.2" className="interval-dot" />
    </svg>
  );
}

/** A bar of a share in [0, 1]. */
export function ShareBar({ value }: { readonly value: number }) {
  return (
    <svg className="contribution" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label={share(value)}>
      <rect x="0" y="2" width={value * 100} height="8" className="positive" />
    </svg>
  );
}

/** A bar to the right of the middle for positive values, to the left for negative ones. `reach` is the largest of all rows. */
export function ContributionBar({ value, reach }: { readonly value: number; readonly reach: number }) {
  const width = (Math.abs(value) / (reach || 1)) * 50;
  return (
    <svg className="contribution" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label={signed(value)}>
      <rect
        x={value < 0 ? 50 - width : 50}
        y="2"
        width={width}
        height="8"
        className={value < 0 ? "negative" : "positive"}
      />
      <line x1="50" y1="0" x2="50" y2="12" className="contribution-line" />
    </svg>
  );
}
