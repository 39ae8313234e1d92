/** An asynchronous context that is switched off while nobody is inside. */
import { describe, expect, it } from "vitest";
import { RestingStorage, systemClock } from "../../src/core/index.ts";

describe("a resting storage", () => {
  it("follows promises and timers like any other while somebody is inside", async () => {
    const storage = new RestingStorage<string>();
    const seen = async (name: string, ms: number) => {
      await systemClock.sleep(ms);
      return `${name}:${storage.getStore()}`;
    };
    const [one, two] = await Promise.all([
      storage.run("a", () => seen("one", 20)),
      storage.run("b", () => storage.run("c", () => seen("two", 5))),
    ]);
    expect([one, two]).toEqual(["one:a", "two:c"]);
    expect(storage.getStore()).toBeUndefined();
  });

  it("passes values on, errors too, and rests afterwards", async () => {
    const storage = new RestingStorage<string>();
    // Node 24 has no switch, and no need of one.
    const isOn = () => (storage as unknown as { enabled?: boolean }).enabled ?? false;
    expect(storage.run("a", isOn)).toBe("enabled" in storage);
    expect(storage.run("a", (left: number, right: number) => `${storage.getStore()}${left}${right}`, 1, 2)).toBe("a12");
    expect(() =>
      storage.run("a", () => {
        throw new Error("thrown");
      }),
    ).toThrow("thrown");
    await expect(storage.run("a", () => Promise.reject(new Error("rejected")))).rejects.toThrow("rejected");
    expect(storage.getStore()).toBeUndefined();
    expect(isOn()).toBe(false);
  });
});
