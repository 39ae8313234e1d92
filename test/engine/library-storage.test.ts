/** Contexts of the workflow library: its endless loop must not keep them switched on. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/index.ts";
import { LibraryStorage } from "../../src/engine/library-storage.ts";

const isOn = (storage: LibraryStorage) => (storage as unknown as { enabled?: boolean }).enabled ?? false;

describe("a storage of the workflow library", () => {
  it("holds the signal of an endless loop everywhere, without tracking anything", async () => {
    const storage = new LibraryStorage();
    const { signal } = new AbortController();
    let stop = () => {};
    const loop = storage.run(signal, () => new Promise<void>((resolve) => (stop = resolve)));
    expect(isOn(storage)).toBe(false);
    await systemClock.sleep(1);
    expect(storage.getStore()).toBe(signal);
    stop();
    await loop;
    expect(storage.getStore()).toBeUndefined();
  });

  it("lets work that the loop starts leave the signal, and enter contexts of its own", async () => {
    const storage = new LibraryStorage();
    const { signal } = new AbortController();
    const seen: unknown[] = [];
    await storage.run(signal, async () => {
      await storage.run(undefined, async () => {
        await systemClock.sleep(1);
        seen.push(storage.getStore());
      });
      await storage.run("workflow", async () => {
        await systemClock.sleep(1);
        seen.push(storage.getStore());
      });
      seen.push(storage.getStore());
    });
    expect(seen).toEqual([undefined, "workflow", signal]);
    expect(isOn(storage)).toBe(false);
  });

  it("keeps the signal of the newest loop", async () => {
    const storage = new LibraryStorage();
    const [first, second] = [new AbortController().signal, new AbortController().signal];
    let stop = () => {};
    const older = storage.run(first, () => new Promise<void>((resolve) => (stop = resolve)));
    const newer = storage.run(second, () => new Promise<void>(() => {}));
    stop();
    await older;
    expect(storage.getStore()).toBe(second);
    expect(newer).toBeInstanceOf(Promise);
  });
});
