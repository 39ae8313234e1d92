/** The frame around every page: brand, clock, live state, navigation. */
import { ActionIcon, Button, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { type ErrorComponentProps, Link, Outlet, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { useLive } from "../api/live.tsx";
import { useApi } from "../api/queries.ts";
import { instant } from "../format.ts";
import { Empty } from "../parts/feedback.tsx";
import { Icon } from "../parts/icons.tsx";
import { PageHeading } from "../parts/layout.tsx";
import { useShortcuts } from "./shortcuts.tsx";
import { Navigation } from "./navigation.tsx";

const Palette = lazy(() => import("./palette.tsx").then((module) => ({ default: module.Palette })));
const HelpDialog = lazy(() => import("./help-dialog.tsx").then((module) => ({ default: module.HelpDialog })));

export function Shell() {
  const [isMenuOpen, setIsMenuOpen] = useState(false);
  const [isHelpOpen, setIsHelpOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const [isPaletteOpen, setIsPaletteOpen] = useState(false);
  const openHelp = useCallback(() => setIsHelpOpen(true), []);
  const openPalette = useCallback(() => setIsPaletteOpen(true), []);
  useShortcuts(openHelp, openPalette);

  // A new page starts at its content, also for readers who hear it.
  useEffect(() => {
    setIsMenuOpen(false);
    if (isFirst.current) isFirst.current = false;
    else main.current?.focus({ preventScroll: true });
  }, [path]);

  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="top">
        <Button
          className="menu-button"
          variant="default"
          size="compact-sm"
          aria-expanded={isMenuOpen}
          aria-controls="navigation"
          onClick={() => setIsMenuOpen(!isMenuOpen)}
          leftSection={<Icon name="list" />}
        >
          Menu
        </Button>
        <Link to="/" className="brand">
          <img src="/favicon.svg" width="22" height="22" alt="" />
          Retrain
        </Link>
        <Clock />
        <div className="top-right">
          <LiveButton />
          <SchemeButton />
          <ActionIcon
            className="palette-button"
            variant="default"
            size="md"
            aria-label="Go to a page, model, version or run"
            title="Ctrl K"
            onClick={openPalette}
          >
            <Icon name="search" />
          </ActionIcon>
          <ActionIcon variant="default" size="md" aria-label="Keyboard shortcuts" onClick={openHelp}>
            <Icon name="question" />
          </ActionIcon>
        </div>
      </header>
      <Navigation isOpen={isMenuOpen} />
      <main id="main" ref={main} tabIndex={-1}>
        <StoreNotice />
        <Outlet />
      </main>
      {isPaletteOpen && (
        <Suspense fallback={null}>
          <Palette onClose={() => setIsPaletteOpen(false)} />
        </Suspense>
      )}
      {isHelpOpen && (
        <Suspense fallback={null}>
          <HelpDialog isOpen onClose={() => setIsHelpOpen(false)} />
        </Suspense>
      )}
    </div>
  );
}

function Clock() {
  const server = useApi("GET /server", {});
  if (server.data === undefined) return null;
  const { now, replay } = server.data;
  return (
    <span
      className="clock"
      title={replay ? "A recorded history is being replayed on its own clock" : "The server's clock"}
    >
      {replay ? <span className="tag">replay</span> : null}
      <time dateTime={new Date(now).toISOString()}>{instant(now)} UTC</time>
    </span>
  );
}

const LIVE_WORDS = { connecting: "Connecting", live: "Live", lost: "No connection", paused: "Paused" } as const;

function LiveButton() {
  const { state, paused, setPaused } = useLive();
  return (
    <Button
      variant="default"
      size="compact-sm"
      className="live-button"
      aria-pressed={paused}
      aria-label={paused ? "Resume live updates" : `Pause live updates (now: ${LIVE_WORDS[state].toLowerCase()})`}
      onClick={() => setPaused(!paused)}
      leftSection={
        <span className="live-mark" data-state={state}>
          <Icon name={paused ? "play" : state === "lost" ? "exclamation" : "pause"} size={13} />
        </span>
      }
    >
      {LIVE_WORDS[state]}
    </Button>
  );
}

function SchemeButton() {
  const scheme = useComputedColorScheme("light");
  const { setColorScheme } = useMantineColorScheme();
  const other = scheme === "dark" ? "light" : "dark";
  return (
    <ActionIcon variant="default" size="md" aria-label={`Use ${other} colors`} onClick={() => setColorScheme(other)}>
      <Icon name={scheme === "dark" ? "sun" : "moon"} />
    </ActionIcon>
  );
}

/** A store that takes no writes is the one thing every page must say. */
function StoreNotice() {
  const server = useApi("GET /server", {});
  const store = server.data?.store;
  if (store === undefined || store.state === "up") return null;
  const text =
    store.state === "full" ? "The disk is full: nothing new is stored." : "The store is down: nothing is stored.";
  return (
    <div className="notice" role="alert">
      <Icon name="exclamation" /> {text} Predictions are still answered. {store.reason ?? ""}
    </div>
  );
}

export function NotFound() {
  return (
    <>
      <PageHeading title="No such page" />
      <Empty
        sentence="Nothing is at this address; the record it named may have been removed."
        action={
          <Link className="link" to="/">
            Go to the overview
          </Link>
        }
      />
    </>
  );
}

export function PageFailed({ error, reset }: ErrorComponentProps) {
  return (
    <>
      <PageHeading title="This page broke" />
      <div className="empty">
        <p>{error instanceof Error ? error.message : String(error)}</p>
        <Button variant="default" onClick={reset}>
          Try again
        </Button>
      </div>
    </>
  );
}
