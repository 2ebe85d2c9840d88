/** After the callbacks and microtasks of this turn of the event loop, and whatever input and output is ready. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
