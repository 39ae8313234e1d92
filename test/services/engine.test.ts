import { describe, it } from "vitest";
import { findTestServer, openPostgresTestDatabase } from "../../src/testing/database.ts";
import { describeEngine } from "../contracts/engine-contract.ts";
import { durableHarness } from "../engine/support/durable-harness.ts";

const server = await findTestServer();
if ("skipReason" in server) {
  describe.skip("an engine of kind durable, server", () => {
    it(`skips because ${server.skipReason}`, () => {});
  });
} else describeEngine("durable, server", () => durableHarness(() => openPostgresTestDatabase({ isMigrated: false })));
