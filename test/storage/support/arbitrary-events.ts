/** Any event, for tests by properties. Features are often those of `logSchema`, and often not. */
import fc from "fast-check";
import type { ExampleEvent } from "../../../src/core/index.ts";

/** Any UTF-16 text: NUL, lone surrogates and line ends included. */
export const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.string({ maxLength: 8 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 }).map((codes) => String.fromCharCode(...codes)),
  fc.constantFrom("", "\u0001", "\u0000", "\ud800", "a\nb", "__proto__", "null", '{"a":1}', "-0"),
);
export const anyNumber = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e308, 5e-324),
);
const anyValue = fc.oneof(anyNumber, anyText, fc.boolean(), fc.constant(null));
const optional = <T>(name: string, value: fc.Arbitrary<T>) => fc.record({ [name]: value }, { requiredKeys: [] });

/** Texts that JSON writes as they are. */
const plainText = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 6 }).map((text) => text.replaceAll(/["\\\p{Cc}]/gu, "")),
  fc.constantFrom("null", "true", "1", "é", "a,b", "\u2028", "'", "{}"),
);
const typed = {
  age: fc.option(anyNumber),
  job: fc.option(fc.oneof(anyText, plainText)),
  member: fc.option(fc.boolean()),
};
const features = fc
  .tuple(
    fc.oneof(fc.record(typed), fc.record(typed, { requiredKeys: [] })),
    fc.dictionary(anyText, anyValue, { maxKeys: 2 }),
    fc.boolean(),
  )
  .map(([typed, loose, isLoose]) => (isLoose ? { ...typed, ...loose } : typed));
const labelValue = fc.oneof(fc.boolean(), anyText, anyNumber);
const at = fc.integer({ min: -1e15, max: 1e15 }).map((value) => value + 0);
const base = { at, exampleId: anyText };

/** The parts of an event as one plain object. */
function joined(kind: string, parts: readonly object[]): unknown {
  return Object.assign({ kind }, ...parts) as unknown;
}

export const anyEvent = fc.oneof(
  fc
    .tuple(fc.record({ ...base, features }), optional("unit", anyText), optional("label", labelValue))
    .map((parts) => joined("observation", parts)),
  fc
    .tuple(
      fc.record({
        ...base,
        features,
        predictionId: anyText,
        version: anyText,
        scores: fc.array(anyNumber, { maxLength: 3 }),
        decision: labelValue,
        origin: fc.constantFrom("live", "system", "shadow"),
      }),
      optional("unit", anyText),
      optional("variant", fc.constantFrom("champion", "challenger")),
    )
    .map((parts) => joined("prediction", parts)),
  fc
    .tuple(
      fc.record({ at, value: fc.option(labelValue), labelSource: fc.constantFrom("system", "expert", "user", "rule") }),
      optional("exampleId", anyText),
      optional("predictionId", anyText),
      optional("comment", anyText),
    )
    .map((parts) => joined("label", parts)),
  fc
    .tuple(fc.record({ at, name: anyText, value: anyNumber }), optional("exampleId", anyText))
    .map((parts) => joined("outcome", parts)),
) as unknown as fc.Arbitrary<ExampleEvent>;
