import { describe, it } from "vitest";
import { findTestServer, openPostgresTestDatabase } from "../../src/testing/database.ts";
import { describeDatabase } from "../contracts/database-contract.ts";

const server = await findTestServer();
if ("skipReason" in server) {
  describe.skip("a database of kind server", () => {
    it(`skips because ${server.skipReason}`, () => {});
  });
} else describeDatabase("server", openPostgresTestDatabase);
