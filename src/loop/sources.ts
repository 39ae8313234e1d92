/**
 * Polling the configured sources. Each batch is appended together with its position, so a crash between the two can neither lose
 * nor repeat it; a source that fails is alerted and tried again, and never stops the others.
 */
import { createSource, type Source } from "../collect/index.ts";
import { asRetrainError, type JsonObject } from "../core/index.ts";
import { raiseAlert, resolveAlert } from "./alerts.ts";
import type { LoopContext } from "./context.ts";
import type { IngestRequest, IngestResult } from "./contract.ts";

export type Ingest = (request: IngestRequest) => Promise<IngestResult>;

export class SourcePoller {
  readonly #context: LoopContext;
  readonly #ingest: Ingest;
  #built: { readonly specs: unknown; readonly sources: readonly Source[] } | undefined;
  readonly #nextPollMs = new Map<string, number>();
  /** What each source waited for when that was last told: an alert that counts the polls says nothing more. */
  readonly #waitsFor = new Map<string, string>();

  constructor(context: LoopContext, ingest: Ingest) {
    this.#context = context;
    this.#ingest = ingest;
  }

  /** Polls the sources whose time has come. */
  async pollDue(): Promise<void> {
    const { systemClock } = this.#context;
    for (const source of this.#sources()) {
      const now = systemClock.monotonicMs();
      if (now < (this.#nextPollMs.get(source.name) ?? 0)) continue;
      await this.#poll(source);
      this.#nextPollMs.set(source.name, systemClock.monotonicMs() + source.pollMs);
    }
  }

  #sources(): readonly Source[] {
    const specs = this.#context.spec.sources;
    if (this.#built?.specs !== specs) {
      this.#built = { specs, sources: specs.map((spec) => createSource(spec, this.#context.systemClock)) };
    }
    return this.#built.sources;
  }

  async #poll(source: Source): Promise<void> {
    const key = `source.failed:${source.name}`;
    try {
      const stored = await this.#context.store.settings.sourcePosition(source.name);
      let rows = 0;
      let isCut = false;
      for await (const batch of source.poll(stored?.position)) {
        const result = await this.#ingest({
          model: source.model,
          form: "observation",
          rows: batch.rows,
          origin: batch.origin,
          missing: source.missing,
          anomalies: batch.anomalies,
          ...(batch.part === undefined ? {} : { part: batch.part }),
          ...(batch.mayBeKnown === true ? { mayBeKnown: true } : {}),
          source: { source: source.name, model: source.model, position: batch.position },
        });
        await this.#report(source, batch.anomalies, result);
        rows += batch.rows.length;
        isCut ||= batch.anomalies.some(({ code }) => code === "QUOTE_UNCLOSED");
      }
      if (rows > 0 && !isCut) {
        const cut = anomalyKey(source, ["QUOTE_UNCLOSED"]);
        await resolveAlert(this.#context, cut, `Source ${source.name} is read on.`);
      }
      const absence = source.waitsFor?.();
      const wasTold = absence !== undefined && this.#waitsFor.get(source.name) === absence;
      if (wasTold) return;
      if (absence !== undefined) {
        await this.#fail(source, absence, {});
        this.#waitsFor.set(source.name, absence);
        return;
      }
      this.#waitsFor.delete(source.name);
      await resolveAlert(this.#context, key, `Source ${source.name} can be read again.`);
    } catch (error) {
      const failure = asRetrainError(error);
      if (failure.code === "STORE_UNAVAILABLE" || failure.code === "STORE_FULL") return;
      await this.#fail(source, `${failure.message} ${failure.remedy}`, { code: failure.code });
    }
  }

  async #fail(source: Source, message: string, evidence: JsonObject): Promise<void> {
    await raiseAlert(this.#context, {
      model: source.model,
      key: `source.failed:${source.name}`,
      type: "source.failed",
      severity: "warning",
      title: `Source ${source.name} cannot be read`,
      message,
      evidence: { source: source.name, ...evidence },
    });
  }

  async #report(source: Source, own: IngestRequest["anomalies"], result: IngestResult): Promise<void> {
    const notable = result.anomalies.filter((anomaly) => anomaly.blocking || own?.includes(anomaly) === true);
    if (notable.length === 0) return;
    await raiseAlert(this.#context, {
      model: source.model,
      key: anomalyKey(
        source,
        notable.map(({ code }) => code),
      ),
      type: "data.anomaly",
      severity: "warning",
      title: `Anomaly in the data of ${source.model}`,
      message: notable.map((anomaly) => anomaly.message).join(" "),
      evidence: { source: source.name, batchId: result.batchId, anomalies: notable as unknown as JsonObject[] },
    });
  }
}

const anomalyKey = ({ model, name }: Source, codes: readonly string[]) =>
  `data.anomaly:${model}:${name}:${codes.join(",")}`;
