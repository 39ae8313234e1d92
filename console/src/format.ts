/** Numbers, instants and durations as text. Instants are shown in UTC: the server's clocks, triggers and logs speak UTC. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const whole = (count: number): string => count.toLocaleString("en-US");

/** Four significant digits, which is what a metric can be read to; no value is a dash, never a zero. */
export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return whole(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-6 || size >= 1e7)) return value.toExponential(digits - 2);
  return Number(value.toPrecision(digits)).toLocaleString("en-US", { maximumFractionDigits: 8 });
}

/** With its sign, for differences. */
export function signed(value: number, digits = 3): string {
  return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${number(Math.abs(value), digits)}`;
}

export function share(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const percent = value * 100;
  return `${percent.toFixed(percent < 10 && percent !== Math.round(percent) ? 1 : 0)} %`;
}

/** `2009-03-12 14:05` */
export function instant(at: number | null | undefined): string {
  return at === null || at === undefined ? "–" : new Date(at).toISOString().slice(0, 16).replace("T", " ");
}
export function day(at: number | null | undefined): string {
  return at === null || at === undefined ? "–" : new Date(at).toISOString().slice(0, 10);
}

/** `840 ms`, `3.2 s`, `4 min 10 s`, `3 h 5 min`, `12 d 4 h` */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return "< 1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.round(ms / 1000)} s`;
  if (ms < HOUR) return pair(ms, MINUTE, "min", 1000, "s");
  if (ms < DAY) return pair(ms, HOUR, "h", MINUTE, "min");
  return pair(ms, DAY, "d", HOUR, "h");
}

function pair(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const first = Math.floor(ms / large);
  const rest = Math.round((ms - first * large) / small);
  if (rest * small === large) return `${first + 1} ${largeName}`;
  return rest === 0 ? `${first} ${largeName}` : `${first} ${largeName} ${rest} ${smallName}`;
}

/** `3 h ago`, `in 2 d`; one unit is enough next to the instant itself. */
export function relative(at: number, now: number): string {
  const distance = Math.abs(at - now);
  if (distance < MINUTE) return "just now";
  const text =
    distance < HOUR
      ? `${Math.floor(distance / MINUTE)} min`
      : distance < DAY
        ? `${Math.floor(distance / HOUR)} h`
        : `${Math.floor(distance / DAY)} d`;
  return at <= now ? `${text} ago` : `in ${text}`;
}

/** `performanceDrop` → `performance drop` */
export function words(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/[-_]/g, " ")
    .toLowerCase();
}

export const shortId = (id: string): string => (id.length > 13 ? `…${id.slice(-8)}` : id);
export const shortHash = (hash: string): string => hash.slice(0, 12);

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`;
}
