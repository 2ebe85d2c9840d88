/** A process that keeps the published store of PostgreSQL open, and does nothing with it: `bun postgres-idler.ts URL`. */
import { PostgresCheckpointStore } from "published-checkpoint-postgres";

const store = new PostgresCheckpointStore(process.argv[2] ?? "");
await store.listSessions();
console.log("idle");
setInterval(() => {}, 1_000);
