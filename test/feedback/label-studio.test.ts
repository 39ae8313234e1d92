// Label Studio's formats. Configurations and results are those of its documentation (tags Choices, Number, Rating; task format).
import { decode, encode } from "fast-png";
import { describe, expect, it } from "vitest";
import type { LabelingTask } from "../../src/core/index.ts";
import type { DataSchema } from "../../src/data/schema.ts";
import { compileRowValidator } from "../../src/data/validate.ts";
import {
  annotatorOf,
  exampleOf,
  featuresOf,
  findControl,
  ownControl,
  resultOf,
  type StudioResult,
  studioConfig,
  studioTask,
  valueOf,
} from "../../src/feedback/label-studio.ts";

const schema: DataSchema = {
  task: "multiclass",
  id: "flower",
  labelColumn: "label",
  features: [
    { name: "photo", spec: { kind: "image", width: 8, height: 8, channels: 1 } },
    { name: "note", spec: { kind: "text", buckets: 16, words: 1, characters: 0 } },
    { name: "width & height", spec: { kind: "number" } },
  ],
  label: { kind: "category", categories: ["iris", "rose"] },
};

describe("a labeling interface", () => {
  it("shows pictures and texts as such, the rest as a table, and offers the answers", () => {
    expect(studioConfig(schema, ["iris", '"wild" rose'])).toBe(
      [
        "<View>",
        '  <Image name="photo" value="$photo"/>',
        '  <Text name="note" value="$note"/>',
        '  <Table name="row" value="$row"/>',
        '  <Choices name="label" toName="photo" choice="single">',
        '    <Choice value="iris"/>',
        '    <Choice value="&quot;wild&quot; rose"/>',
        "  </Choices>",
        "</View>",
      ].join("\n"),
    );
    const price: DataSchema = {
      ...schema,
      task: "regression",
      features: schema.features.slice(2),
      label: { kind: "number" },
    };
    expect(studioConfig(price, null)).toContain('<Number name="label" toName="row"/>');
  });

  it("is read back as it was written", () => {
    const control = findControl(studioConfig(schema, ["iris", '"wild" rose']));
    expect(control).toEqual({ fromName: "label", toName: "photo", type: "choices", choices: ["iris", '"wild" rose'] });
  });

  it.each([
    [
      "choices with aliases, beside other tags",
      `<View><!-- <Number name="n" toName="t"/> --><Text name='txt' value='$text'/>
       <Choices toName="txt" name="sentiment" choice="single"><Choice value="Good news" alias="true"/><Choice value="No"/></Choices></View>`,
      { fromName: "sentiment", toName: "txt", type: "choices", choices: ["true", "No"] },
    ],
    [
      "a number",
      '<View><Text name="txt" value="$text" /><Number name="number" toName="txt" /></View>',
      { fromName: "number", toName: "txt", type: "number", choices: [] },
    ],
    [
      "a rating",
      '<View><Text name="txt" value="$text" /><Rating name="rating" toName="txt" maxRating="10"/></View>',
      { fromName: "rating", toName: "txt", type: "rating", choices: [] },
    ],
    ["regions only", '<View><Image name="i" value="$i"/><RectangleLabels name="l" toName="i"/></View>', undefined],
    ["nothing that is XML", "hello", undefined],
  ])("with %s is understood", (_title, config, control) => {
    expect(findControl(config)).toEqual(control);
  });
});

describe("an answer", () => {
  const result = (type: string, value: Record<string, unknown>, from_name = "label"): StudioResult => ({
    id: "Dx_aB91ISN",
    from_name,
    to_name: "img",
    type,
    value,
  });
  it.each<[string, StudioResult[], DataSchema["task"], object]>([
    ["one choice", [result("choices", { choices: ["Airbus"] })], "multiclass", { value: "Airbus" }],
    ["yes, of a binary model", [result("choices", { choices: ["Yes"] })], "binary", { value: true }],
    ["0, of a binary model", [result("choices", { choices: ["0"] })], "binary", { value: false }],
    [
      "perhaps, of a binary model",
      [result("choices", { choices: ["perhaps"] })],
      "binary",
      { problem: '"perhaps" is neither true nor false' },
    ],
    ["a number", [result("number", { number: 4.5 })], "regression", { value: 4.5 }],
    ["a rating", [result("rating", { rating: 3 })], "regression", { value: 3 }],
    ["a choice that is a number", [result("choices", { choices: ["12"] })], "regression", { value: 12 }],
    [
      "a choice that is none",
      [result("choices", { choices: ["many"] })],
      "regression",
      { problem: '"many" is no number' },
    ],
    [
      "two choices",
      [result("choices", { choices: ["a", "b"] })],
      "multiclass",
      { problem: "it holds several choices; the label is one value" },
    ],
    [
      "a choice beside another question's",
      [result("choices", { choices: ["day"] }, "time"), result("choices", { choices: ["car"] })],
      "multiclass",
      { value: "car" },
    ],
    [
      "a region",
      [result("rectanglelabels", { rectanglelabels: ["Moonwalker"] }, "tag")],
      "multiclass",
      { problem: "it holds no choice, number or rating" },
    ],
  ])("of %s", (_title, results, task, expected) => {
    expect(valueOf({ result: results }, task)).toEqual(expected);
  });

  it("goes out in the project's own words, or not at all", () => {
    const control = { ...ownControl(schema), choices: ["No", "Yes"] };
    expect(resultOf(true, control)?.value).toEqual({ choices: ["Yes"] });
    expect(resultOf("iris", control)).toBeUndefined();
    expect(resultOf(2.5, { ...control, type: "number" })).toMatchObject({ type: "number", value: { number: 2.5 } });
  });

  it.each([
    [1, "label-studio:1"],
    [{ id: 1, email: "ada@example.com", first_name: "" }, "ada@example.com"],
    [{ id: 7 }, "label-studio:7"],
    ["<b>", "label-studio"],
    [undefined, "label-studio"],
  ])("was given by %j", (completed_by, name) => {
    expect(annotatorOf({ result: [], completed_by })).toBe(name);
  });
});

describe("a task", () => {
  const task: LabelingTask = {
    id: "t1",
    model: "flowers",
    exampleId: "f1",
    at: 0,
    features: { photo: "iVBORw0KGgo=", note: "by the lake", "width & height": 3 },
    batchId: "b",
    origin: "strategy",
    strategy: "margin",
    acquisition: 0.1,
    pick: 1,
    selectionProbability: 1,
    poolSize: 9,
    version: "v3",
    scores: [0.6, 0.4],
    decision: "iris",
    needed: 1,
    state: "done",
    createdAt: 0,
  };
  it("goes out with its row, the model's answer and people's, and comes back as the same row", () => {
    const annotation = {
      id: "a1",
      taskId: "t1",
      model: "flowers",
      exampleId: "f1",
      origin: "strategy" as const,
      labeler: "ada",
      kind: "answer" as const,
      value: "rose",
      at: Date.UTC(2026, 0, 5),
      durationMs: 4288,
      undone: false,
    };
    const out = studioTask(task, {
      schema,
      annotations: [annotation, { ...annotation, undone: true }],
      isHidden: false,
    });
    expect(out).toEqual({
      data: {
        photo: "data:image/png;base64,iVBORw0KGgo=",
        note: "by the lake",
        row: { "width & height": 3 },
        retrain_task: "t1",
        retrain_example: "f1",
      },
      meta: { origin: "retrain", model: "flowers" },
      predictions: [
        {
          model_version: "v3",
          score: 0.6,
          result: [{ from_name: "label", to_name: "photo", type: "choices", value: { choices: ["iris"] } }],
        },
      ],
      annotations: [
        {
          id: "a1",
          result: [{ from_name: "label", to_name: "photo", type: "choices", value: { choices: ["rose"] } }],
          was_cancelled: false,
          ground_truth: false,
          completed_by: { email: "ada" },
          created_at: "2026-01-05T00:00:00.000Z",
          lead_time: 4.288,
        },
      ],
    });
    expect(featuresOf(schema, out)).toEqual(task.features);
    expect(exampleOf(schema, out)).toBe("f1");
  });

  it("keeps the model's answer back where it would be a hint", () => {
    expect(studioTask(task, { schema, annotations: [], isHidden: true }).predictions).toEqual([]);
  });

  it("of another source names its example by the id column, and its features beside it", () => {
    const data = { flower: 12, note: "tall", "width & height": 2 };
    expect(exampleOf(schema, { data })).toBe("12");
    expect(featuresOf(schema, { data })).toEqual({ note: "tall", "width & height": 2 });
    expect(featuresOf(schema, { data: { flower: 12 } })).toBeUndefined();
  });

  it("of pictures and vectors goes out as files and lists that anybody reads, and comes back as the same row", () => {
    const wide: DataSchema = {
      ...schema,
      features: [
        { name: "photo", spec: { kind: "image", width: 4, height: 3, channels: 3 } },
        { name: "scan", spec: { kind: "image", width: 3, height: 3, channels: 1 } },
        { name: "sound", spec: { kind: "vector", size: 3 } },
      ],
    };
    const color = Uint8Array.from({ length: 36 }, (_, i) => (i * 37) % 256);
    const gray = Uint8Array.from({ length: 9 }, (_, i) => 255 - i);
    const base64 = (width: number, channels: number, data: Uint8Array) =>
      Buffer.from(encode({ width, height: 3, channels, data })).toString("base64");
    const sent = { photo: base64(4, 3, color), scan: base64(3, 1, gray), sound: [0.5, -2, 3] };
    const check = compileRowValidator(wide);
    const featuresAs = (row: unknown) => {
      const checked = check(row, { forPrediction: true });
      if (!checked.ok) throw new Error(JSON.stringify(checked.reasons));
      return checked.features;
    };
    const stored = featuresAs(sent);
    expect(stored["photo"]).toMatch(/^px8:/);
    const out = studioTask({ ...task, features: stored }, { schema: wide, annotations: [], isHidden: true });
    const pixels = (url: unknown) => decode(Buffer.from(String(url).replace("data:image/png;base64,", ""), "base64"));
    expect(pixels(out.data["photo"])).toMatchObject({ width: 4, height: 3, channels: 3, data: color });
    expect(pixels(out.data["scan"])).toMatchObject({ width: 3, height: 3, channels: 1, data: gray });
    expect(out.data["row"]).toEqual({ sound: [0.5, -2, 3] });
    expect(featuresAs(featuresOf(wide, out))).toEqual(stored);
  });
});
