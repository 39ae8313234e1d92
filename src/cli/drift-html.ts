/** A drift report as one HTML file: no script, no font, nothing from elsewhere, so it can be mailed, kept and printed. */
import { plural } from "../core/index.ts";
import type { DriftVerdict, MultivariateDrift } from "../core/index.ts";
import type { DriftReport, FeatureDrift } from "../monitor/index.ts";

/** What moved or not beside the columns, in words. */
export interface OtherDrift {
  readonly what: string;
  readonly verdict: DriftVerdict;
  readonly reason: string;
}

export interface HtmlReport {
  readonly title: string;
  readonly report: DriftReport;
  readonly lost?: readonly string[];
  readonly added?: readonly string[];
  readonly left?: readonly string[];
  readonly others?: readonly OtherDrift[];
  readonly multivariate?: MultivariateDrift;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escape = (text: string) => text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #d9d9e0; --back: #fff; --ref: #8b8d98; --now: #0072b2; --bad: #b3261e; --good: #18794e; --unsure: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #b0b4ba; --line: #363a3f; --back: #111113; --ref: #8b8d98; --now: #56b4e9; --bad: #ff9592; --good: #3dd68c; --unsure: #ffca16; } }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem 3rem; color: var(--ink); background: var(--back); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; overflow-wrap: anywhere; }
p { margin: .25rem 0; } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } .scroll { overflow-x: auto; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); } td.n, th.n { text-align: right; }
.drift { color: var(--bad); font-weight: 600; } .no-drift { color: var(--good); } .cannot-tell { color: var(--unsure); }
svg { display: block; max-width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.ref { fill: var(--ref); } .now { fill: var(--now); } .part { fill: var(--bad); }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .8em; border-radius: 2px; } .key.r { background: var(--ref); margin-left: 0; } .key.c { background: var(--now); } .key.p { background: var(--bad); }
`;

const WORDS = { drift: "Drift", "no-drift": "No drift", "cannot-tell": "Cannot tell" } as const;
const digits = (value: number | null, places = 3) => (value === null ? "–" : value.toFixed(places));
const share = (value: number) => `${(100 * value).toFixed(1)} %`;
const count = (value: number) => value.toLocaleString("en-US");

export function driftHtml({
  title,
  report,
  lost = [],
  added = [],
  left = [],
  others = [],
  multivariate,
}: HtmlReport): string {
  const columns = (label: string, names: readonly string[]) =>
    names.length === 0 ? "" : `<p>${label}: ${names.map(escape).join(", ")}.</p>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Drift: ${escape(title)}</title><style>${STYLE}</style></head>
<body>
<h1>${escape(title)}</h1>
<p><strong class="${report.verdict}">${WORDS[report.verdict]}</strong>. ${escape(report.reason)}</p>
<p class="soft">${plural(report.referenceRows, "reference row")}, ${plural(report.currentRows, "current row")}; a column moves when its statistic exceeds its threshold and the test holds at level ${report.level.toPrecision(2)} over all columns (Benjamini-Hochberg).</p>
${columns("Lost columns", lost)}${columns("New columns", added)}${columns("Not compared", left)}
<div class="scroll"><table><thead><tr><th>Column</th><th>Verdict</th><th>Statistic</th><th class="n">Value</th><th class="n">Threshold</th><th class="n">PSI</th><th class="n">JS</th><th class="n">W1/sd</th><th class="n">KS</th><th class="n">Cramér's V</th><th class="n">Missing</th><th class="n">Unseen</th></tr></thead><tbody>
${report.features.map(rowOf).join("\n")}
</tbody></table></div>
${others.length === 0 ? "" : `<h2>Answers, labels, requests</h2>${verdictTable(others)}`}${multivariate === undefined ? "" : wholesOf(multivariate)}<p class="soft" style="margin-top:1rem"><span class="key r"></span>reference <span class="key c"></span>current <span class="key p"></span>what the bin adds to the PSI</p>
${report.features.map(sectionOf).join("\n")}
</body></html>
`;
}

function wholesOf(found: MultivariateDrift): string {
  const { classifier, reconstruction } = found;
  const rows = [
    { what: "Domain classifier", ...classifier },
    { what: "Reconstruction error", ...reconstruction },
  ];
  const features = classifier.features
    .slice(0, 5)
    .map((one) => `<li>${escape(one.feature)}: ${share(one.share)}, ${digits(one.aucLost)} of the AUC</li>`);
  return `<h2>Rows as wholes <span class="${found.verdict}">${WORDS[found.verdict].toLowerCase()}</span></h2>
<p class="soft">${count(found.referenceRows)} and ${plural(found.currentRows, "row")}.</p>
${verdictTable(rows)}
${features.length === 0 ? "" : `<p>Told apart by:</p><ul>${features.join("")}</ul>`}
`;
}

function verdictTable(rows: readonly OtherDrift[]): string {
  const line = ({ what, verdict, reason }: OtherDrift) =>
    `<tr><th>${escape(what)}</th><td class="${verdict}">${WORDS[verdict]}</td><td>${escape(reason)}</td></tr>`;
  return `<div class="scroll"><table><tbody>${rows.map(line).join("")}</tbody></table></div>`;
}

function rowOf(one: FeatureDrift): string {
  const { distances } = one;
  const numbers = [
    digits(one.value),
    digits(one.threshold),
    digits(distances.psi),
    digits(distances.jsDistance),
    digits(distances.wasserstein),
    digits(distances.ks),
    digits(distances.cramersV),
    share(one.missing.current),
    share(one.unseen.current),
  ];
  return `<tr><td>${escape(one.feature)}</td><td class="${one.verdict}">${WORDS[one.verdict]}</td><td>${one.statistic}</td>${numbers.map((text) => `<td class="n">${text}</td>`).join("")}</tr>`;
}

function sectionOf(one: FeatureDrift): string {
  return `<section><h2>${escape(one.feature)} <span class="${one.verdict}">${WORDS[one.verdict].toLowerCase()}</span></h2><p>${escape(one.reason)}</p>${barsOf(one)}</section>`;
}

const WIDTH = 760;
const ROW = 26;
const LABEL = 190;

/** Both windows as bars of shares, bin by bin, and beside them what each bin adds to the PSI. */
function barsOf(one: FeatureDrift): string {
  const total = (pick: (bin: FeatureDrift["bins"][number]) => number) =>
    one.bins.reduce((sum, bin) => sum + pick(bin), 0);
  const before = total((bin) => bin.reference);
  const now = total((bin) => bin.current);
  if (before === 0 || now === 0) return "";
  const largest = Math.max(...one.bins.map((bin) => Math.max(bin.reference / before, bin.current / now)));
  const most = Math.max(...one.bins.map((bin) => bin.contribution), 1e-9);
  const span = 400;
  const rows = one.bins.map((bin, i) => {
    const y = i * ROW;
    const width = (part: number, of: number) => ((part / of / largest) * span).toFixed(1);
    const label = bin.label.length > 28 ? `${bin.label.slice(0, 27)}…` : bin.label;
    const words = `${bin.label}: ${share(bin.reference / before)} before, ${share(bin.current / now)} now, ${bin.contribution.toFixed(4)} of the PSI`;
    return `<g><title>${escape(words)}</title><text x="${LABEL - 8}" y="${y + 15}" text-anchor="end">${escape(label)}</text><rect class="ref" x="${LABEL}" y="${y + 2}" width="${width(bin.reference, before)}" height="9"/><rect class="now" x="${LABEL}" y="${y + 12}" width="${width(bin.current, now)}" height="9"/><rect class="part" x="${LABEL + span + 20}" y="${y + 6}" width="${((Math.max(0, bin.contribution) / most) * 100).toFixed(1)}" height="10"/><text x="${LABEL + span + 128}" y="${y + 15}">${bin.contribution < 0.0005 ? "" : bin.contribution.toFixed(3)}</text></g>`;
  });
  const height = one.bins.length * ROW + 4;
  return `<svg role="img" aria-label="Distribution of ${escape(one.feature)}" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">${rows.join("")}</svg>`;
}
