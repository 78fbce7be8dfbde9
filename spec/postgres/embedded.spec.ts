import { describe } from "@jest/globals";
import { conformance } from "./conformance.js";
import { embedded } from "./support/servers.js";

describe("on PostgreSQL 18", () => conformance(embedded));
