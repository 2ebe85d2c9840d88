/**
 * Turns of the event loop, and real elapsed time: all code that waits or measures uses this module.
 *
 * An application's tests may replace timers and clocks with fakes, which stand still until a test advances them. This module
 * captures the real functions when it is loaded, so fakes installed later, such as `@sinonjs/fake-timers`, do not affect it.
 * Bun's own `jest.useFakeTimers()` changes those functions internally: `setTimeout` never calls back and every clock stands
 * still. `setImmediate` and `Bun.sleepSync` still work, so under those fakes elapsed time is the time that was slept.
 *
 * Timestamps of rows do not come from here: a test that sets the system time expects them to follow it.
 *
 * Limits: under Bun's fake timers waiting blocks the event loop for a millisecond at a time.
 */
const { setImmediate, setTimeout } = globalThis;
const readClock = performance.now.bind(performance);

/**
 * Resolves after the callbacks and microtasks of this turn of the event loop, and any input and output that is ready.
 *
 * A microtask would save 2 to 3 % of a write, but then a loop of awaited writes would block all timers and sockets.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

let passed = 0;
/** `undefined` while the clock is fake. */
let lastReading: number | undefined = readClock();

/** Milliseconds since this module was loaded. Never goes back, and never jumps when fakes are installed or removed. */
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

/** Waits and blocks the event loop. */
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

/** Bun marks its fake `setTimeout` with `clock`. `@sinonjs/fake-timers` marks its own function, which is not used here. */
function hasFakeTimers(): boolean {
  return Object.hasOwn(setTimeout, "clock");
}

/** Milliseconds after which work that resolves in microtasks yields to the event loop. */
const LONGEST_RUN = 5;

/** Number of calls after which it yields even if the clock stands still: the fastest reads in about {@link LONGEST_RUN}. */
const MOST_CALLS = 1_000;

let runBegan = 0;
let calls = 0;
let turnOfRun: Promise<void> | undefined;

/**
 * Call this before work that resolves in microtasks, such as a read: a loop that awaits such work would let nothing else run.
 *
 * Returns a turn to wait for if the event loop has not turned for some milliseconds, otherwise `undefined`. A single call never
 * waits, because only a callback scheduled by an earlier call shows whether the loop has turned.
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
