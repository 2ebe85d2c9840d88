/** The page: one HTML file that the build makes, and the policy that lets the browser run nothing but its own script. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Page {
  html: string;
  policy: string;
}

/** Beside a chunk of the bundle in dist/; and from the bundle of the entry, or from the source, which are both two folders deep. */
const PLACES = ["./inspector.html", "../../dist/inspector.html"];

export function readPage(): Page {
  const paths = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new Error(
      `The inspector's page is not at ${paths.join(" or ")}: install the package again, or run \`npm run build\` in its repository.`,
    );
  }
  const html = readFileSync(path, "utf8");
  return { html, policy: policyOf(html) };
}

/** Scripts and styles by their hashes, requests to this server alone, and nothing else. */
function policyOf(html: string): string {
  return [
    "default-src 'none'",
    `script-src ${hashesOf(html, /<script[^>]*>(.*?)<\/script>/gs)}`,
    `style-src ${hashesOf(html, /<style[^>]*>(.*?)<\/style>/gs)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

function hashesOf(html: string, elements: RegExp): string {
  const hashes = Array.from(
    html.matchAll(elements),
    ([, text = ""]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`,
  );
  return hashes.length === 0 ? "'none'" : hashes.join(" ");
}
