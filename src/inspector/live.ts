/**
 * Tells open pages that the file changed: one number is read from SQLite a few times a second, while a page listens. What
 * changed is up to the pages to ask for.
 */
import type { InspectedFile } from "./reading/file.js";

const INTERVAL_MS = 200;

/** Intermediaries and sleeping laptops drop silent connections. */
const SIGN_OF_LIFE_MS = 15_000;

const MOST_LISTENERS = 50;

type Listener = ReadableStreamDefaultController<string>;

/** Of the inspected file, what is looked at. */
export type Watched = Pick<InspectedFile, "dataVersion" | "isGone">;

export class Live {
  readonly #file: Watched;
  readonly #listeners = new Set<Listener>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #dataVersion = 0;
  #isGone = false;
  #saidAt = 0;

  constructor(file: Watched) {
    this.#file = file;
  }

  /** A stream of events; `undefined` if there are too many already. */
  listen(): ReadableStream<string> | undefined {
    if (this.#listeners.size >= MOST_LISTENERS) {
      return undefined;
    }
    let listener: Listener | undefined;
    return new ReadableStream<string>({
      start: (controller) => {
        listener = controller;
        this.#add(controller);
      },
      cancel: () => {
        if (listener !== undefined) {
          this.#remove(listener);
        }
      },
    });
  }

  /** For what this process found in the file, without a commit. */
  sayChanged(): void {
    this.#say("change");
  }

  close(): void {
    for (const listener of this.#listeners) {
      this.#remove(listener);
      closeQuietly(listener);
    }
  }

  #add(listener: Listener): void {
    const { isGone } = this.#file;
    if (this.#timer === undefined) {
      this.#isGone = isGone;
      this.#dataVersion = this.#readVersion();
    }
    listener.enqueue(eventOf(isGone ? "gone" : "hello", this.#dataVersion));
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#look(), INTERVAL_MS);
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #look(): void {
    const { isGone } = this.#file;
    if (isGone !== this.#isGone) {
      this.#isGone = isGone;
      this.#say(isGone ? "gone" : "change");
      return;
    }
    const version = this.#readVersion();
    if (version !== this.#dataVersion) {
      this.#dataVersion = version;
      this.#say("change");
    } else if (Date.now() - this.#saidAt > SIGN_OF_LIFE_MS) {
      this.#say("alive");
    }
  }

  /** A file that cannot be read at this moment is looked at again at the next. */
  #readVersion(): number {
    try {
      return this.#file.dataVersion;
    } catch {
      return this.#dataVersion;
    }
  }

  #say(event: string): void {
    this.#saidAt = Date.now();
    for (const listener of this.#listeners) {
      try {
        listener.enqueue(eventOf(event, this.#dataVersion));
      } catch {
        this.#remove(listener); // Its page went away; thrown from a timer, this would end the process.
      }
    }
  }
}

function closeQuietly(listener: Listener): void {
  try {
    listener.close();
  } catch {
    // It is closed already.
  }
}

function eventOf(event: string, version: number): string {
  return `event: ${event}\ndata: ${version}\n\n`;
}
