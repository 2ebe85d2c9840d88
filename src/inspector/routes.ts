/** What the server answers to each path. Only GET and HEAD, but for the one path that forks. */
import { retryWhileBusy } from "../database/busy-retry.js";
import { isBusy } from "../database/sqlite-errors.js";
import { isCheckpointStoreError, StoreBusyError } from "../errors.js";
import { SqliteCheckpointStore } from "../sqlite-checkpoint-store.js";
import { isInstance, messageOf } from "../values/describe.js";
import { type Access, respond } from "./access.js";
import type { ErrorAnswer, FileAnswer } from "./answers.js";
import { Live } from "./live.js";
import type { Page } from "./page-file.js";
import { readCheckpoint, readComparison, readJson, readValue } from "./reading/checkpoint.js";
import { MOST_MESSAGES, readConversation } from "./reading/conversation.js";
import { type InspectedFile, numberOf, optionalTextOf } from "./reading/file.js";
import { Forks } from "./reading/forks.js";
import { Growth } from "./reading/growth.js";
import { Unread } from "./reading/node-results.js";
import { Runs } from "./reading/run.js";
import { LARGEST_PAGE, SessionItems, SessionList } from "./reading/sessions.js";

const NEEDS_LINK =
  "This page needs the link that the inspector printed when it was started: it carries a token that only you have.";

const GONE =
  "The file was deleted, renamed or replaced. Start the inspector again on the file that you mean.";

const PATIENCE_MS = 100;

/** How long an answer is tried again while another connection locks the file. */
const BUSY_TIMEOUT = 5_000;

/** What an answer is read with. */
interface Ask {
  parameters: URLSearchParams;
  signal: AbortSignal;
}

type Read = (ask: Ask) => unknown;

export class Routes {
  readonly #file: InspectedFile;
  readonly #access: Access;
  readonly #page: Page;
  readonly #allowFork: boolean;
  readonly #sessions: SessionList;
  readonly #forks: Forks;
  readonly #runs: Runs;
  readonly #live: Live;
  readonly #growth: Growth;
  readonly #reads: Readonly<Record<string, Read>>;

  constructor(file: InspectedFile, access: Access, page: Page, allowFork: boolean) {
    this.#file = file;
    this.#access = access;
    this.#page = page;
    this.#allowFork = allowFork;
    const items = new SessionItems(file);
    this.#sessions = new SessionList(file, items);
    this.#forks = new Forks(file);
    this.#runs = new Runs(file, this.#forks, items);
    this.#live = new Live(file);
    this.#growth = new Growth(file);
    this.#reads = this.#makeReads();
  }

  async answer(request: Request, isLong: () => void): Promise<Response> {
    const refusal = this.#access.refusalOf(request);
    if (refusal !== undefined) {
      return problem(403, refusal);
    }
    const url = new URL(request.url);
    if (url.pathname !== "/api/fork" && request.method !== "GET" && request.method !== "HEAD") {
      return problem(405, `${request.method} is refused: the inspector only reads.`);
    }
    if (url.pathname === "/") {
      return this.#answerPage(request, url);
    }
    if (!this.#access.hasCookie(request)) {
      return problem(401, NEEDS_LINK);
    }
    if (url.pathname === "/api/fork") {
      return this.#answerFork(request);
    }
    if (url.pathname === "/api/live") {
      isLong();
      return this.#answerLive();
    }
    if (url.pathname === "/api/growth") {
      isLong();
    }
    return this.#answerRead(url, request.signal);
  }

  close(): void {
    this.#live.close();
  }

  /** With the cookie in the answer itself, not after a redirect: SameSite=Strict cookies are not sent along from another site's link. */
  #answerPage(request: Request, url: URL): Response {
    const isNew = this.#access.hasToken(url);
    if (!isNew && !this.#access.hasCookie(request)) {
      return respond(NEEDS_LINK, "text/plain", { status: 401 });
    }
    return respond(this.#page.html, "text/html", {
      headers: {
        "content-security-policy": this.#page.policy,
        ...(isNew ? { "set-cookie": this.#access.setCookie } : {}),
      },
    });
  }

  #answerLive(): Response {
    const stream = this.#live.listen();
    return stream === undefined
      ? problem(503, "Too many pages are open on this inspector: close some.")
      : respond(stream, "text/event-stream");
  }

  async #answerRead(url: URL, signal: AbortSignal): Promise<Response> {
    const read = Object.hasOwn(this.#reads, url.pathname) ? this.#reads[url.pathname] : undefined;
    if (read === undefined) {
      return problem(404, "There is nothing at this address.");
    }
    if (this.#file.isGone) {
      return problem(410, GONE, "FILE_GONE");
    }
    try {
      const answer = await whenFree(() => read({ parameters: url.searchParams, signal }));
      return answer === undefined
        ? problem(404, "It is not in the file, or not any more.")
        : respond(JSON.stringify(answer), "application/json");
    } catch (error) {
      if (error instanceof Unread) {
        return problem(422, error.message);
      }
      return problem(isInstance(error, StoreBusyError) ? 503 : 500, messageOf(error));
    }
  }

  #makeReads(): Record<string, Read> {
    const file = this.#file;
    return {
      "/api/file": () => this.#fileAnswer(),
      "/api/sessions": ({ parameters, signal }) => this.#sessions.page(sessionsQuery(parameters), signal),
      "/api/run": async ({ parameters }) => {
        await this.#findForks();
        const page = { before: optional(parameters, "before"), after: optional(parameters, "after") };
        return file.read(() => this.#runs.read(text(parameters, "session"), page));
      },
      "/api/conversation": ({ parameters }) => {
        const before = optional(parameters, "before");
        const page = {
          before: before === undefined ? undefined : integer(parameters, "before", 0),
          limit: integer(parameters, "limit", MOST_MESSAGES),
        };
        return readConversation(file, text(parameters, "session"), page);
      },
      "/api/checkpoint": ({ parameters }) => file.read(() => readCheckpoint(file, text(parameters, "id"))),
      "/api/value": ({ parameters }) =>
        file.read(() =>
          readValue(file, outputPlace(parameters), pathIn(parameters), integer(parameters, "offset", 0)),
        ),
      "/api/json": ({ parameters }) => {
        const json = file.read(() => readJson(file, outputPlace(parameters)));
        return json === undefined ? undefined : { json };
      },
      "/api/compare": ({ parameters }) =>
        file.read(() => readComparison(file, text(parameters, "before"), text(parameters, "after"))),
      "/api/family": async ({ parameters }) => {
        await this.#findForks();
        return file.read(() => this.#forks.family(text(parameters, "session")));
      },
      "/api/growth": ({ signal }) => this.#growth.read(signal),
    };
  }

  /** A large file takes a second: the page shows what is known, and hears of the rest. */
  #findForks(): Promise<void> {
    return this.#forks.update(PATIENCE_MS, () => this.#live.sayChanged());
  }

  #fileAnswer(): FileAnswer {
    const { statements, path, name, logBytes } = this.#file;
    const workspaces = statements.workspaces.all().map(({ id, sessions }) => ({
      id: optionalTextOf(id),
      sessions: numberOf(sessions),
    }));
    return {
      path,
      name,
      logBytes,
      bytes: numberOf(statements.fileSize.get()?.bytes),
      workspaces,
      sessions: numberOf(statements.countSessions.get()?.count),
      ...(this.#allowFork ? { forkToken: this.#access.forkToken } : {}),
    };
  }

  async #answerFork(request: Request): Promise<Response> {
    if (!this.#allowFork) {
      return problem(
        403,
        "Forks are refused: start the inspector with allowFork, or `inspect --allow-fork`.",
      );
    }
    if (request.method !== "POST" || !this.#access.mayFork(request)) {
      return problem(403, "A fork is a POST with the token of this page in its header.");
    }
    // A store would make an empty file at the path of one that was deleted.
    if (this.#file.isGone) {
      return problem(410, GONE, "FILE_GONE");
    }
    const id = new URL(request.url).searchParams.get("id") ?? "";
    try {
      await using store = new SqliteCheckpointStore(this.#file.path);
      const { id: sessionId } = await store.fork(id);
      return respond(JSON.stringify({ sessionId }), "application/json");
    } catch (error) {
      const isMissing = isCheckpointStoreError(error) && error.code === "CHECKPOINT_NOT_FOUND";
      return problem(isMissing ? 404 : 500, messageOf(error));
    }
  }
}

/** Between the attempts the event loop turns: a lock in the same process could not be released otherwise. */
async function whenFree(read: () => unknown): Promise<unknown> {
  const result = await retryWhileBusy(async () => {
    try {
      return { answer: await read() };
    } catch (error) {
      if (isBusy(error)) {
        throw error;
      }
      return { error };
    }
  }, BUSY_TIMEOUT);
  if ("error" in result) {
    throw result.error;
  }
  return result.answer;
}

function sessionsQuery(parameters: URLSearchParams) {
  const state = parameters.get("state");
  return {
    search: (parameters.get("search") ?? "").slice(0, 200),
    workspace: parameters.has("noWorkspace") ? null : (parameters.get("workspace") ?? undefined),
    state: state === "failed" || state === "pending" ? state : undefined,
    offset: integer(parameters, "offset", 0),
    limit: integer(parameters, "limit", LARGEST_PAGE),
  } as const;
}

function outputPlace(parameters: URLSearchParams) {
  return { checkpointId: text(parameters, "checkpoint"), node: text(parameters, "node") };
}

/** `3.0.12`: positions among parts. */
function pathIn(parameters: URLSearchParams): number[] {
  const path = parameters.get("path") ?? "";
  return path === "" ? [] : path.split(".").map(Number);
}

function text(parameters: URLSearchParams, name: string): string {
  return parameters.get(name) ?? "";
}

function optional(parameters: URLSearchParams, name: string): string | undefined {
  return parameters.get(name) ?? undefined;
}

function integer(parameters: URLSearchParams, name: string, otherwise: number): number {
  const value = Number(parameters.get(name) ?? otherwise);
  return Number.isSafeInteger(value) && value >= 0 ? value : otherwise;
}

function problem(status: number, error: string, code?: string): Response {
  const answer: ErrorAnswer = { error, ...(code === undefined ? {} : { code }) };
  return respond(JSON.stringify(answer), "application/json", { status });
}
