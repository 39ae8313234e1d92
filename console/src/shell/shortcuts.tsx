/** Keys that work on every page: `g` then a letter goes somewhere, `?` shows this list, Ctrl or Cmd and K finds a place, space-free so nothing typed is lost. */
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useLive } from "../api/live.tsx";

const GOTO = { o: "/", r: "/runs", d: "/decisions", a: "/alerts" } as const;
/** The second key must follow soon, or a stray `g` would wait for ever. */
const SEQUENCE_MS = 1500;

export function useShortcuts(onHelp: () => void, onPalette: () => void): void {
  const navigate = useNavigate();
  const { paused, setPaused } = useLive();
  const pending = useRef(0);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
        // The browser would go to its address bar.
        event.preventDefault();
        onPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const target = GOTO[event.key as keyof typeof GOTO];
      const isSecond = event.timeStamp - pending.current < SEQUENCE_MS;
      pending.current = 0;
      if (isSecond && target !== undefined) void navigate({ to: target });
      else if (event.key === "g") pending.current = event.timeStamp;
      else if (event.key === "?") onHelp();
      else if (event.key === "p") setPaused(!paused);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [navigate, onHelp, onPalette, paused, setPaused]);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
