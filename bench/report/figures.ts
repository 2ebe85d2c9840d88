/** Figures as people read them. */

/** Three digits, and the unit that fits. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 1_000) {
    return `${digits(milliseconds / 1_000)} s`;
  }
  return milliseconds >= 1 ? `${digits(milliseconds)} ms` : `${digits(milliseconds * 1_000)} µs`;
}

export function megabytes(value: number): string {
  return `${digits(value)} MB`;
}

export function times(ratio: number): string {
  return `${digits(ratio)}×`;
}

export function digits(value: number): string {
  if (value >= 100) {
    return Math.round(value).toLocaleString("en");
  }
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
