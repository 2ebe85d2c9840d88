/**
 * Turns of the event loop, and time as it really passes: whatever waits or measures does it through this module.
 *
 * An application's tests replace timers and clocks with fake ones, which stand still until they are told to advance. The
 * functions used here are taken when the module is loaded, so fakes that are installed later, as by `@sinonjs/fake-timers`,
 * do not reach them. Bun's own `jest.useFakeTimers()` changes those functions from within: `setTimeout` never calls back and
 * every clock stands still. `setImmediate` and `Bun.sleepSync` go on, so meanwhile time is what was waited.
 *
 * Timestamps of rows are not taken from here: a test that sets the system time expects to find it in them.
 *
 * Limits: under Bun's fake timers waiting blocks the event loop for a millisecond at a time.
 */
const { setImmediate, setTimeout } = globalThis;
const readClock = performance.now.bind(performance);

/**
 * After the callbacks and microtasks of this turn of the event loop, and whatever input and output is ready.
 *
 * A microtask would be 2 to 3 % of a write faster; but then a loop of awaited writes would let no timer and no socket through.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

let passed = 0;
/** `undefined` while the clock is a fake one. */
let lastReading: number | undefined = readClock();

/** Milliseconds since this module was loaded. Never goes back, and never jumps when fakes come or go. */
export function elapsed(): number {
  const reading = hasFakeTimers() ? undefined : readClock();
  if (reading !== undefined && lastReading !== undefined) {
    passed += reading - lastReading;
  }
  lastReading = reading;
  return passed;
}

/** Waits without blocking the event loop. */
export async function sleep(milliseconds: number): Promise<void> {
  const end = elapsed() + milliseconds;
  if (hasFakeTimers()) {
    await sleepInTurns(milliseconds);
  } else {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, milliseconds);
    });
  }
  passed = Math.max(elapsed(), end);
}

/** Waits, and blocks the event loop meanwhile. */
export function sleepSync(milliseconds: number): void {
  const end = elapsed() + milliseconds;
  Bun.sleepSync(milliseconds);
  passed = Math.max(elapsed(), end);
}

async function sleepInTurns(milliseconds: number): Promise<void> {
  for (let waited = 0; waited < milliseconds; waited++) {
    await nextTurn();
    Bun.sleepSync(1);
  }
}

/** Bun marks its own `setTimeout` in this way. `@sinonjs/fake-timers` marks another function, which is not used here. */
function hasFakeTimers(): boolean {
  return Object.hasOwn(setTimeout, "clock");
}

/** Milliseconds after which work that resolves in microtasks gives way to the event loop. */
const LONGEST_RUN = 5;

/** The same in calls, for a clock that stands still: about {@link LONGEST_RUN} of the fastest reads. */
const MOST_CALLS = 1_000;

let runBegan = 0;
let calls = 0;
let turnOfRun: Promise<void> | undefined;

/**
 * To be asked before work that resolves in microtasks, such as a read: in a loop that awaits it nothing else would ever run.
 *
 * Returns the turn to wait for if the event loop has not turned for some milliseconds, otherwise `undefined`. A lone call never
 * waits: whether the loop has turned is known only once a callback was armed, by a call some milliseconds earlier.
 */
export function overdueTurn(): Promise<void> | undefined {
  calls += 1;
  const now = readClock();
  // A fake clock may go back.
  if (Math.abs(now - runBegan) < LONGEST_RUN && calls < MOST_CALLS) {
    return undefined;
  }
  runBegan = now;
  calls = 0;
  if (turnOfRun !== undefined) {
    return turnOfRun;
  }
  turnOfRun = nextTurn().then(() => {
    turnOfRun = undefined;
  });
  return undefined;
}
