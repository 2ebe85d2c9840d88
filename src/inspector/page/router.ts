/** Places in the page, in the address after `#`: two people with the same file can share them. */
import { useEffect, useState } from "preact/hooks";

export type Place =
  | { view: "sessions" }
  | { view: "session"; session: string; checkpoint?: string }
  | { view: "family"; session: string }
  | { view: "compare"; before: string; after: string }
  | { view: "growth" };

export function hrefOf(place: Place): string {
  const join = (...parts: string[]) => `#/${parts.map(encodeURIComponent).join("/")}`;
  switch (place.view) {
    case "sessions":
      return "#/";
    case "session":
      return place.checkpoint === undefined
        ? join("session", place.session)
        : join("session", place.session, "checkpoint", place.checkpoint);
    case "family":
      return join("session", place.session, "forks");
    case "compare":
      return join("compare", place.before, place.after);
    case "growth":
      return join("growth");
  }
}

export function placeOf(hash: string): Place {
  const [view = "", first = "", second = "", third = ""] = hash
    .replace(/^#\/?/, "")
    .split("/")
    .map((part) => decoded(part));
  if (view === "session" && first !== "") {
    if (second === "forks") {
      return { view: "family", session: first };
    }
    return second === "checkpoint" && third !== ""
      ? { view: "session", session: first, checkpoint: third }
      : { view: "session", session: first };
  }
  if (view === "compare" && first !== "" && second !== "") {
    return { view: "compare", before: first, after: second };
  }
  return view === "growth" ? { view: "growth" } : { view: "sessions" };
}

export function go(place: Place, { replace = false } = {}): void {
  if (replace) {
    history.replaceState(null, "", hrefOf(place));
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = hrefOf(place);
  }
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const listener = () => setPlace(placeOf(location.hash));
    addEventListener("hashchange", listener);
    return () => removeEventListener("hashchange", listener);
  }, []);
  return place;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // Typed by hand.
  }
}
