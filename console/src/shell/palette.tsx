/** Go anywhere by typing: pages, models with their pages, versions, runs. Loaded when somebody opens it. */
import { Modal, TextInput } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { read } from "../api/client.ts";
import { keyOf, useApi } from "../api/queries.ts";
import { instant, shortId } from "../format.ts";
import { MODEL_PAGES } from "../model-pages.ts";

interface Place {
  readonly kind: "page" | "model" | "version" | "run";
  readonly name: string;
  readonly note: string;
  readonly path: string;
}

const PAGES: readonly Place[] = [
  { kind: "page", name: "Overview", note: "page", path: "/" },
  { kind: "page", name: "Runs", note: "page", path: "/runs" },
  { kind: "page", name: "Decisions", note: "page", path: "/decisions" },
  { kind: "page", name: "Alerts", note: "page", path: "/alerts" },
  { kind: "page", name: "Audit", note: "page", path: "/audit" },
];

/** Versions of more models than this are not read for a list nobody has asked for yet. */
const READ_MODELS = 20;
const READ_RUNS = 100;
const SHOWN = 12;

export function Palette({ onClose }: { readonly onClose: () => void }) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const list = useId();
  const router = useRouter();
  const places = usePlaces();
  const found = useMemo(() => search(places, text), [places, text]);
  const shown = Math.min(active, Math.max(0, found.length - 1));
  const chosen = useRef<HTMLLIElement>(null);
  useEffect(() => {
    // Newer browsers return a promise, which an effect must not.
    chosen.current?.scrollIntoView({ block: "nearest" });
  }, [shown]);

  const go = (place: Place | undefined) => {
    if (place === undefined) return;
    onClose();
    router.history.push(place.path);
  };
  const onKey = (event: KeyboardEvent) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined && found.length > 0) {
      event.preventDefault();
      setActive((shown + move + found.length) % found.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      go(found[shown]);
    }
  };
  return (
    <Modal opened onClose={onClose} title="Go to" closeButtonProps={{ "aria-label": "Close" }}>
      <TextInput
        aria-label="Page, model, version or run"
        placeholder="Page, model, version or run"
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={found.length === 0 ? undefined : `${list}-${shown}`}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setActive(0);
        }}
        onKeyDown={onKey}
        data-autofocus
      />
      <ul id={list} className="palette" role="listbox" aria-label="Places">
        {found.map((place, i) => (
          // The keys are the input's: it holds the focus while the list is open.
          // oxlint-disable-next-line click-events-have-key-events
          <li
            key={place.path}
            id={`${list}-${i}`}
            ref={i === shown ? chosen : undefined}
            role="option"
            aria-selected={i === shown}
            onClick={() => go(place)}
          >
            <span className="palette-name">{place.name}</span>
            <span className="dimmed small">{place.note}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 ? <p className="dimmed">Nothing here is called that.</p> : null}
    </Modal>
  );
}

function usePlaces(): readonly Place[] {
  const models = useApi("GET /models", {});
  const runs = useApi("GET /runs", {}, { query: { limit: READ_RUNS } });
  const names = useMemo(() => models.data?.items.map(({ name }) => name) ?? [], [models.data]);
  const versions = useQueries({
    queries: names.slice(0, READ_MODELS).map((model) => ({
      queryKey: keyOf("GET /models/:model/versions", { model }),
      queryFn: ({ signal }: { readonly signal: AbortSignal }) =>
        read("GET /models/:model/versions", { model }, undefined, signal),
    })),
    combine: (results) => results.flatMap(({ data }) => data?.items ?? []),
  });
  return useMemo(() => {
    const base = (model: string) => `/models/${encodeURIComponent(model)}`;
    return [
      ...PAGES,
      ...names.flatMap((model) =>
        MODEL_PAGES.map(
          ({ to, name }): Place => ({
            kind: "model",
            name: to === "/models/$model" ? model : `${model} ${name.toLowerCase()}`,
            note: to === "/models/$model" ? "model" : "model page",
            path: `${base(model)}${to.slice("/models/$model".length)}`,
          }),
        ),
      ),
      ...versions.map(
        ({ model, name, state }): Place => ({
          kind: "version",
          name: `${model} ${name}`,
          note: `version, ${state}`,
          path: `${base(model)}/versions/${name}`,
        }),
      ),
      ...(runs.data?.items ?? []).map(
        ({ id, model, state, queuedAt }): Place => ({
          kind: "run",
          name: `${model} run ${shortId(id)}`,
          note: `run, ${state}, ${instant(queuedAt)}`,
          path: `/runs/${id}`,
        }),
      ),
    ];
  }, [names, versions, runs.data]);
}

/** Every word must occur, in any order; where a name begins with the text it stands first. A run is found by its whole id too. */
function search(places: readonly Place[], text: string): readonly Place[] {
  const wanted = text.trim().toLowerCase();
  const words = wanted.split(/\s+/).filter((word) => word !== "");
  const rank = ({ name }: Place) => (name.toLowerCase().startsWith(wanted) ? 0 : 1);
  return places
    .filter(({ name, note, path }) => {
      const all = `${name} ${note} ${path}`.toLowerCase();
      return words.every((word) => all.includes(word));
    })
    .toSorted((left, right) => rank(left) - rank(right) || left.name.length - right.name.length)
    .slice(0, SHOWN);
}
