/** Asks the server, and hears from it when the file changed. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ErrorAnswer } from "../answers.js";

export type Parameters = Record<string, string | number | undefined>;

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export function urlOf(path: string, parameters: Parameters): string {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return `/api/${path}?${new URLSearchParams(given)}`;
}

export async function ask<T>(path: string, parameters: Parameters = {}, init: RequestInit = {}): Promise<T> {
  const response = await fetch(urlOf(path, parameters), init).catch(() => {
    throw new ApiError(
      "The inspector does not answer: it may have been stopped. Start it again, and open its new link.",
      0,
    );
  });
  const answer: unknown = await response.json();
  if (!response.ok) {
    throw new ApiError((answer as ErrorAnswer).error, response.status);
  }
  return answer as T;
}

export type LiveState = "connecting" | "live" | "gone" | "lost";

/** What the stream of events says, for every view of the page. */
class LiveFile {
  state: LiveState = "connecting";
  /** Grows whenever the file changed. */
  changes = 0;
  readonly #listeners = new Set<() => void>();
  #events: EventSource | undefined;

  /** Listens while somebody looks: a browser has six connections to one host, for all of its tabs. */
  start(): void {
    const follow = () => {
      if (document.hidden) {
        this.#events?.close();
        this.#events = undefined;
      } else {
        this.#events ??= this.#listen();
      }
    };
    document.addEventListener("visibilitychange", follow);
    follow();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The first event of a stream counts as a change: there may have been some before. */
  #listen(): EventSource {
    const events = new EventSource("/api/live");
    events.addEventListener("hello", () => this.#become("live", true));
    events.addEventListener("change", () => this.#become("live", true));
    events.addEventListener("gone", () => this.#become("gone", false));
    events.addEventListener("error", () => this.#become("lost", false));
    return events;
  }

  #become(state: LiveState, isChanged: boolean): void {
    // The file that is gone stays gone while the stream connects again.
    this.state = state;
    this.changes += isChanged ? 1 : 0;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

export const live = new LiveFile();

export function useLiveState(): LiveState {
  const [state, setState] = useState(live.state);
  useEffect(() => {
    setState(live.state); // It may have changed since the first render.
    return live.subscribe(() => setState(live.state));
  }, []);
  return state;
}

/**
 * Between two answers of one view: what was saved is there within a second. Answers that are slow to get or to draw take a twentieth
 * of the time at most, because the run that is watched needs the processor too.
 */
const LEAST_PAUSE_MS = 500;
const PAUSE_PER_ANSWER = 20;

/** A number that grows when the file changed, but not faster than answers can be had, nor while nobody looks. */
export function useChanges(least = LEAST_PAUSE_MS): {
  changes: number;
  took: (milliseconds: number) => void;
} {
  const [changes, setChanges] = useState(live.changes);
  const pause = useRef(least);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    setChanges(live.changes); // There may have been some since the first render.
    const show = () => {
      timer = undefined;
      if (!document.hidden) {
        setChanges(live.changes);
      }
    };
    const notice = () => {
      timer ??= setTimeout(show, pause.current);
    };
    const unsubscribe = live.subscribe(notice);
    document.addEventListener("visibilitychange", notice);
    return () => {
      unsubscribe();
      document.removeEventListener("visibilitychange", notice);
      clearTimeout(timer);
    };
  }, []);
  return {
    changes,
    took: (milliseconds) => {
      pause.current = Math.min(5_000, Math.max(least, milliseconds * PAUSE_PER_ANSWER));
    },
  };
}

export interface Answered<T> {
  data: T | undefined;
  error: string | undefined;
  /** Asks again. */
  reload: () => void;
}

/** Asks when the parameters change, and again when the file did. What was there stays until the new answer has come. */
export function useAnswer<T>(
  path: string,
  parameters: Parameters,
  { isLive = true, pause = LEAST_PAUSE_MS } = {},
): Answered<T> {
  const url = urlOf(path, parameters);
  const [answer, setAnswer] = useState<{ url: string; data?: T; error?: string }>({ url });
  const [reloads, setReloads] = useState(0);
  const { changes, took } = useChanges(pause);
  const version = isLive ? changes : 0;
  useEffect(() => {
    const controller = new AbortController();
    const began = performance.now();
    ask<T>(path, parameters, { signal: controller.signal }).then(
      (data) => {
        took(performance.now() - began);
        if (!controller.signal.aborted) {
          setAnswer({ url, data });
          onceDrawn(() => took(performance.now() - began));
        }
      },
      (error: unknown) => {
        if (!controller.signal.aborted) {
          setAnswer((last) => ({ ...(last.url === url ? last : { url }), error: messageOf(error) }));
        }
      },
    );
    return () => controller.abort();
  }, [url, version, reloads]);
  const isCurrent = answer.url === url;
  return {
    data: isCurrent ? answer.data : undefined,
    error: isCurrent ? answer.error : undefined,
    reload: () => setReloads((count) => count + 1),
  };
}

/** Never, in a page that nobody looks at. */
function onceDrawn(callback: () => void): void {
  if (!document.hidden) {
    // The next frame begins before the drawing; a task after it comes when that is done.
    requestAnimationFrame(() => setTimeout(callback));
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
