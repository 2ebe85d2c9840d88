/**
 * Serves a page on a file, for one person on this machine.
 *
 * The file is read on a read-only connection of its own: nothing a page does can change it. Reads run in this process between
 * other work, each bounded to a few hundred milliseconds; if another connection locks the file, they are tried again later.
 *
 * Limits: those who write a file with a write-ahead log never wait for a read. A file of 0.2.3 that no store has opened since has
 * a rollback journal instead, in which a commit waits until the read that is under way has ended.
 */
import { InvalidArgumentError } from "../errors.js";
import { text } from "../validation/arguments.js";
import { messageOf } from "../values/describe.js";
import { Access } from "./access.js";
import { openInBrowser } from "./browser.js";
import type { InspectOptions } from "./options.js";
import { readPage } from "./page-file.js";
import { InspectedFile } from "./reading/file.js";
import { Routes } from "./routes.js";
import { DEFAULT_PORT, type InspectSettings, inspectSettings, isLoopback } from "./settings.js";

/** A running inspector. */
export interface Inspector {
  /** The link to open, with its token: whoever has it can read the file. */
  readonly url: string;
  /** Ends all connections, and closes the file. A second call does nothing. */
  close(): Promise<void>;
  /** `await using inspector = await inspect(path)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a page on a checkpoint store's file, and keeps it open until `close()`.
 *
 * @param path An existing file.
 * @throws {InvalidArgumentError} if the path or an option is not allowed, or the port is taken.
 * @throws {StoreOpenError} if a store would not open the file, or if it does not exist.
 *
 * @example
 * const inspector = await inspect("./runs.db");
 * console.log(inspector.url);
 */
export async function inspect(path: string, options?: InspectOptions): Promise<Inspector> {
  const settings = inspectSettings(options);
  settings.signal?.throwIfAborted();
  const page = readPage();
  const file = new InspectedFile(text("path", path));
  try {
    return await start(file, page, settings);
  } catch (error) {
    file.close();
    throw error;
  }
}

async function start(
  file: InspectedFile,
  page: ReturnType<typeof readPage>,
  settings: InspectSettings,
): Promise<Inspector> {
  let routes: Routes | undefined;
  const server = listen(settings, async (request, isLong) =>
    routes === undefined ? new Response(null, { status: 503 }) : routes.answer(request, isLong),
  );
  const access = new Access(settings.host, server.port ?? 0);
  routes = new Routes(file, access, page, settings.allowFork);
  const url = `http://${nameOf(settings.host)}:${server.port}/?token=${access.token}`;
  warnOfOthers(settings.host);
  const closeBrowser = settings.open ? openInBrowser(url) : () => {};

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      settings.signal?.removeEventListener("abort", onAbort);
      closeBrowser();
      routes?.close();
      await server.stop(true);
      file.close();
    })();
    return closing;
  };
  const onAbort = () => void close();
  settings.signal?.addEventListener("abort", onAbort, { once: true });
  return { url, close, [Symbol.asyncDispose]: close };
}

type Answer = (request: Request, isLong: () => void) => Promise<Response>;

function listen({ host, port }: InspectSettings, answer: Answer): Bun.Server<undefined> {
  const at = (chosen: number) =>
    Bun.serve({
      hostname: host,
      port: chosen,
      development: false,
      // Without development Bun would let another process listen on the same port, and share its requests.
      reusePort: false,
      // No request has a body of any size.
      maxRequestBodySize: 1_024,
      fetch: (request, server) => answer(request, () => server.timeout(request, 0)),
    });
  if (port !== undefined) {
    return orReason(host, port, at);
  }
  try {
    return at(DEFAULT_PORT);
  } catch {
    return orReason(host, 0, at); // Another inspector is open.
  }
}

/** Bun's own message names neither the address nor what can be done. */
function orReason(
  host: string,
  port: number,
  at: (port: number) => Bun.Server<undefined>,
): Bun.Server<undefined> {
  try {
    return at(port);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : messageOf(error);
    throw port === 0
      ? new InvalidArgumentError("options.host", `${JSON.stringify(host)} cannot be listened on (${code})`)
      : new InvalidArgumentError(
          "options.port",
          `${port} cannot be listened on at ${host} (${code}): choose another, or 0 for a free one`,
        );
  }
}

/** An address of IPv6 stands in brackets in a URL; one that means every address is no address to open. */
function nameOf(host: string): string {
  if (host === "0.0.0.0" || host === "::") {
    return "127.0.0.1";
  }
  return host.includes(":") ? `[${host}]` : host;
}

function warnOfOthers(host: string): void {
  if (!isLoopback(host)) {
    process.emitWarning(
      `The inspector listens on ${host}: whoever reaches this machine and has the link can read the whole file, and the connection is not encrypted.`,
      { code: "CHECKPOINT_INSPECTOR_HOST" },
    );
  }
}
