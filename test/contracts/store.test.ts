import { openTestDatabase } from "../../src/testing/database.ts";
import { describeStore } from "./store-contract.ts";

describeStore("embedded", openTestDatabase);
