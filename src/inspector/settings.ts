/** The one check of the inspector's options. */
import {
  mustBe,
  nonNegativeInteger,
  optionalBoolean,
  optionalObject,
  optionalText,
} from "../validation/arguments.js";
import { isInstance } from "../values/describe.js";

export interface InspectSettings {
  /** `undefined`: the default, or a free one. */
  port: number | undefined;
  host: string;
  open: boolean;
  signal: AbortSignal | undefined;
  allowFork: boolean;
}

export const DEFAULT_PORT = 7423;

const HIGHEST_PORT = 65_535;

export function inspectSettings(options: unknown): InspectSettings {
  const given = optionalObject("options", options, ["port", "host", "open", "signal", "allowFork"]);
  return {
    port: optionalPort(given.port),
    host: optionalHost(given.host),
    open: optionalBoolean("options.open", given.open) === true,
    signal: optionalSignal(given.signal),
    allowFork: optionalBoolean("options.allowFork", given.allowFork) === true,
  };
}

/** Whether only this machine can connect. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Bun takes an empty host for every address. */
function optionalHost(value: unknown): string {
  const host = optionalText("options.host", value) ?? "127.0.0.1";
  if (host.trim() === "") {
    throw mustBe("options.host", "the name or address to listen on, such as 127.0.0.1", value);
  }
  return host;
}

function optionalPort(value: unknown): number | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  const port = nonNegativeInteger("options.port", value);
  if (port > HIGHEST_PORT) {
    throw mustBe("options.port", `an integer from 0 to ${HIGHEST_PORT}`, value);
  }
  return port;
}

function optionalSignal(value: unknown): AbortSignal | undefined {
  if (value !== undefined && value !== null && !isInstance(value, AbortSignal)) {
    throw mustBe("options.signal", "an AbortSignal", value);
  }
  return value ?? undefined;
}
