/** What is asked for on the command line. */
export interface Arguments {
  isQuick: boolean;
  /** Those named; all if none is. */
  names: readonly string[];
}

/** @throws if a name or an option is not known. */
export function parseArguments(given: readonly string[], known: readonly string[]): Arguments {
  const names = given.filter((argument) => argument !== "--quick");
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `Not a workload: ${unknown.join(", ")}. There are ${known.join(", ")}; --quick makes a smoke run.`,
    );
  }
  return { isQuick: given.includes("--quick"), names: names.length === 0 ? known : names };
}
