/** Functions that run in the page need the types of the DOM; those hide what Bun's Worker has. */
interface Worker {
  unref(): void;
}
