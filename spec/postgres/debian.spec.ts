import { describe } from "@jest/globals";
import { conformance } from "./conformance.js";
import { debian } from "./support/servers.js";

describe("on PostgreSQL 15, the oldest that is promised", () => conformance(debian));
