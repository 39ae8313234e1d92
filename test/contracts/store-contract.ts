/** What every store must do; run over the embedded database in store.test.ts and over a server in test/services. */
import { afterAll, beforeAll, describe } from "vitest";
import type { TestDatabase } from "../../src/testing/database.ts";
import { describeLabeling } from "./store-labeling-contract.ts";
import { describeLog } from "./store-log-contract.ts";
import { openPlace, type StorePlace } from "./store-place.ts";
import { describeProfiles } from "./store-profiles-contract.ts";
import { describeRecords } from "./store-records-contract.ts";
import { describeRollouts } from "./store-rollouts-contract.ts";

export function describeStore(name: string, open: () => Promise<TestDatabase>): void {
  describe(`a store over a database of kind ${name}`, () => {
    // Filled before the first test; the suites only read it inside their tests.
    const place = {} as { -readonly [K in keyof StorePlace]: StorePlace[K] };
    beforeAll(async () => {
      Object.assign(place, await openPlace(open));
    });
    afterAll(async () => {
      await place.store.close();
      await place.test.dispose();
    });

    describeRecords(place);
    describeRollouts(place);
    describeLog(place);
    describeLabeling(place);
    describeProfiles(place);
  });
}
