/** What every store must do with the labeling queue: nobody is asked twice, no slot is held twice, no answer is lost. */
import { describe, expect, it } from "vitest";
import type { ClaimRequest, LabelingBatch, LabelingTask, NewAnnotation } from "../../src/core/index.ts";
import { settleTask } from "../../src/feedback/consensus.ts";
import { START } from "../storage/support/events.ts";
import { codeThrown, type StorePlace } from "./store-place.ts";

const LEASE = 60_000;

function batchOf(model: string, id = `${model}-b1`): LabelingBatch {
  return {
    id,
    model,
    createdAt: START,
    strategy: "margin",
    poolSize: 100,
    picked: 0,
    random: 0,
    gold: 0,
    durationMs: 1,
  };
}
function taskOf(model: string, id: string, change: Partial<LabelingTask> = {}): LabelingTask {
  return {
    id: `${model}-${id}`,
    model,
    exampleId: id,
    at: START,
    features: { age: 30, job: "clerk\nwith\nlines", member: null },
    batchId: `${model}-b1`,
    origin: "strategy",
    strategy: "margin",
    acquisition: 0.1,
    pick: 1,
    selectionProbability: 1,
    poolSize: 100,
    needed: 1,
    state: "open",
    createdAt: START,
    ...change,
  };
}
const claimOf = (model: string, labeler: string, count: number, now = START) => ({
  model,
  labeler,
  count,
  now,
  leaseMs: LEASE,
  goldEvery: 0,
});
const answer = (taskId: string, labeler: string, value: boolean, change: Partial<NewAnnotation> = {}) => ({
  taskId,
  labeler,
  kind: "answer" as const,
  value,
  at: START + 5,
  ...change,
});

export function describeLabeling(place: StorePlace): void {
  const labeling = () => place.store.labeling;
  const claim = async (request: ClaimRequest) => (await labeling().claim(request)).tasks;
  describe("the labeling queue", () => {
    it("adds a batch once, without examples that are asked already, and gives tasks back as they were", async () => {
      const model = "queue-add";
      const tasks = [taskOf(model, "a"), taskOf(model, "b")];
      expect(await labeling().addBatch(batchOf(model), tasks)).toBe(2);
      expect(await labeling().addBatch(batchOf(model), tasks)).toBe(0);
      const again = { ...taskOf(model, "a2"), exampleId: "a" };
      expect(await labeling().addBatch(batchOf(model, `${model}-b2`), [again, taskOf(model, "c")])).toBe(1);
      expect(await labeling().task(`${model}-a`)).toEqual(tasks[0]);
      expect((await labeling().tasks({ model, limit: 10 })).map(({ exampleId }) => exampleId)).toEqual(["c", "b", "a"]);
      expect(new Set(await labeling().askedExamples(model))).toEqual(new Set(["a", "b", "c"]));
      expect(await labeling().createdSince(model, START)).toBe(3);
      expect((await labeling().batches({ model, limit: 10 })).map(({ id }) => id)).toEqual([
        `${model}-b2`,
        `${model}-b1`,
      ]);
    });

    it("never gives one task to two people, whatever they ask at once, and takes it back when the lease ends", async () => {
      const model = "queue-claim";
      await labeling().addBatch(
        batchOf(model),
        Array.from({ length: 30 }, (_, i) => taskOf(model, `e${i}`)),
      );
      const people = ["ann", "bob", "cid", "dora", "eve", "fay"];
      const claims = await Promise.all(people.map((one) => claim(claimOf(model, one, 4))));
      const ids = claims.flatMap((tasks) => tasks.map(({ id }) => id));
      expect(ids).toHaveLength(24);
      expect(new Set(ids).size).toBe(24);
      // Asking again renews what is held, and takes no more than was asked for.
      const renewed = await claim(claimOf(model, "ann", 4, START + 1));
      expect(renewed.map(({ id }) => id)).toEqual(claims[0]?.map(({ id }) => id));
      const later = await claim(claimOf(model, "gus", 30, START + LEASE + 1));
      // Ann renewed by a millisecond; the other twenty leases are over.
      expect(later).toHaveLength(26);
      expect(later.map(({ id }) => id)).not.toContain(claims[0]?.[0]?.id);
      expect(await codeThrown(labeling().annotate(answer(claims[1]?.[0]?.id ?? "", "bob", true), settleTask))).toBe(
        "CONFLICT",
      );
      expect(await labeling().release(model, "gus")).toBe(26);
    });

    it("deals to everybody who asks at once as many as they asked for, oldest first, and no task twice to one person", async () => {
      const model = "queue-deal";
      const tasks = Array.from({ length: 20 }, (_, i) => taskOf(model, `e${i}`, { needed: i % 3 === 0 ? 2 : 1 }));
      const due = taskOf(model, "r", { origin: "review", dueAt: START + 100, predictionId: "p-deal", version: "v1" });
      await labeling().addBatch(batchOf(model), [...tasks, due]);
      // Ann has answered the first overlap task and holds the second: the other slots of both are for others.
      await claim(claimOf(model, "ann", 3));
      await labeling().annotate(answer(`${model}-r`, "ann", true), settleTask);
      await labeling().annotate(answer(`${model}-e0`, "ann", true), settleTask);
      const [first, ...others] = await Promise.all([
        labeling().claim(claimOf(model, "zoe", 1)),
        labeling().claim(claimOf(model, "ann", 4)),
        labeling().claim({ ...claimOf(model, "bob", 2), reviewsOnly: true }),
        labeling().claim(claimOf(model, "cid", 5)),
        labeling().claim(claimOf(model, "dora", 9)),
        labeling().claim(claimOf(model, "eve", 50)),
      ]);
      const names = [first, ...others].map((one) => (one?.tasks ?? []).map(({ exampleId }) => exampleId));
      const counted = names.map((own) => own.length);
      expect(counted.slice(0, 5)).toEqual([1, 4, 0, 5, 9]);
      // All in one transaction leave her seven; in two, the last overlap task has both slots free, and she may hold one of them.
      expect([6, 7]).toContain(counted[5]);
      for (const own of names) expect(new Set(own).size).toBe(own.length);
      expect(names[0]).toEqual(["e0"]);
      expect(names[1]).not.toContain("e0");
      expect(names[1]).toContain("e1");
      // Every task is in somebody's hands, and none in more than were asked for; Ann has answered one of the slots.
      const held = new Map<string, number>();
      for (const id of names.flat()) held.set(id, (held.get(id) ?? 0) + 1);
      for (const { exampleId, needed } of tasks) {
        const mostly = exampleId === "e0" ? needed - 1 : needed;
        expect(held.get(exampleId) ?? 0, exampleId).toBeGreaterThan(0);
        expect(held.get(exampleId), exampleId).toBeLessThanOrEqual(mostly);
      }
      expect(others.map(({ counts }) => counts.mine)).toEqual([2, 0, 0, 0, 0]);
      expect(others.at(-1)?.counts).toMatchObject({ states: { open: 20, done: 1 }, reviews: 0 });
      expect((await labeling().counts(model)).claimed).toBe(names.flat().length);
    });

    it("holds the label of an answer until the log has it, and takes it back when the answer is undone", async () => {
      const model = "queue-answer";
      await labeling().addBatch(batchOf(model), [taskOf(model, "a"), taskOf(model, "r", { origin: "random" })]);
      await claim(claimOf(model, "ann", 2));
      const done = await labeling().annotate(answer(`${model}-a`, "ann", true, { comment: "clear" }), settleTask);
      expect(done.task).toMatchObject({ state: "done", answer: true, closedBy: "answers", closedAt: START + 5 });
      const repeated = await labeling().annotate(answer(`${model}-a`, "ann", true), settleTask);
      expect(repeated.annotation).toEqual(done.annotation);
      await labeling().annotate(answer(`${model}-r`, "ann", false), settleTask);
      const mine = async () => (await labeling().effects(100)).filter((effect) => effect.model === model);
      expect((await mine()).map(({ event }) => event)).toEqual([
        {
          kind: "label",
          exampleId: "a",
          at: START + 5,
          value: true,
          labelSource: "expert",
          comment: "clear",
          selective: true,
        },
        { kind: "label", exampleId: "r", at: START + 5, value: false, labelSource: "expert" },
      ]);
      await labeling().finishEffects((await mine()).map(({ id }) => id));
      const undoing = { model, labeler: "ann", now: START + 9, leaseMs: LEASE, at: START + 9 };
      const undone = await labeling().undo(undoing, settleTask);
      expect(undone.task).toMatchObject({ exampleId: "r", state: "open" });
      expect(undone.task.answer).toBeUndefined();
      expect((await mine()).map(({ event }) => event.value)).toEqual([null]);
      // It is in the person's hands again.
      expect((await claim(claimOf(model, "ann", 1, START + 10))).map(({ exampleId }) => exampleId)).toEqual(["r"]);
      await labeling().undo(undoing, settleTask);
      expect(await codeThrown(labeling().undo(undoing, settleTask))).toBe("NOT_FOUND");
      await labeling().finishEffects((await mine()).map(({ id }) => id));
    });

    it("asks a third person where two differ, and an adjudicator where a task is flagged", async () => {
      const model = "queue-overlap";
      await labeling().addBatch(batchOf(model), [taskOf(model, "a", { needed: 2 }), taskOf(model, "b")]);
      for (const [labeler, value] of [
        ["ann", true],
        ["bob", false],
      ] as const) {
        const [task] = await claim(claimOf(model, labeler, 1));
        expect(task?.exampleId).toBe("a");
        await labeling().annotate(answer(`${model}-a`, labeler, value), settleTask);
        // One person is never asked the same twice.
        expect((await claim(claimOf(model, labeler, 1)))[0]?.exampleId).toBe("b");
        await labeling().release(model, labeler);
      }
      expect(await labeling().task(`${model}-a`)).toMatchObject({ state: "open", needed: 3 });
      await claim(claimOf(model, "cid", 2));
      const third = await labeling().annotate(answer(`${model}-a`, "cid", false), settleTask);
      expect(third.task).toMatchObject({ state: "done", answer: false });
      const flag = { taskId: `${model}-b`, labeler: "cid", kind: "flag" as const, at: START, comment: "torn" };
      expect((await labeling().annotate(flag, settleTask)).task.state).toBe("adjudicate");
      expect(await claim(claimOf(model, "ann", 5))).toEqual([]);
      const verdict = { taskId: `${model}-b`, labeler: "judge", kind: "adjudication" as const, value: true, at: START };
      expect((await labeling().annotate(verdict, settleTask)).task).toMatchObject({
        state: "done",
        answer: true,
        closedBy: "adjudication",
      });
      expect(await labeling().counts(model)).toMatchObject({
        states: { open: 0, adjudicate: 0, done: 2, discarded: 0 },
        claimed: 0,
      });
      await labeling().finishEffects((await labeling().effects(100)).map(({ id }) => id));
    });

    it("gives a skipped task to somebody else, and a gold question to everybody once", async () => {
      const model = "queue-gold";
      await labeling().addBatch(batchOf(model), [
        taskOf(model, "g", { origin: "gold", answer: true }),
        taskOf(model, "a"),
      ]);
      for (const labeler of ["ann", "bob"]) {
        const asked = await claim({ ...claimOf(model, labeler, 2), goldEvery: 1 });
        expect(asked.map(({ origin }) => origin).sort()).toEqual(["gold", "strategy"]);
        await labeling().annotate(answer(`${model}-g`, labeler, labeler === "ann"), settleTask);
        const skip = { taskId: `${model}-a`, labeler, kind: "skip" as const, at: START };
        expect((await labeling().annotate(skip, settleTask)).task.state).toBe("open");
        expect(await claim({ ...claimOf(model, labeler, 2), goldEvery: 1 })).toEqual([]);
      }
      expect(await labeling().task(`${model}-g`)).toMatchObject({ state: "open", answer: true });
      expect((await labeling().effects(100)).filter((effect) => effect.model === model)).toEqual([]);
      expect((await labeling().counts(model, "ann")).mine).toBe(2);
      expect((await labeling().annotations({ model, labeler: "bob", limit: 10 })).map(({ kind }) => kind)).toEqual([
        "skip",
        "answer",
      ]);
    });

    it("finds reviews whose deadline has passed, hands them out first, and closes them", async () => {
      const model = "queue-due";
      await labeling().addBatch(batchOf(model), [
        taskOf(model, "a"),
        taskOf(model, "r", { origin: "review", dueAt: START + 100, predictionId: "p-due", version: "v1" }),
      ]);
      expect(await labeling().nextDueAt(model)).toBe(START + 100);
      expect(await labeling().overdue(model, START + 99)).toEqual([]);
      const overdue = await labeling().overdue(model, START + 100);
      expect(overdue.map(({ exampleId }) => exampleId)).toEqual(["r"]);
      expect((await claim(claimOf(model, "ann", 1)))[0]?.exampleId).toBe("r");
      await labeling().close([`${model}-r`], { state: "done", closedBy: "deadline", at: START + 101, answer: true });
      const [closed] = await labeling().tasks({ model, predictionId: "p-due", limit: 1 });
      expect(closed).toMatchObject({ state: "done", closedBy: "deadline", answer: true, closedAt: START + 101 });
      expect(await codeThrown(labeling().annotate(answer(`${model}-r`, "ann", true), settleTask))).toBe("CONFLICT");
    });
  });
}
