/** The page: where it is, what it shows there, and whether the file is still being written. */
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { FileAnswer } from "../answers.js";
import { type LiveState, live, useAnswer, useLiveState } from "./api.js";
import { CompareView } from "./compare-view.js";
import { FamilyView } from "./family-view.js";
import { bytes, number, visible } from "./format.js";
import { GrowthView } from "./growth-view.js";
import { hrefOf, type Place, usePlace } from "./router.js";
import { SessionView, useTitle } from "./session-view.js";
import { SessionsView } from "./sessions-view.js";

// The cookie carries the token from here on: it must not stay in the address, which people share.
history.replaceState(null, "", `${location.pathname}${location.hash}`);

/** Its counts are of the whole file. */
const FILE_PAUSE_MS = 3_000;

function App() {
  const place = usePlace();
  const { data: file } = useAnswer<FileAnswer>("file", {}, { pause: FILE_PAUSE_MS });
  return (
    <>
      <Header file={file} place={place} />
      <Banner />
      <View place={place} file={file} />
    </>
  );
}

function Header({ file, place }: { file: FileAnswer | undefined; place: Place }) {
  return (
    <header class="top">
      <span class="file" title={file === undefined ? "" : file.path}>
        {file === undefined ? "…" : visible(file.name)}
      </span>
      {file !== undefined && (
        <span class="quiet wide-only">
          {number(file.sessions)} sessions, {bytes(file.bytes)}
        </span>
      )}
      <nav aria-label="Views">
        <a href={hrefOf({ view: "sessions" })} aria-current={place.view === "sessions" ? "page" : undefined}>
          Sessions
        </a>
        <a href={hrefOf({ view: "growth" })} aria-current={place.view === "growth" ? "page" : undefined}>
          Growth
        </a>
      </nav>
      <LiveSign />
      <ThemeButton />
    </header>
  );
}

const LIVE: Record<LiveState, string> = {
  connecting: "connecting",
  live: "live",
  gone: "file gone",
  lost: "stopped",
};

function LiveSign() {
  const state = useLiveState();
  return (
    <span class={`live-sign ${state}`} role="status">
      <span class="dot" aria-hidden="true" /> {LIVE[state]}
    </span>
  );
}

function Banner() {
  const state = useLiveState();
  if (state === "gone") {
    return (
      <p class="banner" role="alert">
        The file was deleted, renamed or replaced. What is shown is what was read before; start the inspector
        again on the file that you mean.
      </p>
    );
  }
  return state === "lost" ? (
    <p class="banner" role="alert">
      The inspector was stopped, or its connection was lost. Start it again, and open its new link.
    </p>
  ) : null;
}

function ThemeButton() {
  const [theme, setTheme] = useState(() => localStorage.getItem("theme") ?? "");
  useEffect(() => {
    if (theme === "") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("theme");
    } else {
      document.documentElement.dataset.theme = theme;
      localStorage.setItem("theme", theme);
    }
  }, [theme]);
  const isDark = theme === "" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
  return (
    <button
      type="button"
      class="small theme"
      aria-label={isDark ? "Use light colours" : "Use dark colours"}
      onClick={() => setTheme(isDark ? "light" : "dark")}
    >
      {isDark ? "☀" : "☾"}
    </button>
  );
}

/** A new view starts at its top, as a new page would, and a screen reader reads its heading. */
function View({ place, file }: { place: Place; file: FileAnswer | undefined }) {
  const key =
    place.view === "session" || place.view === "family" ? `${place.view} ${place.session}` : place.view;
  const last = useRef(key);
  useEffect(() => {
    if (last.current !== key) {
      last.current = key;
      scrollTo(0, 0);
    }
  }, [key]);
  switch (place.view) {
    case "sessions":
      return <Sessions file={file} />;
    case "session":
      return (
        <SessionView key={place.session} session={place.session} checkpoint={place.checkpoint} file={file} />
      );
    case "family":
      return <FamilyView session={place.session} />;
    case "compare":
      return <CompareView before={place.before} after={place.after} />;
    case "growth":
      return <GrowthView />;
  }
}

function Sessions({ file }: { file: FileAnswer | undefined }) {
  useTitle(file?.name);
  return <SessionsView file={file} />;
}

live.start();
const root = document.querySelector("#app");
if (root !== null) {
  render(<App />, root);
}
