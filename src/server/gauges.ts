/** Gauges whose values are read when somebody scrapes. */
import { Gauge, type Registry } from "prom-client";

export interface GaugeSpec {
  readonly help: string;
  readonly labels: readonly string[];
}

/**
 * Gauges that one reading fills. Whichever is scraped first reads for all, and each waits for it: one that did not would answer with
 * what the scrape before left.
 * @param read sets the values; it gets the gauges empty
 */
export function addGauges<const K extends string>(
  registry: Registry,
  specs: Readonly<Record<K, GaugeSpec>>,
  read: (gauges: Readonly<Record<K, Gauge>>) => Promise<void>,
): void {
  const names = Object.keys(specs) as K[];
  const gauges = {} as Record<K, Gauge>;
  let reading: Promise<void> | undefined;
  const readAll = async () => {
    for (const name of names) gauges[name].reset();
    await read(gauges);
  };
  for (const name of names) {
    const { help, labels } = specs[name];
    gauges[name] = new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [registry],
      async collect() {
        reading ??= readAll().finally(() => {
          reading = undefined;
        });
        await reading;
      },
    });
  }
}
