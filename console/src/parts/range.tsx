/** A stretch of time to look at: one of a few, or any two days, in the address either way. Days are UTC. */
import { TextInput } from "@mantine/core";
import { day } from "../format.ts";
import { type Range, RANGES, type RangeSearch } from "../search.ts";
import { useNow } from "./now.ts";
import { Segments } from "./segments.tsx";

/** `from` is rounded so that a moving clock does not make a new request each second. */
const ROUND_MS = 60_000;
const DAY_MS = 86_400_000;

/** What to ask the server for; both ends are left out where all is wanted. */
export function rangeQuery(search: RangeSearch, now: number | undefined): { from?: number; to?: number } {
  const { range, from, to } = search;
  if (from !== undefined || to !== undefined) {
    // The last day is meant whole.
    return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to: to + DAY_MS }) };
  }
  if (range === undefined || range === "all" || now === undefined) return {};
  return { from: Math.floor((now - RANGES[range]) / ROUND_MS) * ROUND_MS };
}

type Choice = Range | "days";

export function RangeFilter(props: { readonly range: RangeSearch; readonly onChange: (next: RangeSearch) => void }) {
  const { range: search, onChange } = props;
  const now = useNow();
  const isFree = search.from !== undefined || search.to !== undefined;
  const choose = (choice: Choice) => {
    if (choice !== "days") {
      onChange({ range: choice === "all" ? undefined : choice, from: undefined, to: undefined });
      return;
    }
    const end = Math.floor((now ?? 0) / DAY_MS) * DAY_MS;
    const known = RANGES[search.range ?? "all"];
    onChange({ range: undefined, from: end - (Number.isFinite(known) ? known : 30 * DAY_MS), to: end });
  };
  const set = (end: "from" | "to", text: string) => {
    const at = Date.parse(text);
    onChange({ range: undefined, [end]: Number.isFinite(at) ? at : undefined });
  };
  return (
    <>
      <Segments<Choice>
        label="Time range"
        withLabel
        value={isFree ? "days" : (search.range ?? "all")}
        options={[
          ...(Object.keys(RANGES) as Range[]).map((one) => [one, one === "all" ? "All" : one] as const),
          ["days", "From … to"],
        ]}
        onChange={choose}
      />
      {isFree ? (
        <>
          <DayInput label="From day" at={search.from} max={search.to} onChange={(text) => set("from", text)} />
          <DayInput label="To day" at={search.to} min={search.from} onChange={(text) => set("to", text)} />
        </>
      ) : null}
    </>
  );
}

function DayInput(props: {
  readonly label: string;
  readonly at: number | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly onChange: (text: string) => void;
}) {
  const { label, at, min, max, onChange } = props;
  return (
    <TextInput
      label={label}
      type="date"
      size="sm"
      value={at === undefined ? "" : day(at)}
      {...(min === undefined ? {} : { min: day(min) })}
      {...(max === undefined ? {} : { max: day(max) })}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
