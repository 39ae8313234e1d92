/** Following the configuration file. A bad edit is reported and the running configuration stays. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import { asRetrainError, type RetrainError } from "../core/index.ts";
import { findConfig, type LoadedConfig, type LoadOptions, loadConfig } from "./load.ts";

export interface ConfigWatcher {
  /** Looks now, without waiting for the file system to tell. Resolves when the change, if any, has been handled. */
  check(): Promise<void>;
  close(): void;
}

/** Editors write a file in several steps; after this pause it is whole. */
const SETTLE_MS = 150;

/**
 * Calls `onChange` with each new good configuration and `onError` for each bad one, once per content, never both at once.
 * Files that the configuration imports are read anew with it, but a change in them alone is not noticed.
 */
export function watchConfig(
  where: string,
  options: LoadOptions,
  handlers: {
    readonly onChange: (loaded: LoadedConfig) => void | Promise<void>;
    readonly onError: (error: RetrainError) => void;
  },
): ConfigWatcher {
  const path = findConfig(where);
  const folder = dirname(path);
  const watched = new Set([basename(path), ".env"]);
  let known = fingerprint(path);
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();

  const look = async () => {
    const now = fingerprint(path);
    // A file that is gone for a moment is one being replaced.
    if (now === known || !existsSync(path)) return;
    known = now;
    try {
      await handlers.onChange(await loadConfig(path, options));
    } catch (error) {
      handlers.onError(asRetrainError(error));
    }
  };
  const check = () => {
    turn = turn.then(look, look);
    return turn;
  };
  // The folder, not the file: editors replace files, and a watch on a replaced file hears nothing any more.
  const watcher = watch(folder, { persistent: false }, (_, name) => {
    if (name !== null && !watched.has(name)) return;
    clearTimeout(timer);
    timer = setTimeout(() => void check(), SETTLE_MS);
    timer.unref();
  });
  watcher.on("error", (error) => handlers.onError(asRetrainError(error)));
  return {
    check,
    close() {
      clearTimeout(timer);
      watcher.close();
    },
  };
}

function fingerprint(path: string): string {
  const hash = createHash("sha256");
  for (const one of [path, join(dirname(path), ".env")]) {
    hash.update(existsSync(one) ? readFileSync(one) : "absent").update("\u001f");
  }
  return hash.digest("hex");
}
