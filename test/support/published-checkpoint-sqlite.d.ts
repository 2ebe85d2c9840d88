/** The published 0.2.3, as far as tests call it; its own declarations need a package that no registry has. */
declare module "published-checkpoint-sqlite" {
  export class SqliteCheckpointStore {
    constructor(path: string);
    setup?(): Promise<void>;
  }
}
