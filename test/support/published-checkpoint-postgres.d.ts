/** The published store of PostgreSQL, as far as tests call it; its own declarations need a package that no registry has. */
declare module "published-checkpoint-postgres" {
  import type { CheckpointBackend, MemoryStore } from "@obsku/checkpoint-sqlite";

  export interface PostgresCheckpointStore extends CheckpointBackend, MemoryStore {}

  export class PostgresCheckpointStore {
    constructor(url: string);
    setup(): Promise<void>;
  }
}
