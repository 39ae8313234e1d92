/** What both ways of labeling share: an answer as a button with its key, and the keys of the page. */
import { Kbd } from "@mantine/core";
import { useEffect, useRef } from "react";
import type { LabelValue } from "../../../src/server/contract.ts";

export function Choice(props: {
  readonly index: number;
  readonly value: LabelValue;
  readonly isSuggested?: boolean;
  readonly onClick: () => void;
}) {
  const { index, value, isSuggested = false, onClick } = props;
  return (
    <button type="button" className="choice" data-suggested={isSuggested} onClick={onClick}>
      {index < 9 ? <Kbd aria-hidden="true">{index + 1}</Kbd> : null}
      <span>{nameOf(value)}</span>
      {isSuggested ? <span className="sr-only"> (what the model says)</span> : null}
    </button>
  );
}

export function nameOf(value: LabelValue): string {
  if (typeof value === "boolean") return value ? "Yes" : "No";
  return String(value);
}

/** No number has such a character, and nothing is there to take back in an empty field. */
function isNoNumber(target: HTMLElement, key: string): boolean {
  if (!(target instanceof HTMLInputElement) || target.inputMode !== "decimal") return false;
  return key === "Backspace" ? target.value === "" : /^[ fc?]$/.test(key);
}

/** Keys of this page come before those of the whole console; what is typed into a field, or pressed on a button, is not one. */
export function useKeys(onKey: (key: string) => boolean): void {
  const latest = useRef(onKey);
  latest.current = onKey;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const { target } = event;
      const isTyping =
        target instanceof HTMLElement &&
        /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) &&
        !isNoNumber(target, event.key);
      const isPressing =
        target instanceof HTMLElement &&
        /^(BUTTON|A|SUMMARY)$/.test(target.tagName) &&
        (event.key === " " || event.key === "Enter");
      if (isTyping || isPressing || document.querySelector("[role=dialog]") !== null) return;
      if (!latest.current(event.key)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    window.addEventListener("keydown", listen, { capture: true });
    return () => window.removeEventListener("keydown", listen, { capture: true });
  }, []);
}
