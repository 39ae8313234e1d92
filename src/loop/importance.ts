/** What a version looks at, read from its artifact: kept with every version, so nothing is computed but sums. */
import { fail } from "../core/index.ts";
import { importanceOf, readArtifact } from "../model/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import type { VersionImportance } from "./importance-surface.ts";
import { requireVersion } from "./promote.ts";

export async function versionImportance(context: LoopContext, model: string, name: string): Promise<VersionImportance> {
  modelSpec(context, model);
  const { artifact } = await requireVersion(context, model, name);
  const at = (file: string) => `artifacts/${artifact}/${file}`;
  if (!(await context.objects.exists(at("manifest.json")))) {
    throw fail("NOT_FOUND", {
      message: `The artifact of ${model} ${name} is no longer kept.`,
      remedy: "Raise storage.keep.versions to keep older versions whole.",
    });
  }
  const found = await readArtifact((file) => context.objects.get(at(file)), artifact);
  return { model, version: name, ...importanceOf(found) };
}
