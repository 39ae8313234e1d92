import { describe, it } from "vitest";
import { findTestServer, openPostgresTestDatabase } from "../../src/testing/database.ts";
import { describeStore } from "../contracts/store-contract.ts";

const server = await findTestServer();
if ("skipReason" in server) {
  describe.skip("a store over a server", () => {
    it(`skips because ${server.skipReason}`, () => {});
  });
} else describeStore("server", openPostgresTestDatabase);
