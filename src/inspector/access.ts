/**
 * Who may ask: a browser on this machine that was given the link with the token.
 *
 * - The Host header must be an address, or the name that the inspector was opened under. A page of another site can make its
 *   own name resolve to 127.0.0.1 (DNS rebinding), but cannot change the Host that the browser then sends.
 * - A request that another site's page makes carries its Origin, or says `cross-site`, and the cookie is SameSite=Strict.
 * - The token is compared in constant time.
 */
import { timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";

/** Carries the token of a request to fork. */
export const FORK_HEADER = "x-fork-token";

const BASE_HEADERS = {
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export class Access {
  readonly token = newToken();
  readonly forkToken = newToken();
  readonly #host: string;
  readonly #cookie: string;

  /** @param host The name or address that the inspector was asked to listen on. */
  constructor(host: string, port: number) {
    this.#host = host.toLowerCase();
    // Cookies do not tell ports apart, and two inspectors may run at once.
    this.#cookie = `checkpoint_inspector_${port}`;
  }

  /** Why a request is refused; `undefined` if it is not. Without a look at its token. */
  refusalOf(request: Request): string | undefined {
    const host = request.headers.get("host") ?? "";
    if (!this.#isOurs(host)) {
      return `The Host header ${JSON.stringify(host)} is not an address of this inspector: open the link that it printed.`;
    }
    const origin = request.headers.get("origin");
    if (origin !== null && origin !== `http://${host}`) {
      return `Requests from ${JSON.stringify(origin)} are refused.`;
    }
    const site = request.headers.get("sec-fetch-site");
    const isNavigation = request.headers.get("sec-fetch-mode") === "navigate";
    if ((site === "cross-site" || site === "same-site") && !isNavigation) {
      return "Requests from other sites are refused.";
    }
    return undefined;
  }

  hasCookie(request: Request): boolean {
    const cookies = (request.headers.get("cookie") ?? "").split("; ");
    return cookies.some((cookie) => {
      const [name, value = ""] = cookie.split("=");
      return name === this.#cookie && isEqual(value, this.token);
    });
  }

  hasToken(url: URL): boolean {
    return isEqual(url.searchParams.get("token") ?? "", this.token);
  }

  mayFork(request: Request): boolean {
    return isEqual(request.headers.get(FORK_HEADER) ?? "", this.forkToken);
  }

  get setCookie(): string {
    return `${this.#cookie}=${this.token}; HttpOnly; SameSite=Strict; Path=/`;
  }

  #isOurs(host: string): boolean {
    const name = host.replace(/:\d+$/, "").toLowerCase();
    const isAddress = isIP(name.replace(/^\[|\]$/g, "")) > 0;
    return isAddress || name === "localhost" || name === this.#host;
  }
}

export function respond(
  body: string | ReadableStream<string>,
  type: string,
  init: { status?: number; headers?: Record<string, string> } = {},
): Response {
  return new Response(body, {
    status: init.status ?? 200,
    headers: { ...BASE_HEADERS, "content-type": `${type}; charset=utf-8`, ...init.headers },
  });
}

function newToken(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");
}

function isEqual(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}
