import { databaseConformance } from "./conformance/database.js";
import { eventsConformance } from "./conformance/events.js";
import { feedsConformance } from "./conformance/feeds.js";
import { queueConformance } from "./conformance/queue.js";
import { scenariosConformance } from "./conformance/scenarios.js";
import type { TestServer } from "./support/servers.js";

/** Everything that is promised, on a server. */
export function conformance(server: TestServer): void {
  databaseConformance(server);
  eventsConformance(server);
  feedsConformance(server);
  queueConformance(server);
  scenariosConformance(server);
}
