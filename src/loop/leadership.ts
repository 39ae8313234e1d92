/**
 * Which of several processes on one database ticks, compacts, reads sources and sends alerts: the one that holds the lease. A
 * process that restarts under its own name has it back at once; one that dies is followed within the lease's time. Losing it in
 * the middle of a tick does no harm: folds compare and set, runs are one per model by unique index, compaction counts what it moved.
 */
import type { SettingsStore } from "../core/index.ts";

const LEASE = "timers";
/** Long enough for a stalled disk or a long collection of garbage, short enough that a missed schedule is minutes late at most. */
export const LEASE_MS = 20_000;
export const RENEW_EVERY_MS = 5_000;

export class Leadership {
  readonly #settings: SettingsStore;
  readonly #owner: string;
  readonly #mayLead: boolean;
  #leads = false;

  /** @param mayLead false for a process that only answers requests */
  constructor(settings: SettingsStore, owner: string, mayLead: boolean) {
    this.#settings = settings;
    this.#owner = owner;
    this.#mayLead = mayLead;
  }

  get leads(): boolean {
    return this.#leads;
  }

  async renew(): Promise<void> {
    if (!this.#mayLead) return;
    try {
      this.#leads = await this.#settings.takeLease(LEASE, this.#owner, LEASE_MS);
    } catch (error) {
      // Without the store nothing can be led; another process will be told by the lease's end.
      this.#leads = false;
      throw error;
    }
  }

  async leave(): Promise<void> {
    if (!this.#leads) return;
    this.#leads = false;
    await this.#settings.dropLease(LEASE, this.#owner).catch(() => {});
  }
}
