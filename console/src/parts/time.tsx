import { instant, relative } from "../format.ts";
import { useNow } from "./now.ts";

/** An instant with its distance from the server's now. */
export function Time({ at, isShort = false }: { readonly at: number | null | undefined; readonly isShort?: boolean }) {
  const now = useNow();
  if (at === null || at === undefined) return <span className="dimmed">–</span>;
  const text = instant(at);
  const distance = now === undefined ? "" : relative(at, now);
  return (
    <time dateTime={new Date(at).toISOString()} title={isShort ? `${text} UTC` : distance} className="nowrap">
      {isShort && now !== undefined ? distance : text}
    </time>
  );
}
