/** The options of a store: their units, defaults and bounds. */

/** How a store opens its file and behaves. All are optional; unknown names are rejected. */
export interface SqliteCheckpointStoreOptions {
  /**
   * How long a call waits for a lock that another connection holds, in milliseconds. 0: a single attempt.
   * The event loop keeps running meanwhile; only opening a store waits synchronously.
   * @default 5000
   */
  busyTimeout?: number | undefined;
  /**
   * When a commit is on disk. `"full"`: before its promise resolves, so a power cut loses no acknowledged write.
   * `"normal"`: about three times as fast, but a power cut or a crash of the machine may lose commits made since the last
   * WAL checkpoint (every 8 MB of log); the file stays consistent. Killing the process loses nothing at either setting.
   * @default "full"
   */
  synchronous?: "full" | "normal" | undefined;
  /**
   * Opens an existing file without changing it; every write then rejects with StoreReadonlyError. A store on a host's
   * Database rejects writes too, even if that Database is writable.
   * @default false
   */
  readonly?: boolean | undefined;
  /**
   * What saveCheckpoint does if the session and namespace already have the version. `"error"`: rejects with
   * CheckpointVersionConflictError. `"next"`: saves with their highest version + 1, and returns that checkpoint.
   * @default "error"
   */
  versionConflict?: "error" | "next" | undefined;
  /**
   * Whether an output of 1,024 characters or more is kept once per session, so a checkpoint costs what changed since the last
   * one. `false` writes every checkpoint whole, for a file that 0.2.3 must continue to read in full. Either reads both.
   * @default true
   */
  shareOutputs?: boolean | undefined;
  /**
   * Maximum memory for the vectors of semantic search, in bytes; 0: none. A vector takes 4 bytes per dimension plus about
   * 100 bytes. Each search reads vectors that do not fit from the file, which is some twenty times slower.
   * @default 268435456 (256 MiB: 160,000 vectors of 384 dimensions)
   */
  vectorMemory?: number | undefined;
  /**
   * How many checkpoints a session keeps per namespace, at least 1. A save deletes the ones that are older than the newest so many,
   * in its own transaction: at most four of them, so a namespace that holds more shrinks over its next saves. A checkpoint that a
   * fork or another checkpoint names as its `parentId` is deleted like any other. Outputs that nothing refers to any more are swept
   * once in as many deletions as the session has checkpoints, at most 500 per save.
   * @default Infinity: all of them
   */
  keepCheckpoints?: number | undefined;
  /**
   * Source of timestamps: milliseconds since the Unix epoch, up to the end of the year 9999. For tests. A session's times
   * never go backwards, whatever it returns. The default follows a faked system time, but `busyTimeout` is measured in real
   * time even under fake timers.
   * @default Date.now
   */
  clock?: (() => number) | undefined;
}

/**
 * The structure of an open `Database` from `bun:sqlite`. With Bun's own type these declarations would need `@types/bun`.
 * Any other object of this structure is rejected with InvalidArgumentError.
 */
export interface HostDatabase {
  readonly filename: string;
  readonly handle: number;
  readonly inTransaction: boolean;
}

/** @internal The options with every default filled in. */
export interface StoreSettings {
  busyTimeout: number;
  synchronous: "full" | "normal";
  readonly: boolean;
  versionConflict: "error" | "next";
  shareOutputs: boolean;
  vectorMemory: number;
  keepCheckpoints: number;
  clock: () => number;
}
