/** The options of a store: their units, defaults and bounds. */

/** How a store opens its file and behaves. All are optional; unknown names are rejected. */
export interface SqliteCheckpointStoreOptions {
  /**
   * How long a call waits for a lock that another connection holds, in milliseconds. 0: one attempt.
   * The event loop goes on while it waits; only opening a store waits synchronously.
   * @default 5000
   */
  busyTimeout?: number | undefined;
  /**
   * When a commit is on disk. `"full"`: before its promise resolves, so that nothing acknowledged is lost in a
   * power cut. `"normal"`: about three times as fast, but a power cut or a crash of the machine may take back
   * what was acknowledged since the log was last copied into the file (every 8 MB); the file stays consistent. Killing the process loses nothing at either setting.
   * @default "full"
   */
  synchronous?: "full" | "normal" | undefined;
  /**
   * Opens an existing file without changing it; every write then rejects with StoreReadonlyError. With a Database that is open
   * already, of whichever kind, the same.
   * @default false
   */
  readonly?: boolean | undefined;
  /**
   * What saveCheckpoint does where the version already exists in the session and namespace. `"error"`: rejects
   * with CheckpointVersionConflictError. `"next"`: saves one above the highest version there, and returns it.
   * @default "error"
   */
  versionConflict?: "error" | "next" | undefined;
  /**
   * How much memory the vectors of semantic search may take, in bytes; 0: none. A vector takes 4 bytes a dimension and
   * about 100 more. What does not fit is read from the file at every search, which is some twenty times slower.
   * @default 268435456 (256 MiB: 160,000 vectors of 384 dimensions)
   */
  vectorMemory?: number | undefined;
  /**
   * Source of timestamps: milliseconds since the Unix epoch, up to the end of the year 9999. For tests; a session's times never
   * run backwards whatever it returns. The default follows a faked system time. Waiting never does: fake timers change nothing about
   * `busyTimeout`.
   * @default Date.now
   */
  clock?: (() => number) | undefined;
}

/**
 * An open `Database` of `bun:sqlite`, by its shape: with its type these declarations would not compile without `@types/bun`.
 * Anything else of this shape is rejected with InvalidArgumentError.
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
  vectorMemory: number;
  clock: () => number;
}
