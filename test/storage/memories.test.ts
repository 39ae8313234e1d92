import { describe, expect, it } from "vitest";
import type { LabelingStore } from "../../src/core/index.ts";
import { rememberIdle } from "../../src/storage/tables/labeling-memory.ts";
import { RowMemory } from "../../src/storage/tables/row-memory.ts";

describe("remembered rows", () => {
  it("are asked for once, until somebody writes", async () => {
    const memory = new RowMemory<number>(true);
    let asked = 0;
    const ask = async () => ++asked;
    expect([await memory.read("a", ask), await memory.read("a", ask)]).toEqual([1, 1]);
    await memory.write(async () => {}, ["b"]);
    expect(await memory.read("a", ask)).toBe(1);
    await memory.write(async () => {}, ["a"]);
    expect(await memory.read("a", ask)).toBe(2);
    await expect(
      memory.write(async () => {
        throw new Error("lost");
      }),
    ).rejects.toThrow("lost");
    expect(await memory.read("a", ask)).toBe(3);
  });

  it("never hold what was asked before a write or during one", async () => {
    const memory = new RowMemory<string>(true);
    const during = await memory.write(() => memory.read("a", async () => "old"));
    expect(during).toBe("old");
    expect(await memory.read("a", async () => "new")).toBe("new");
    const late = memory.read("b", async () => {
      await memory.write(async () => {});
      return "old";
    });
    expect(await late).toBe("old");
    expect(await memory.read("b", async () => "new")).toBe("new");
  });

  it("are what was written, unless another write went on beside it or it did not come about", async () => {
    const memory = new RowMemory<number>(true);
    const never = async (): Promise<number> => {
      throw new Error("asked");
    };
    await memory.put(async () => true, new Map([["a", 7]]));
    expect(await memory.read("a", never)).toBe(7);
    await memory.put(
      async () => false,
      new Map([["a", 8]]),
      (isWritten) => isWritten,
    );
    expect(await memory.read("a", async () => 9)).toBe(9);
    let release: () => void = () => {};
    const slow = memory.put(() => new Promise<void>((resolve) => (release = resolve)), new Map([["a", 1]]));
    await memory.put(async () => {}, new Map([["a", 2]]));
    release();
    await slow;
    expect(await memory.read("a", async () => 3)).toBe(3);
    await expect(
      memory.put(
        async () => {
          throw new Error("lost");
        },
        new Map([["a", 4]]),
      ),
    ).rejects.toThrow("lost");
    expect(await memory.read("a", async () => 5)).toBe(5);
    const shared = new RowMemory<number>(false);
    await shared.put(async () => {}, new Map([["a", 1]]));
    expect(await shared.read("a", async () => 6)).toBe(6);
  });

  it("are none where others write too", async () => {
    const memory = new RowMemory<number>(false);
    let asked = 0;
    await memory.read("a", async () => ++asked);
    expect(await memory.read("a", async () => ++asked)).toBe(2);
  });
});

describe("an idle labeling queue", () => {
  it("is asked once, until something is written to it", async () => {
    let asked = 0;
    let open: { id: string }[] = [];
    const bare = {
      feedback: { add: async () => {} },
      addTasks: async () => void (open = [{ id: "t" }]),
      tasks: async () => {
        asked++;
        return open;
      },
      nextDueAt: async () => (open.length === 0 ? undefined : 50),
      overdue: async () => open,
    } as unknown as LabelingStore;
    const store = rememberIdle(bare, true);
    const filter = { model: "m", limit: 5 };
    for (let i = 0; i < 3; i++) expect(await store.tasks(filter)).toEqual([]);
    expect(asked).toBe(1);
    expect(await store.overdue("m", 100)).toEqual([]);
    await store.addTasks([]);
    expect(await store.tasks(filter)).toHaveLength(1);
    expect(await store.tasks(filter)).toHaveLength(1);
    expect(asked).toBe(3);
    expect(await store.overdue("m", 49)).toEqual([]);
    expect(await store.overdue("m", 50)).toHaveLength(1);
  });
});
