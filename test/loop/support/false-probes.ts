/** A version whose every hash fits and whose probes tell of other answers: only asking them can notice. */
import { canonicalJson, sha256Hex, type VersionRecord } from "../../../src/core/index.ts";
import type { Manifest } from "../../../src/model/manifest.ts";
import type { Probe } from "../../../src/model/probe.ts";
import type { TestLoop } from "../../../src/testing/loop.ts";

/** @returns the name of the new version */
export async function registerWithFalseProbes({ store, objects }: TestLoop, from: VersionRecord): Promise<string> {
  const files = await objects.list(`artifacts/${from.artifact}`);
  const contents = new Map<string, Uint8Array>();
  for (const key of files) contents.set(key.split("/").slice(2).join("/"), await objects.get(key));
  const json = (name: string): unknown => JSON.parse(Buffer.from(contents.get(name) ?? []).toString());
  const { probes } = json("probes.json") as { readonly probes: readonly Probe[] };
  const wrong = Buffer.from(
    canonicalJson({ probes: probes.map((probe) => ({ ...probe, scores: probe.scores.map((score) => score + 0.01) })) }),
  );
  const manifest = json("manifest.json") as Manifest;
  const named = { ...manifest.files, "probes.json": { sha256: sha256Hex(wrong), sizeBytes: wrong.byteLength } };
  const manifestBytes = Buffer.from(canonicalJson({ ...manifest, files: named }));
  const artifact = sha256Hex(manifestBytes);
  contents.set("probes.json", wrong).set("manifest.json", manifestBytes);
  for (const [name, content] of contents) await objects.put(`artifacts/${artifact}/${name}`, content);
  const { name } = await store.registry.register({ ...from, artifact, runId: `false-probes-of-${from.runId}` }, 0);
  return name;
}
