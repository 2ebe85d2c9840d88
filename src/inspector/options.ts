/** The options of the inspector; settings.ts checks them. */

/** All are optional; unknown names are rejected. */
export interface InspectOptions {
  /**
   * The port to listen on. 0: one that is free. Links to sessions stay valid while the port stays the same.
   * @default 7423, or a free one if it is taken
   */
  port?: number | undefined;
  /**
   * The address to listen on. Anything but a loopback address lets other machines connect: whoever has the link can read all
   * that is in the file, over a connection that is not encrypted. A warning says so.
   * @default "127.0.0.1"
   */
  host?: string | undefined;
  /**
   * Whether to open the page in the default browser.
   * @default false
   */
  open?: boolean | undefined;
  /** Closes the inspector when it is aborted. */
  signal?: AbortSignal | undefined;
  /**
   * Whether the page has a button that forks a checkpoint into a new session. Without it nothing can be written.
   * @default false
   */
  allowFork?: boolean | undefined;
}
