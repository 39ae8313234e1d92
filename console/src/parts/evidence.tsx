import type { Json, JsonObject } from "../../../src/server/contract.ts";
import { number, words } from "../format.ts";

const plain = (value: Json) => (typeof value === "string" ? value : JSON.stringify(value));

/** Evidence as it was recorded, folded away. One or two plain values are shown at once. */
export function Evidence({ value, label }: { readonly value: JsonObject; readonly label: string }) {
  const entries = Object.entries(value);
  if (entries.length === 0) return <span className="dimmed">–</span>;
  const isPlain = entries.every(([, one]) => typeof one !== "object" || one === null);
  if (isPlain && entries.length <= 2) {
    return (
      <div className="small">
        {entries.map(([name, one]) => (
          <div key={name}>
            {words(name)}: {typeof one === "number" ? number(one) : plain(one)}
          </div>
        ))}
      </div>
    );
  }
  return (
    <details>
      <summary className="nowrap">{label}</summary>
      <pre className="json" tabIndex={0}>
        {JSON.stringify(value, null, 2)}
      </pre>
    </details>
  );
}
