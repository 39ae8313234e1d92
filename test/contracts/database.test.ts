import { openTestDatabase } from "../../src/testing/database.ts";
import { describeDatabase } from "./database-contract.ts";

describeDatabase("embedded", openTestDatabase);
